package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// PhysicalDrives implements Drives on the machine. Disks are opened for questions
// only, with neither the right to read nor to write: nothing of this package can reach
// what is on them.
type PhysicalDrives struct{}

// ErrWine says that this is not Windows but Wine, whose \\.\PhysicalDrive0 is the disk
// of the machine that it runs on.
var ErrWine = errors.New("this is Wine, not Windows: its disks are another machine's and are not touched")

// maxDrives is how many disk numbers are tried; Windows gives them from 0 on, and one
// that was taken out leaves a gap.
const maxDrives = 64

// Control codes (ntddstor.h, ntdddisk.h); all need no access to the disk.
const (
	ioctlDeviceNumber  = 0x2d1080 // IOCTL_STORAGE_GET_DEVICE_NUMBER
	ioctlQueryProperty = 0x2d1400 // IOCTL_STORAGE_QUERY_PROPERTY
	ioctlGeometry      = 0x0700a0 // IOCTL_DISK_GET_DRIVE_GEOMETRY_EX
	ioctlLayout        = 0x070050 // IOCTL_DISK_GET_DRIVE_LAYOUT_EX
)

// isWine reports whether ntdll is Wine's.
func isWine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}

// question opens a device for control codes alone.
func question(path string) (windows.Handle, error) {
	if isWine() {
		return 0, ErrWine
	}
	wide, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	return windows.CreateFile(wide, 0, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE, nil, windows.OPEN_EXISTING, 0, 0)
}

func ask(h windows.Handle, code uint32, in, out []byte) ([]byte, error) {
	var inAt *byte
	if len(in) > 0 {
		inAt = &in[0]
	}
	var n uint32
	if err := windows.DeviceIoControl(h, code, inAt, uint32(len(in)), &out[0], uint32(len(out)), &n, nil); err != nil {
		return nil, err
	}
	return out[:n], nil
}

// Disks implements Drives.
func (PhysicalDrives) Disks() ([]Drive, error) {
	var list []Drive
	for n := range maxDrives {
		h, err := question(fmt.Sprintf(`\\.\PhysicalDrive%d`, n))
		if errors.Is(err, windows.ERROR_FILE_NOT_FOUND) || errors.Is(err, windows.ERROR_PATH_NOT_FOUND) {
			continue
		}
		if err != nil {
			return nil, err
		}
		d, err := describe(h, n)
		_ = windows.CloseHandle(h)
		if err == nil && d.Size > 0 { // an empty card reader has no size
			list = append(list, d)
		}
	}
	return list, nil
}

// describe asks for size, sectors and names.
func describe(h windows.Handle, n int) (Drive, error) {
	d := Drive{Number: n, Disk: Disk{Name: fmt.Sprintf("PhysicalDrive%d", n), Path: fmt.Sprintf(`\\.\PhysicalDrive%d`, n)}}
	geometry, err := ask(h, ioctlGeometry, nil, make([]byte, 512))
	if err != nil || len(geometry) < 32 {
		return d, fmt.Errorf("the geometry of %s: %w", d.Name, errors.Join(err))
	}
	d.SectorSize = int(binary.LittleEndian.Uint32(geometry[20:]))
	d.PhysicalSectorSize = d.SectorSize
	d.Size = int64(binary.LittleEndian.Uint64(geometry[24:]))
	if b, err := ask(h, ioctlQueryProperty, make([]byte, 12), make([]byte, 4096)); err == nil {
		describeDevice(&d.Disk, b)
	}
	d.ID = strings.Trim(strings.Join([]string{string(d.Bus), d.Model, d.Serial}, "-"), "-")
	if d.Serial == "" {
		d.ID += fmt.Sprintf("#%d", n)
	}
	return d, nil
}

// Layout implements Drives.
func (PhysicalDrives) Layout(number int) (Layout, error) {
	h, err := question(fmt.Sprintf(`\\.\PhysicalDrive%d`, number))
	if err != nil {
		return Layout{}, err
	}
	defer windows.CloseHandle(h)
	b, err := ask(h, ioctlLayout, nil, make([]byte, 64<<10))
	if err != nil {
		return Layout{}, fmt.Errorf("read the partitions of disk %d: %w", number, err)
	}
	return parseDriveLayout(b)
}

// Letters implements Drives.
func (PhysicalDrives) Letters() (map[string]Place, error) {
	mask, err := windows.GetLogicalDrives()
	if err != nil {
		return nil, err
	}
	out := map[string]Place{}
	for i := range 26 {
		if mask&(1<<i) == 0 {
			continue
		}
		letter := string(rune('A' + i))
		out[letter] = Place{-1, -1} // in use, by what is no partition: a RAM disk, a CD, a share
		h, err := question(`\\.\` + letter + ":")
		if errors.Is(err, ErrWine) {
			return nil, err
		}
		if err != nil {
			continue
		}
		var number struct{ kind, device, partition uint32 } // STORAGE_DEVICE_NUMBER
		b := unsafe.Slice((*byte)(unsafe.Pointer(&number)), unsafe.Sizeof(number))
		const disk = 7 // FILE_DEVICE_DISK
		if _, err := ask(h, ioctlDeviceNumber, nil, b); err == nil && number.kind == disk {
			out[letter] = Place{int(number.device), int(number.partition)}
		}
		_ = windows.CloseHandle(h)
	}
	return out, nil
}
