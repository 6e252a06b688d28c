package winsys

import (
	"fmt"

	"golang.org/x/sys/windows"
)

// FreeSpace is how many bytes the caller may write on the volume of a folder.
func FreeSpace(folder string) (int64, error) {
	wide, err := windows.UTF16PtrFromString(folder)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(wide, &free, nil, nil); err != nil {
		return 0, fmt.Errorf("the free room of %s: %w", folder, err)
	}
	return int64(free), nil
}
