package bootable

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"slipway/agent/internal/disk"
	"slipway/agent/internal/fat"
)

// removablePath is where firmware looks for a boot loader on a disk that it has no
// boot entry for (UEFI 2.10, 3.5.1.1).
var removablePath = map[string]string{"amd64": "EFI/BOOT/BOOTX64.EFI", "arm64": "EFI/BOOT/BOOTAA64.EFI"}

// longestName is how much of a name becomes a boot entry's: menus of firmware are narrow.
const longestName = 60

// RawTarget is a disk that a whole image was written to. It brings its own boot loader.
type RawTarget struct {
	Layout       disk.Layout
	Disks        disk.Disks
	Name         string // of the boot entry
	EFIVariables string // folder of the firmware's variables
}

// Announce tells the firmware of a machine that boots by UEFI where the image's boot
// loader lies: a boot entry for the removable path of its EFI system partition. It
// returns what people are told. warn says that the machine may not start from the
// disk, or only by what its firmware finds itself; nothing of it is an error, as the
// disk holds what it was to hold.
func Announce(ctx context.Context, t RawTarget) (text string, warn bool) {
	if t.Layout.Firmware != disk.UEFI {
		return "", false
	}
	path, ok := removablePath[runtime.GOARCH]
	if !ok {
		return "", false
	}
	shown := `\` + strings.ReplaceAll(path, "/", `\`)
	esp, err := t.loader(ctx, path)
	if err != nil {
		return fmt.Sprintf("the image holds no boot loader for UEFI at %s (%v), and this machine boots by UEFI: it may not start from this disk", shown, err), true
	}
	finds := "the firmware finds the system by the removable path " + shown
	if t.Layout.Table != disk.GPT {
		return finds + "; a boot entry would need a GPT", false
	}
	name := []rune(t.Name)
	name = name[:min(len(name), longestName)]
	option, err := loadOptionOf(t.Layout, esp, string(name), shown)
	if err == nil {
		err = addEntry(ctx, t.EFIVariables, t.Disks, option)
	}
	if err != nil {
		return fmt.Sprintf("the firmware got no boot entry: %v; %s", err, finds), true
	}
	return fmt.Sprintf("the firmware has the boot entry %q, which starts %s of partition %d", string(name), shown, esp.Number), false
}

// loader finds the EFI system partition that holds a boot loader at path.
func (t RawTarget) loader(ctx context.Context, path string) (disk.Partition, error) {
	var errs []error
	for _, p := range t.Layout.Partitions {
		if p.Role != disk.RoleESP {
			continue
		}
		found, err := t.holds(ctx, p, path)
		if found {
			return p, nil
		}
		if err == nil {
			err = errors.New("the file is not there")
		}
		errs = append(errs, fmt.Errorf("partition %d: %w", p.Number, err))
	}
	if len(errs) == 0 {
		errs = append(errs, errors.New("it has no EFI system partition"))
	}
	return disk.Partition{}, errors.Join(errs...)
}

func (t RawTarget) holds(ctx context.Context, p disk.Partition, path string) (found bool, err error) {
	part, err := t.Disks.OpenPartition(ctx, t.Layout, p.Number, disk.OpenOptions{ReadOnly: true})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, part.Close()) }()
	f, err := fat.Open(part)
	if err != nil {
		return false, err
	}
	return f.Has(path)
}
