// Package fattest makes FAT file systems for tests.
package fattest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Text is what every file of an Image holds.
const Text = "0123456789abcdef0123456789abcdef\n"

// Image makes a FAT file system with files by the tools of others (dosfstools,
// mtools); sectors of 512 bytes.
func Image(t testing.TB, kib, bits int, files ...string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "fat")
	run := func(args ...string) {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "MTOOLS_SKIP_CHECK=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", args, err, out)
		}
	}
	run("mkfs.vfat", "-C", "-s", "1", "-n", "EFI", "-F", fmt.Sprint(bits), file, fmt.Sprint(kib))
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte(Text), 0o600); err != nil {
		t.Fatal(err)
	}
	made := map[string]bool{}
	for _, name := range files {
		dir := ""
		for _, part := range strings.Split(filepath.Dir(name), "/") {
			if dir += "/" + part; part != "." && !made[dir] {
				made[dir] = true
				run("mmd", "-i", file, "::"+dir)
			}
		}
		if !strings.HasSuffix(name, "/") {
			run("mcopy", "-i", file, text, "::/"+name)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
