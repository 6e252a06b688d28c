package session

import (
	"slices"
	"testing"

	"slipway/agent/internal/boot"
	"slipway/agent/internal/network"
)

func TestWithPort(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1:8443", "192.0.2.1:443": "192.0.2.1:443", "slipway.example.org": "slipway.example.org:8443",
		"https://slipway.example.org/": "slipway.example.org:8443", "2001:db8::1": "[2001:db8::1]:8443", "[2001:db8::1]:443": "[2001:db8::1]:443",
		"": "", "a b": "", "host:0": "", "host:99999": "", "host/path": "", ":8443": "", "user@host": "",
	} {
		if got := withPort(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestOrderOfCandidates(t *testing.T) {
	a := leased()
	a.Appliance = "192.0.2.3:8443"
	s := &Session{Network: &nics{list: []network.Adapter{a}}, Args: boot.Args{Server: "192.0.2.2:8443"}, typed: "192.0.2.1",
		Image: boot.Image{Servers: []string{"192.0.2.2", "192.0.2.4:8443"}}}
	var got []string
	for _, c := range s.candidates() {
		got = append(got, c.address+" "+c.from)
	}
	want := []string{"192.0.2.1:8443 typed", "192.0.2.2:8443 boot loader", "192.0.2.3:8443 DHCP", "192.0.2.4:8443 boot image"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
