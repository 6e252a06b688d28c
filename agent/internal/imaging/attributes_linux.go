package imaging

import (
	"archive/tar"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// attributes gives an entry its owner, extended attributes, mode and times, in this
// order: a change of owner takes setuid bits and file capabilities away. base is
// never followed.
func (x *extractor) attributes(dir int, base string, h *tar.Header) error {
	if err := unix.Fchownat(dir, base, h.Uid, h.Gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set its owner: %w", err)
	}
	for name, value := range attributesOf(h) {
		if err := x.attribute(dir, base, strings.TrimPrefix(name, xattrPrefix), value); err != nil {
			return err
		}
	}
	if h.Typeflag != tar.TypeSymlink {
		// What stands there was made just now by this very archive and is no link.
		if err := unix.Fchmodat(dir, base, uint32(h.Mode)&0o7777, 0); err != nil {
			return fmt.Errorf("set its mode: %w", err)
		}
	}
	modified := h.ModTime
	if modified.IsZero() {
		modified = time.Unix(0, 0)
	}
	t := unix.NsecToTimespec(modified.UnixNano())
	if err := unix.UtimesNanoAt(dir, base, []unix.Timespec{t, t}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set its time: %w", err)
	}
	return nil
}

// attribute sets one extended attribute. A file system that cannot hold it is worth
// a warning, unless rights depend on it.
func (x *extractor) attribute(dir int, base, name, value string) error {
	err := unix.Lsetxattr(fmt.Sprintf("/proc/self/fd/%d/%s", dir, base), name, []byte(value), 0)
	if errors.Is(err, unix.ENOTSUP) && name != "security.capability" && !strings.HasPrefix(name, "system.posix_acl_") {
		if x.Warn != nil {
			x.Warn(fmt.Sprintf("%s: the file system cannot hold the attribute %s", base, name))
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("set its attribute %q: %w", shorten(name), err)
	}
	return nil
}
