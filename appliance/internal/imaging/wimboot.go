package imaging

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/pe"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"slipway/appliance/internal/durable"
	"slipway/fleet"
	"slipway/netboot"
)

// ErrNoWimboot says that a file is not wimboot.
var ErrNoWimboot = errors.New("this is not wimboot")

// MaxWimboot bounds the file, in bytes; released ones have some 60 KB.
const MaxWimboot = 4 << 20

// Wimboot is the file that iPXE starts Windows PE with. It is the administrator's.
type Wimboot struct {
	Present bool      `json:"present"`
	Version string    `json:"version,omitempty"` // "v2.8.0"
	SHA256  string    `json:"sha256,omitempty"`
	Size    int64     `json:"size,omitempty"` // bytes
	AddedAt time.Time `json:"addedAt,omitzero"`
	BIOS    bool      `json:"bios,omitempty"`    // BIOS machines can start it as well
	Warning string    `json:"warning,omitempty"` // what is known against this version
}

// wimbootBanner is what the program says of itself when it starts (its efimain.c).
var wimbootBanner = regexp.MustCompile(`wimboot (v[0-9]+\.[0-9]+[!-~]{0,40}) -- Windows Imaging Format `)

// checkWimboot reads a file: a program for UEFI (PE), which may be a Linux kernel of the
// boot protocol 2.03 to BIOS as well (its prefix.S), and says that it is wimboot.
func checkWimboot(b []byte) (w Wimboot, err error) {
	m := wimbootBanner.FindSubmatch(b)
	if m == nil {
		return w, fmt.Errorf("%w: its banner is missing. Take the file wimboot from a release of the wimboot project, not the archive around it", ErrNoWimboot)
	}
	f, err := pe.NewFile(bytes.NewReader(b))
	if err != nil {
		return w, fmt.Errorf("%w: it is no program for UEFI, or cut short: %w", ErrNoWimboot, err)
	}
	for _, s := range f.Sections {
		if int64(s.Offset)+int64(s.Size) > int64(len(b)) {
			return w, fmt.Errorf("%w: it is cut short", ErrNoWimboot)
		}
	}
	if f.Machine != pe.IMAGE_FILE_MACHINE_AMD64 {
		return w, fmt.Errorf("%w for x64: take the file named wimboot", ErrNoWimboot)
	}
	sum := sha256.Sum256(b)
	w = Wimboot{Present: true, Version: string(m[1]), SHA256: hex.EncodeToString(sum[:]), Size: int64(len(b)),
		BIOS: len(b) > 0x208 && string(b[0x202:0x206]) == "HdrS" && b[0x1fe] == 0x55 && b[0x1ff] == 0xaa}
	if w.Version == "v2.9.0" {
		w.Warning = "Release 2.9.0 is known to reset machines without a word with the boot.wim of Windows 11 25H2 (wimboot issue 65)."
	}
	return w, nil
}

func (s *Service) wimbootPath() string {
	return filepath.Join(s.dataDir(), netboot.WindowsFolder, "wimboot")
}

// Wimboot says what is there. A file that was put there by hand and is not wimboot is
// present with a warning.
func (s *Service) Wimboot() (w Wimboot, err error) {
	f, err := os.Open(s.wimbootPath())
	if errors.Is(err, os.ErrNotExist) {
		return w, nil
	}
	if err != nil {
		return w, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return w, err
	}
	b, err := io.ReadAll(io.LimitReader(f, MaxWimboot+1))
	if err != nil {
		return w, err
	}
	if w, err = checkWimboot(b); err != nil || len(b) > MaxWimboot {
		w = Wimboot{Present: true, Size: info.Size(), Warning: "The file wimboot in the data folder is not wimboot: machines that are sent to it will not start."}
	}
	w.AddedAt = info.ModTime()
	return w, nil
}

// AddWimboot takes the file in; it is served from then on. Errors: ErrNoWimboot.
func (s *Service) AddWimboot(ctx context.Context, by Actor, r io.Reader) (Wimboot, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxWimboot+1))
	if err != nil {
		return Wimboot{}, err
	}
	if len(b) > MaxWimboot {
		return Wimboot{}, fmt.Errorf("%w: it has more than %d MiB", ErrNoWimboot, MaxWimboot>>20)
	}
	w, err := checkWimboot(b)
	if err != nil {
		return w, err
	}
	err = os.MkdirAll(filepath.Dir(s.wimbootPath()), 0o755)
	if err == nil {
		err = durable.Replace(s.wimbootPath(), ".wimboot-*", b)
	}
	if err != nil {
		return w, fmt.Errorf("keep wimboot: %w", err)
	}
	w.AddedAt = s.c.Now().UTC()
	s.audit(ctx, fleet.AuditEntry{Actor: by.Name, Address: by.Address, Action: "wimboot.added", Object: w.Version, Outcome: "ok", Reason: w.SHA256})
	return w, nil
}

// RemoveWimboot takes it away; without one nothing happens.
func (s *Service) RemoveWimboot(ctx context.Context, by Actor) error {
	err := os.Remove(s.wimbootPath())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove wimboot: %w", err)
	}
	s.audit(ctx, fleet.AuditEntry{Actor: by.Name, Address: by.Address, Action: "wimboot.removed", Outcome: "ok"})
	return nil
}
