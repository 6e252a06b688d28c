package pki

import (
	"crypto/tls"
	"slices"
	"testing"
	"time"
)

// leafOf is the certificate the server shows now.
func leafOf(t *testing.T, a *Authority) *tls.Certificate {
	t.Helper()
	cert, err := a.certificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestLeafRenewsItself(t *testing.T) {
	c := at("2026-11-21")
	a := ensure(t, newStore(t), c)
	a.TLSConfig()
	first := leafOf(t, a)
	if life := first.Leaf.NotAfter.Sub(first.Leaf.NotBefore); life > 90*24*time.Hour {
		t.Errorf("valid for %v", life)
	}
	if back := c.now().Sub(first.Leaf.NotBefore); back < 24*time.Hour {
		t.Errorf("backdated by %v only", back)
	}
	c.set("2026-12-21")
	if leafOf(t, a) != first {
		t.Error("renewed after a month already")
	}
	c.set("2027-01-20")
	second := leafOf(t, a)
	if second == first {
		t.Fatal("not renewed a month before its end")
	}
	if left := first.Leaf.NotAfter.Sub(c.now()); left < 20*24*time.Hour {
		t.Errorf("renewed only %v before the end", left)
	}
}

// The clock was wrong at first start or is at a later one; devices take their
// time from the appliance, so both sides share it, and it may be corrected later.
func TestClockFarOff(t *testing.T) {
	times := []string{"1970-01-01", "1980-01-01", "2026-11-21", "2038-02-01", "2045-06-01"}
	for _, first := range times {
		c := at(first)
		a := ensure(t, newStore(t), c)
		config := a.TLSConfig()
		for _, later := range append(slices.Clone(times), "1980-01-01", "2026-11-21", "1970-01-01") {
			c.set(later)
			c.t = c.t.Add(12 * time.Hour)
			s := handshake(t, config, &tls.Config{RootCAs: a.Pool(), ServerName: a.ServerName(), Time: c.now})
			if s.err != nil {
				t.Errorf("first start at %s, now %s: %v", first, later, s.err)
			}
		}
	}
}

// A device that connects for the first time has no clock: it checks chain and
// name at the certificate's own time, and all of it after setting its clock.
func TestDeviceSlightlyBehind(t *testing.T) {
	c := at("2026-11-21")
	a := ensure(t, newStore(t), c)
	config := a.TLSConfig()
	behind := func() time.Time { return c.now().Add(-6 * 24 * time.Hour) }
	if s := handshake(t, config, &tls.Config{RootCAs: a.Pool(), ServerName: a.ServerName(), Time: behind}); s.err != nil {
		t.Error(s.err)
	}
}
