package fat

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"slipway/agent/internal/fat/fattest"
)

func TestFilesAreFoundOnFAT(t *testing.T) {
	var many []string // so that folders take more than one cluster
	for i := range 40 {
		many = append(many, fmt.Sprintf("efi/boot/a long name, which takes entries of its own, number %d.txt", i))
	}
	for _, tt := range []struct {
		kib, bits int
	}{{1024, 12}, {16 << 10, 16}, {64 << 10, 32}} {
		data := fattest.Image(t, tt.kib, tt.bits, append(many, "efi/boot/bootx64.efi", "efi/file")...)
		f, err := Open(bytes.NewReader(data))
		if err != nil || f.bits != tt.bits {
			t.Fatalf("FAT%d: %+v, %v", tt.bits, f, err)
		}
		for path, want := range map[string]bool{"EFI/BOOT/BOOTX64.EFI": true, "EFI/FILE": true, "EFI/BOOT/BOOTAA64.EFI": false, "EFI/BOOT": false,
			"EFI/FILE/BOOTX64.EFI": false, "BOOTX64.EFI": false, "BOOT/BOOTX64.EFI": false} {
			if got, err := f.Has(path); err != nil || got != want {
				t.Errorf("FAT%d: %s: %v, %v", tt.bits, path, got, err)
			}
		}
	}
	f, err := Open(bytes.NewReader(fattest.Image(t, 1024, 12, "dir/file.txt")))
	if err != nil {
		t.Fatal(err)
	}
	list, err := f.List("DIR")
	if err != nil || len(list) != 3 || list[2].Short != "FILE    TXT" || list[2].Size != int64(len(fattest.Text)) { // after . and ..
		t.Fatalf("%+v, %v", list, err)
	}
	for limit, want := range map[int64]string{100: fattest.Text, 4: fattest.Text[:4]} {
		if text, err := f.Read(list[2], limit); err != nil || string(text) != want {
			t.Errorf("%q, %v", text, err)
		}
	}
	if list, err := f.List("DIR/MORE"); len(list) > 0 || err != nil {
		t.Errorf("a folder that is not there: %v, %v", list, err)
	}
	if _, err := Open(bytes.NewReader(make([]byte, 4096))); !errors.Is(err, ErrNone) {
		t.Errorf("zeros: %v", err)
	}
}

func FuzzFAT(f *testing.F) {
	for _, text := range [][]byte{nil, bytes.Repeat([]byte{0xff}, 2048)} {
		f.Add(append(minimalFAT(), text...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<20 {
			return
		}
		fs, err := Open(bytes.NewReader(data))
		if err != nil {
			return
		}
		list, _ := fs.List("")
		for _, e := range list {
			if text, err := fs.Read(e, 100); err == nil && len(text) > 100 {
				t.Errorf("%d bytes", len(text))
			}
		}
		found, err := fs.Has("EFI/BOOT/BOOTX64.EFI")
		if found && err != nil {
			t.Errorf("found, and %v", err)
		}
	})
}

// minimalFAT is a FAT12 of one-sector clusters with the folder EFI in its root.
func minimalFAT() []byte {
	b := make([]byte, 512*8)
	copy(b[11:], []byte{0, 2, 1, 1, 0, 1, 16, 0, 8, 0, 0xf8, 1, 0})
	b[510], b[511] = 0x55, 0xaa
	copy(b[512:], []byte{0xf8, 0xff, 0xff, 0x03, 0x20, 0x00}) // the folder's chain is a loop
	copy(b[1024:], "EFI        \x10")
	b[1024+26] = 2
	return b
}

func TestALoopInAFolderEnds(t *testing.T) {
	b := minimalFAT()
	copy(b[1536:], bytes.Repeat([]byte{0xe5}, 1024)) // no entry ends the folder
	f, err := Open(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if found, err := f.Has("EFI/BOOT/BOOTX64.EFI"); found || err != nil {
		t.Errorf("%v, %v", found, err)
	}
}
