package disk

import (
	"context"
	"errors"
)

// Wipe implements Disks.
func (m *Linux) Wipe(context.Context, string, WipeMethod, Progress) (WipeReport, error) {
	return WipeReport{}, errors.ErrUnsupported
}
