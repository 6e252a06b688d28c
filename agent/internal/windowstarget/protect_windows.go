package windowstarget

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// SecurityDescriptor in Windows' own words (Security Descriptor String Format).
const (
	folderRights = "O:BAG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
	fileRights   = "O:BAG:SYD:PAI(A;;FA;;;SY)(A;;FA;;;BA)"
)

// Protect gives a folder and all in it to the administrators, and lets nobody else than
// them and SYSTEM in. On volumes that keep no rights it does nothing.
func Protect(folder string) error {
	err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Type()&(fs.ModeSymlink|fs.ModeIrregular) != 0 {
			return fmt.Errorf("%s is a link, and none of the agent's: remove it", name)
		}
		text := fileRights
		if d.IsDir() {
			text = folderRights
		}
		return setRights(name, text)
	})
	if err != nil {
		return fmt.Errorf("close %s to others: %w", folder, err)
	}
	return nil
}

func setRights(name, text string) error {
	sd, err := windows.SecurityDescriptorFromString(text)
	if err != nil {
		return err
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return err
	}
	dacl, _, err := sd.DACL()
	if err != nil {
		return err
	}
	err = windows.SetNamedSecurityInfo(name, windows.SE_FILE_OBJECT,
		windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, owner, nil, dacl, nil)
	if errors.Is(err, windows.ERROR_NOT_SUPPORTED) || errors.Is(err, windows.ERROR_INVALID_FUNCTION) {
		return nil
	}
	return err
}
