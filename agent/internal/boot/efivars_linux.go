package boot

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// efivarfsModule is where Debian's kernel package has it; it needs no other module.
const efivarfsModule = "kernel/fs/efivarfs/efivarfs.ko"

// MountEFIVariables shows the firmware's variables below /sys/firmware/efi/efivars,
// for reading. Without UEFI there is nothing to mount.
func MountEFIVariables() error {
	const target = "/sys/firmware/efi/efivars"
	if _, err := os.Stat(target); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var loading error
	if dir, err := ModuleDir(); err == nil {
		loading = KernelLoader{Dir: dir}.Load(efivarfsModule) // may be built in
	}
	err := unix.Mount("efivarfs", target, "efivarfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_RDONLY, "")
	if err != nil && !errors.Is(err, unix.EBUSY) {
		return errors.Join(fmt.Errorf("mount %s: %w", target, err), loading)
	}
	return nil
}
