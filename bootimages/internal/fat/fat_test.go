package fat

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func sample(t *testing.T, files ...File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, "SLIPWAY", 0x12345678, files); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The file system checker and mtools, which know nothing of us, find no fault and
// the same files.
func TestOtherReadersAgree(t *testing.T) {
	for _, tool := range []string{"fsck.vfat", "mcopy"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is not installed; lab/deps.sh check installs it (dosfstools, mtools)", tool)
		}
	}
	big := bytes.Repeat([]byte("slipway!"), 700_000) // 5.6 MB
	huge := bytes.Repeat([]byte("x"), 60<<20)        // clusters of more than a sector
	tests := []struct {
		name  string
		files []File
	}{
		{"empty", nil},
		{"a loader", []File{{"EFI/BOOT/BOOTX64.EFI", big}, {"EFI/BOOT/GRUBX64.EFI", []byte("small")}, {"README.TXT", nil}}},
		{"large", []File{{"EFI/BOOT/BOOTX64.EFI", huge}, {"A/B/C/D.TXT", []byte("deep")}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "fat.img")
			if err := os.WriteFile(file, sample(t, tt.files...), 0o644); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(t.Context(), "fsck.vfat", "-n", "-v", file).CombinedOutput(); err != nil || !strings.Contains(string(out), "16 bit entries") {
				t.Errorf("fsck: %v\n%s", err, out)
			}
			for _, f := range tt.files {
				got, err := exec.CommandContext(t.Context(), "mtype", "-i", file, "::"+f.Path).Output()
				if err != nil || !bytes.Equal(got, f.Content) {
					t.Errorf("%s: %d bytes read of %d, %v", f.Path, len(got), len(f.Content), err)
				}
			}
		})
	}
}

func TestSameBytes(t *testing.T) {
	a, b := File{"EFI/A.EFI", []byte("a")}, File{"EFI/B.EFI", []byte("b")}
	if !bytes.Equal(sample(t, a, b), sample(t, b, a)) {
		t.Error("the order of the arguments changes the bytes")
	}
}

func TestRefuses(t *testing.T) {
	many := []File{}
	for i := range 40 {
		many = append(many, File{"D/F" + strings.Repeat("A", i%7) + string(rune('A'+i%26)) + ".X", []byte("x")})
	}
	for _, files := range [][]File{{{"lower.txt", nil}}, {{"TOOLONGNAME.EFI", nil}}, {{"/ABS", nil}}, {{"../UP", nil}}, many} {
		if err := Write(&bytes.Buffer{}, "X", 1, files); err == nil {
			t.Errorf("%q was taken", files[0].Path)
		}
	}
	if err := Write(&bytes.Buffer{}, "A LABEL WITH SPACES", 1, nil); err == nil {
		t.Error("a bad label was taken")
	}
}
