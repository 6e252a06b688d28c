package content

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"slipway/appliance/internal/state"
)

// What callers decide on. Test with errors.Is.
var (
	// ErrNotFound: there is no such item, version, file, job or upload.
	ErrNotFound = errors.New("there is no such content")
	// ErrInvalid: a request cannot be taken as it is; the text says why.
	ErrInvalid = errors.New("not valid")
	// ErrInUse: something refers to the version; the text says what.
	ErrInUse = errors.New("in use")
	// ErrDamaged: the bytes at rest are not those of the manifest.
	ErrDamaged = errors.New("the content is damaged on the appliance's disk: add it again, or restore it from a backup")
	// ErrOffset: a piece does not follow what is kept.
	ErrOffset = errors.New("the piece does not follow what is kept")
	// ErrTooLarge: it exceeds a limit.
	ErrTooLarge = errors.New("too large")
	// ErrRefused: an address that may not be fetched from.
	ErrRefused = errors.New("refused")
	// ErrBusy: too much of it at once.
	ErrBusy = errors.New("busy, try again later")
	// ErrFull is the one of the state: the disk has no room.
	ErrFull = state.ErrFull
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// full makes a disk that ran full mid-way ErrFull.
func full(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
