package dhcpoptions

import (
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var values = Values{Address: netip.MustParseAddr("192.0.2.10"), HTTPPort: 8080, APIPort: 8443}

// The settings for each server, as they were run (lab/boottest, TestForeignDHCP); those for
// Windows are only compared.
func TestSettings(t *testing.T) {
	for _, server := range Servers() {
		got, err := Write(server, values)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", server+".txt")
		if *update {
			if err := os.MkdirAll("testdata", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs from its golden file:\n%s", server, got)
		}
		for _, text := range []string{"192.0.2.10", "undionly.kpxe", "snponly.efi", "snponly-arm64.efi", "http://192.0.2.10:8080/boot/loaders/snponly.efi",
			"http://192.0.2.10:8080/boot/script/${netX/mac:hexraw}?uuid=${uuid}&arch=x64&fw=uefi", "SlipwayAgent", "HTTPClient"} {
			if !strings.Contains(got, text) {
				t.Errorf("%s: nothing of %s", server, text)
			}
		}
	}
	if _, err := Write("bootpd", values); err == nil || !strings.Contains(err.Error(), "isc, kea, dnsmasq, windows") {
		t.Error(err)
	}
}

func TestKeaIsJSON(t *testing.T) {
	got, err := Write("kea", values)
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(got, "\n")
	var out map[string][]struct{ Name, Test string }
	if err := json.Unmarshal([]byte("{"+body+"}"), &out); err != nil || len(out["client-classes"]) != 12 {
		t.Errorf("%v, %v", out, err)
	}
}

// The `file` header holds 127 bytes, and iPXE's own variables stay as they are.
func TestBootFilesFitTheHeader(t *testing.T) {
	for _, c := range (Values{Address: netip.MustParseAddr("255.255.255.255"), HTTPPort: 65535}).choices() {
		if len(c.Loader) > 127 || len(c.Script) > 127 {
			t.Errorf("%s: %d and %d bytes", c.Name, len(c.Loader), len(c.Script))
		}
	}
}
