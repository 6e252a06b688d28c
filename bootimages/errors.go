package bootimages

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// Errors a caller can tell apart with errors.Is.
var (
	// ErrNoSource: this machine has no package source and no folder was given.
	ErrNoSource = errors.New("no package source on this machine: apt-get was not found; give a folder of .deb files with --packages DIR")
	// ErrNoPackage: a package is in neither the source nor the folder.
	ErrNoPackage = errors.New("package not found")
	// ErrCorrupt: bytes do not have the hash that was promised for them.
	ErrCorrupt = errors.New("content does not have the expected hash")
	// ErrNoAgent: the agent binary is missing or cannot be an init program.
	ErrNoAgent = errors.New("agent binary missing")
	// ErrNoSpace: the disk that holds the data folder is full.
	ErrNoSpace = errors.New("no space left on the disk")
	// ErrOption: an option's value makes no sense.
	ErrOption = errors.New("invalid option")
)

// SecretError is returned when a folder that would go into a public image holds
// files that look like secrets.
type SecretError struct {
	Folder string
	Files  []string // at most a handful, with the reason in brackets
}

func (e *SecretError) Error() string {
	return fmt.Sprintf("refused: %s holds what looks like secrets, and boot images are public: %s; remove them, or build with --allow-secrets",
		e.Folder, strings.Join(e.Files, ", "))
}

// plain rewrites the operating system's errors into what an administrator can
// act on.
func plain(err error, where string) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w that holds %s: free some and build again: %w", ErrNoSpace, where, err)
	}
	return err
}
