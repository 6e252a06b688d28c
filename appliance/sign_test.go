package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSignerFilesSayWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	encrypted := file("encrypted", "-----BEGIN ENCRYPTED "+"PRIVATE KEY-----\nMHcCAQEE\n-----END ENCRYPTED "+"PRIVATE KEY-----\n")
	broken := file("broken", "-----BEGIN "+"PRIVATE KEY-----\nMHcCAQEE\n-----END "+"PRIVATE KEY-----\n")
	for name, c := range map[string]struct{ key, want string }{
		"missing":   {filepath.Join(dir, "none"), "no such file"},
		"not PEM":   {file("text", "hello"), "it is not a PEM file"},
		"encrypted": {encrypted, "openssl pkey"},
		"broken":    {broken, "broken: "},
	} {
		if _, _, err := readSigner(c.key, broken); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
