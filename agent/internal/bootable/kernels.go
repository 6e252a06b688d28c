package bootable

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Kernel is a kernel below /boot with its initrd; Initrd may be empty.
type Kernel struct{ Version, File, Initrd string }

// Kernels finds the kernels of a system, the newest first, rescue kernels last.
func Kernels(root *os.Root) ([]Kernel, error) {
	list, err := fs.ReadDir(root.FS(), "boot")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look for kernels: %w", err)
	}
	files := map[string]bool{}
	for _, e := range list {
		if e.Type().IsRegular() { // links are other names of the same
			files[e.Name()] = true
		}
	}
	var kernels []Kernel
	for name := range files {
		version, ok := strings.CutPrefix(name, "vmlinuz-")
		if !ok || strings.HasSuffix(name, ".old") || !safe(name) {
			continue
		}
		k := Kernel{Version: version, File: "/boot/" + name}
		for _, initrd := range []string{"initrd.img-" + version, "initramfs-" + version + ".img", "initrd-" + version, "initramfs-" + version} {
			if files[initrd] {
				k.Initrd = "/boot/" + initrd
				break
			}
		}
		kernels = append(kernels, k)
	}
	if len(kernels) == 0 {
		return nil, ErrNoKernel
	}
	slices.SortFunc(kernels, func(a, b Kernel) int {
		rescue := func(k Kernel) int { return strings.Count(k.Version, "rescue") }
		return cmp.Or(cmp.Compare(rescue(a), rescue(b)), -compareVersions(a.Version, b.Version))
	})
	return kernels, nil
}

// compareVersions compares texts; runs of digits count by their value.
func compareVersions(a, b string) int {
	for a != "" && b != "" {
		x, y := leading(a), leading(b)
		a, b = a[len(x):], b[len(y):]
		if digit(x[0]) && digit(y[0]) {
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); c != 0 {
				return c
			}
		} else if c := cmp.Compare(x, y); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// leading is the run of digits, or of others, that s begins with.
func leading(s string) string {
	n := 1
	for n < len(s) && digit(s[n]) == digit(s[0]) {
		n++
	}
	return s[:n]
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// safe reports whether a text means itself in grub.cfg, without quotes.
func safe(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || digit(c) || strings.IndexByte("._-+~:,=/@%", c) >= 0) {
			return false
		}
	}
	return s != ""
}
