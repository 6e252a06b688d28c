package installed

import "golang.org/x/sys/unix"

// noFollow opens no link.
const noFollow = unix.O_NOFOLLOW
