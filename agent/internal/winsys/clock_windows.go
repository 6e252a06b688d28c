package winsys

import (
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

var setSystemTime = windows.NewLazySystemDLL("kernel32.dll").NewProc("SetSystemTime")

// SetClock sets the machine's clock, in WinPE.
func SetClock(t time.Time) error {
	t = t.UTC()
	s := windows.Systemtime{Year: uint16(t.Year()), Month: uint16(t.Month()), Day: uint16(t.Day()),
		Hour: uint16(t.Hour()), Minute: uint16(t.Minute()), Second: uint16(t.Second()), Milliseconds: uint16(t.Nanosecond() / 1e6)}
	if ok, _, err := setSystemTime.Call(uintptr(unsafe.Pointer(&s))); ok == 0 {
		return fmt.Errorf("set the clock: %w", err)
	}
	return nil
}
