package bootimages

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecretsAreRefused(t *testing.T) {
	pem := "-----BEGIN RSA " + "PRIVATE KEY-----\nabc\n"
	utf16 := strings.Join(strings.Split("-----BEGIN "+"PRIVATE KEY-----", ""), "\x00") + "\x00"
	for name, c := range map[string]struct {
		file, content string
		secret        bool
	}{
		"key by name":        {"etc/tls/server.key", "x", true},
		"upper case":         {"SERVER.KEY", "x", true},
		"ssh key":            {"root/.ssh/id_ed25519", "x", true},
		"ssh public key":     {"root/.ssh/id_ed25519.pub", "ssh-ed25519 AAAA", false},
		"host key":           {"etc/ssh/ssh_host_rsa_key", "x", true},
		"shadow":             {"etc/shadow", "root:x", true},
		"pem by content":     {"etc/data.txt", "text\n" + pem, true},
		"pem late in a file": {"etc/long.txt", strings.Repeat("x", 500_000) + pem, true},
		"UTF-16":             {"notes.txt", utf16, true},
		"github token":       {"script.sh", "curl -H 'Authorization: ghp_" + strings.Repeat("a", 36) + "'", true},
		"aws key":            {"config", "AKIA" + "ABCDEFGHIJKLMNOP", true},
		"jwt":                {"token.txt", "eyJhbGciOiJIUzI1" + ".eyJzdWIiOiIxMjM0" + ".abcdefghijklmnop", true},
		"certificate":        {"etc/ca.pem", goldenCA, false},
		"firmware":           {"rtl_nic/rtl8168h-2.fw", "\x00\x01blob", false},
		"talks of keys":      {"README", "put your PRIVATE KEY elsewhere", false},
	} {
		t.Run(name, func(t *testing.T) {
			b, o := small(t)
			dir := t.TempDir()
			path := filepath.Join(dir, c.file)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(c.content), 0o644)); err != nil {
				t.Fatal(err)
			}
			for _, set := range []func(*Options){func(o *Options) { o.Overlay = dir }, func(o *Options) { o.Firmware = dir }} {
				changed := o
				set(&changed)
				_, err := b.BuildLinux(t.Context(), changed, quiet)
				var secret *SecretError
				if errors.As(err, &secret) != c.secret {
					t.Fatalf("got %v", err)
				}
				if c.secret && (!strings.Contains(err.Error(), c.file) || strings.Contains(err.Error(), "abc\n")) {
					t.Errorf("the message must name the file and not show the secret: %v", err)
				}
				changed.AllowSecrets = true
				if _, err := b.BuildLinux(t.Context(), changed, quiet); err != nil {
					t.Errorf("told to: %v", err)
				}
			}
		})
	}
}
