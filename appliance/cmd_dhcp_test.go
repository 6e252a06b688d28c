package main

import (
	"encoding/json"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"slipway/appliance/internal/dhcpoptions"
)

// TestDHCPOptionsOfTheConfiguration: addresses and ports are those of the configuration,
// and an address that devices cannot reach is refused.
func TestDHCPOptionsOfTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	r := &running{t: t, config: filepath.Join(dir, "slipway.yaml")}
	config := func(more string) {
		put(t, r.config, []byte("data: "+filepath.Join(dir, "data")+"\nhttp: {listen: ':8081'}\nhttps: {listen: ':8444'}\n"+more), 0o600)
	}
	config("advertise: 198.51.100.7\n")
	for _, tt := range []struct{ args, address string }{{"", "198.51.100.7"}, {"--address 192.0.2.1", "192.0.2.1"}} {
		for _, server := range dhcpoptions.Servers() {
			want, err := dhcpoptions.Write(server, dhcpoptions.Values{Address: netip.MustParseAddr(tt.address), HTTPPort: 8081, APIPort: 8444})
			if err != nil {
				t.Fatal(err)
			}
			args := append([]string{"dhcp-options", "--server", server}, strings.Fields(tt.args)...)
			if out := r.must("", args...); out != want {
				t.Errorf("%s %s: %s", server, tt.args, out)
			}
			var got struct{ Server, Address, Settings string }
			if err := json.Unmarshal([]byte(r.must("", append(args, "--json")...)), &got); err != nil || got.Server != server || got.Address != tt.address || got.Settings != want {
				t.Errorf("%+v, %v", got, err)
			}
		}
	}
	for _, address := range []string{"2001:db8::1", "0.0.0.0", "224.0.0.1", "appliance"} {
		if code, _, errs := r.cli("", "dhcp-options", "--server", "isc", "--address", address); code != exitUsage || !strings.Contains(errs, "is not an IPv4 address that devices can reach") {
			t.Errorf("%s: exit %d, %q", address, code, errs)
		}
	}
	for _, served := range []string{"lo", "slipway-none"} { // of another machine, or not to be reached
		config("interfaces: [" + served + "]\n")
		if code, _, errs := r.cli("", "dhcp-options", "--server", "isc"); code != 1 || !strings.Contains(errs, "no IPv4 address on a served interface") {
			t.Errorf("%s: exit %d, %q", served, code, errs)
		}
	}
}
