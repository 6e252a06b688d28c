package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Settings for another DHCP server that do not follow boot.uefi say so.
func TestDHCPOptionsSayWhatTheyGive(t *testing.T) {
	for way, told := range map[string]bool{"ipxe": false, "shim": true, "one-file": true} {
		dir := t.TempDir()
		r := &running{t: t, config: filepath.Join(dir, "slipway.yaml")}
		if err := os.WriteFile(r.config, []byte("boot: {uefi: "+way+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, text := r.cli("", "dhcp-options", "--server", "kea", "--address", "192.0.2.1")
		if code != 0 || !strings.Contains(out, "192.0.2.1") || strings.Contains(text, "boot.uefi is "+way) != told {
			t.Errorf("%s: %d %q", way, code, text)
		}
	}
}
