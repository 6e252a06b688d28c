package boot

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// SetClock sets the system clock and, as well as it can, the hardware clock (in
// UTC). Only the system clock's failure is an error: many virtual machines have
// no writable hardware clock.
func SetClock(t time.Time) error {
	tv := unix.NsecToTimeval(t.UnixNano())
	if err := unix.Settimeofday(&tv); err != nil {
		return fmt.Errorf("set the clock: %w", err)
	}
	setRTC(t.UTC())
	return nil
}

func setRTC(t time.Time) {
	fd, err := unix.Open("/dev/rtc0", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	_ = unix.IoctlSetRTCTime(fd, &unix.RTCTime{
		Sec: int32(t.Second()), Min: int32(t.Minute()), Hour: int32(t.Hour()),
		Mday: int32(t.Day()), Mon: int32(t.Month()) - 1, Year: int32(t.Year()) - 1900,
	})
}
