package screen

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kdskbent is KDSKBENT of linux/kd.h: set one entry of the console's key map.
const kdskbent = 0x4B47

// Apply loads the layout into the kernel's key map of the video console.
func (l Layout) Apply() error {
	console, err := os.OpenFile("/dev/tty0", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return fmt.Errorf("set the keyboard layout: %w", err)
	}
	defer console.Close()
	for _, e := range l.entries() {
		// struct kbentry is two bytes and a 16-bit value: no padding.
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, console.Fd(), kdskbent, uintptr(unsafe.Pointer(&e)))
		if errno != 0 {
			return fmt.Errorf("set the keyboard layout (table %d, key %d): %w", e.table, e.key, errno)
		}
	}
	return nil
}
