package bootable

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/agent/internal/disk"
)

// globalVariable is the vendor GUID of the boot variables (UEFI 2.10, 3.3).
const globalVariable = "-8be4df61-93ca-11d2-aa0d-00e098032b8c"

// nonVolatile, with access at boot and at run time.
const nonVolatile = 7

// addEntry adds the entry to the firmware's, through the folder dir.
func addEntry(ctx context.Context, dir string, disks disk.Disks, o LoadOption) (err error) {
	variables, err := readVariables(dir)
	if err != nil {
		return fmt.Errorf("read the firmware's boot entries: %w", err)
	}
	c := planEntry(variables, o, partitions(ctx, disks))
	order := orderValue(c.order)
	if c.entry == nil && len(c.remove) == 0 && string(order) == string(variables["BootOrder"]) {
		return nil
	}
	readOnly, err := writable(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, readOnly()) }()
	if c.entry != nil {
		if err := setVariable(dir, entryName(c.number), c.entry); err != nil {
			return err
		}
	}
	if err := setVariable(dir, "BootOrder", order); err != nil {
		return err
	}
	for _, number := range c.remove {
		path := variablePath(dir, entryName(number))
		if err := errors.Join(mutable(path), os.Remove(path)); err != nil {
			return fmt.Errorf("remove an old boot entry: %w", err)
		}
	}
	return nil
}

// partitions tells whether a partition is there. Where the disks cannot be read, every one
// may be.
func partitions(ctx context.Context, disks disk.Disks) func(guid [16]byte) bool {
	tables, err := disks.Tables(ctx)
	if err != nil {
		return func([16]byte) bool { return true }
	}
	there := map[[16]byte]bool{}
	for _, l := range tables {
		for _, p := range l.Partitions {
			if guid, err := parseGUID(p.PartUUID); err == nil {
				there[guid] = true
			}
		}
	}
	return func(guid [16]byte) bool { return there[guid] }
}

func variablePath(dir, name string) string { return filepath.Join(dir, name+globalVariable) }

// readVariables reads the boot variables, without their attributes.
func readVariables(dir string) (map[string][]byte, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, e := range list {
		name, ok := strings.CutSuffix(e.Name(), globalVariable)
		if !ok || !strings.HasPrefix(name, "Boot") {
			continue
		}
		value, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		if len(value) >= 4 {
			out[name] = value[4:]
		}
	}
	return out, nil
}

// setVariable writes a variable in one write, as efivarfs wants it.
func setVariable(dir, name string, value []byte) error {
	path := variablePath(dir, name)
	err := mutable(path)
	if err == nil {
		err = os.WriteFile(path, append(binary.LittleEndian.AppendUint32(nil, nonVolatile), value...), 0o644)
	}
	if err != nil {
		return fmt.Errorf("write the firmware's variable %s: %w", name, err)
	}
	return nil
}

// immutable is FS_IMMUTABLE_FL of linux/fs.h.
const immutable = 0x10

// mutable takes the flag from a variable by which efivarfs protects those it does
// not know to be harmless.
func mutable(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	flags, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if errors.Is(err, unix.ENOTTY) {
		return nil
	}
	if err != nil || flags&immutable == 0 {
		return err
	}
	return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(flags&^immutable))
}

// writable makes the file system of the variables writable; the agent keeps it
// read-only otherwise.
func writable(dir string) (undo func() error, err error) {
	nothing := func() error { return nil }
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return nothing, err
	}
	if s.Flags&unix.ST_RDONLY == 0 {
		return nothing, nil
	}
	flags := uintptr(unix.MS_REMOUNT | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	if err := unix.Mount("", dir, "", flags, ""); err != nil {
		return nothing, fmt.Errorf("make the firmware's variables writable: %w", err)
	}
	return func() error { return unix.Mount("", dir, "", flags|unix.MS_RDONLY, "") }, nil
}
