package windowstarget

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// attributes are the names under which a file's security descriptor is written: by
// ntfs-3g (extended attributes of ntfs-3g) and by the kernel's ntfs3.
var attributes = []string{"system.ntfs_acl", "system.ntfs_security"}

// Protect gives a folder and all in it to the administrators, and lets nobody else than
// them and SYSTEM in, once Windows runs. On file systems that keep no such rights it does
// nothing; `slipway-agent install` does it again in Windows, before anybody can log on.
func Protect(folder string) error {
	err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 {
			return fmt.Errorf("%s is a link, and none of the agent's: remove it", name)
		}
		sd := SecurityDescriptor(d.IsDir())
		for _, attribute := range attributes {
			err = unix.Lsetxattr(name, attribute, sd, 0)
			if err == nil || !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENODATA) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("close %s to others: %w", folder, err)
	}
	return nil
}
