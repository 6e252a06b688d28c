package auth

import (
	"testing"
	"time"

	"slipway/appliance/internal/settings"
)

// The reminder holds before anybody changed a setting.
func TestReminderByDefault(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	day := 24 * time.Hour
	for _, c := range []struct {
		wait time.Duration
		old  bool
	}{{time.Duration(settings.Default().PasscodeMaxAgeDays) * day, false}, {day, true}} {
		b.clock.add(c.wait)
		if list, err := b.Passcodes(t.Context()); err != nil || len(list) != 1 || list[0].Old != c.old {
			t.Errorf("after %s more: %+v, %v", c.wait, list, err)
		}
	}
}
