package lab

import (
	"fmt"
	"io"
	"os"
	"path"
	"sort"
)

// archive is an initramfs in the making: paths and what stands there.
type archive map[string]archiveEntry

type archiveEntry struct {
	mode uint32 // as in stat(2), type included
	data []byte
}

const (
	modeDir  = 0o040755
	modeFile = 0o100644
	modeExec = 0o100755
	modeLink = 0o120777
)

func (a archive) add(name string, mode uint32, data []byte) {
	for d := path.Dir(name); d != "."; d = path.Dir(d) {
		a[d] = archiveEntry{mode: modeDir}
	}
	a[name] = archiveEntry{mode, data}
}

func (a archive) addFile(name string, mode uint32, from string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	a.add(name, mode, b)
	return nil
}

// write writes the archive as the kernel wants it: cpio "newc", uncompressed
// (Documentation/driver-api/early-userspace/buffer-format.rst).
func (a archive) write(w io.Writer) error {
	names := make([]string, 0, len(a))
	for n := range a {
		names = append(names, n)
	}
	sort.Strings(names) // folders come before what is in them
	for i, n := range names {
		if err := writeMember(w, i+1, n, a[n]); err != nil {
			return err
		}
	}
	return writeMember(w, 0, "TRAILER!!!", archiveEntry{})
}

func writeMember(w io.Writer, inode int, name string, e archiveEntry) error {
	links := 1
	if e.mode == modeDir {
		links = 2
	}
	head := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		inode, e.mode, 0, 0, links, 0, len(e.data), 0, 0, 0, 0, len(name)+1, 0)
	if _, err := io.WriteString(w, head+name+"\x00"+zeros(len(head)+len(name)+1)); err != nil {
		return err
	}
	if _, err := w.Write(e.data); err != nil {
		return err
	}
	_, err := io.WriteString(w, zeros(len(e.data)))
	return err
}

// zeros pads to a multiple of four.
func zeros(n int) string { return "\x00\x00\x00"[:(4-n%4)%4] }
