package content

import (
	"errors"

	"golang.org/x/sys/unix"
)

// noSpace says whether a write failed because there is no room.
func noSpace(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
