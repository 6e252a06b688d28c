package content

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"slipway/agent/wire"
	"slipway/appliance/internal/content/diskimage"
	"slipway/appliance/internal/state"
	"slipway/tasksequence"
)

// conversion takes in a converted form of a file and says whether the file itself is
// kept beside it.
type conversion func(ctx context.Context, f source) (keep bool, err error)

// Beginnings of files.
const (
	magicWIM = "MSWIM\x00\x00\x00" // one that can be read from a pipe begins with WLPWM
)

// converter returns what converts a file, nil for one that stays as it is. Only
// images of operating systems are converted: elsewhere a disk image is just a file.
func (k *intake) converter(f source) (conversion, error) {
	purpose, err := k.purpose()
	if err != nil || k.in.AsIs || purpose != tasksequence.PurposeOperatingSystem {
		return nil, err
	}
	head, err := beginning(f.path)
	if err != nil {
		return nil, err
	}
	switch ext := strings.ToLower(path.Ext(f.name)); {
	case bytes.HasPrefix(head, []byte(diskimage.QCOW2Magic)):
		return k.fromQCOW2, nil
	case bytes.HasPrefix(head, []byte(magicWIM)):
		return k.pipable, nil
	case ext == ".iso":
		return k.fromDisc, nil
	case (ext == ".img" || ext == ".raw" || ext == ".dd") && f.size%512 == 0 && !compressed(head):
		return k.fromRaw, nil
	}
	return nil, nil
}

// purpose is that of the item which gets the version.
func (k *intake) purpose() (purpose string, err error) {
	err = k.s.o.Store.View(func(tx *state.Tx) error {
		item, err := k.s.itemFor(tx, k.in)
		purpose = item.Purpose
		return err
	})
	return purpose, err
}

func beginning(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, invalid("%v", err)
	}
	defer f.Close()
	head := make([]byte, 16)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("read the beginning of a file: %w", err)
	}
	return head[:n], nil
}

// compressed reports whether a file begins as gzip, zstd, xz, bzip2 or lz4 does.
func compressed(head []byte) bool {
	for _, magic := range []string{"\x1f\x8b", "\x28\xb5\x2f\xfd", "\xfd7zXZ\x00", "BZh", "\x04\x22\x4d\x18"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	return false
}

func (k *intake) fromRaw(ctx context.Context, f source) (bool, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return false, invalid("%v", err)
	}
	defer file.Close()
	img, err := diskimage.OpenRaw(file)
	if err != nil {
		return false, err
	}
	return k.toHoles(ctx, f, img)
}

func (k *intake) fromQCOW2(ctx context.Context, f source) (bool, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return false, invalid("%v", err)
	}
	defer file.Close()
	img, err := diskimage.OpenQCOW2(file, f.size, k.s.o.MaxSize)
	if errors.Is(err, diskimage.ErrFormat) {
		return false, invalid("%s: %v", f.name, err)
	}
	if err != nil {
		return false, err
	}
	defer img.Close()
	return k.toHoles(ctx, f, img)
}

// HolesExtension ends the names of disk images in the form wire.FormHoles.
const HolesExtension = ".holes"

func (k *intake) toHoles(ctx context.Context, f source, img diskimage.Image) (keep bool, err error) {
	if img.Size() > k.s.o.MaxSize {
		return false, fmt.Errorf("%w: the disk has %d bytes, at most %d are allowed", ErrTooLarge, img.Size(), k.s.o.MaxSize)
	}
	w, err := k.s.blobs.create()
	if err != nil {
		return false, err
	}
	defer w.abort()
	k.job.stage(stageMake, img.Size())
	if err := diskimage.WriteHoles(ctx, img, w, k.job.add); err != nil {
		if errors.Is(err, diskimage.ErrFormat) {
			err = invalid("%s: %v", f.name, err)
		}
		return false, err
	}
	got, err := w.commit(k.hold)
	if err != nil {
		return false, err
	}
	name := strings.TrimSuffix(f.name, path.Ext(f.name)) + HolesExtension
	k.files = append(k.files, manifestFile{Path: name, Mode: 0o644, Size: got.Size, SHA256: got.SHA256, Chunks: got.Chunks,
		Form: wire.FormHoles, Original: f.name, RawSize: img.Size()})
	k.notes = append(k.notes, fmt.Sprintf("%s was converted to %s: a disk of %d bytes in %d bytes.", f.name, name, img.Size(), got.Size))
	return k.in.KeepOriginal, nil
}

// wimTool is of the Debian package wimtools.
const wimTool = "wimlib-imagex"

// pipable writes a WIM anew beside the original, so that it can be applied from a
// stream. A solid one (ESD) becomes one that is not.
func (k *intake) pipable(ctx context.Context, f source) (bool, error) {
	tool, err := exec.LookPath(wimTool)
	if err != nil {
		k.notes = append(k.notes, f.name+" was taken as it is: it cannot be applied while it is downloaded, because "+wimTool+
			" is missing on the appliance. Install it (Debian: apt install wimtools) and add the file again.")
		return true, nil
	}
	if err := k.s.blobs.room(f.size); err != nil {
		return false, err
	}
	tmp, err := os.CreateTemp(k.s.blobs.incoming(), "wim-*")
	if err != nil {
		return false, full(err)
	}
	k.own = append(k.own, tmp.Name())
	if err := errors.Join(tmp.Close(), os.Remove(tmp.Name())); err != nil { // the tool makes it itself
		return false, full(err)
	}
	k.job.stage(stageMake, f.size)
	if err := k.exportWIM(ctx, tool, f, tmp.Name()); err != nil {
		return false, err
	}
	got, err := k.s.blobs.adopt(ctx, source{path: tmp.Name()}, k.hold, nil)
	if err != nil {
		return false, err
	}
	name := strings.TrimSuffix(f.name, path.Ext(f.name)) + ".pipable.wim"
	k.files = append(k.files, manifestFile{Path: name, Mode: 0o644, Size: got.Size, SHA256: got.SHA256, Chunks: got.Chunks,
		Form: wire.FormPipableWIM, Original: f.name})
	k.notes = append(k.notes, fmt.Sprintf("%s was made of %s, so that it can be applied while it is downloaded.", name, f.name))
	return true, nil
}

func (k *intake) exportWIM(ctx context.Context, tool string, f source, to string) error {
	from, err := filepath.Abs(f.path)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, tool, "export", from, "all", to, "--pipable")
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8"}
	said := &wimOutput{reached: func(percent int64) { k.job.reached(f.size*percent/100, f.size) }}
	cmd.Stdout, cmd.Stderr = said, said
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		return nil
	case k.s.blobs.room(1) != nil:
		return k.s.blobs.room(1)
	}
	return invalid("%s: %s cannot read it: %s", f.name, wimTool, said.last())
}
