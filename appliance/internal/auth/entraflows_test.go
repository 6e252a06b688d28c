package auth

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"slipway/appliance/internal/oidc"
	"slipway/fleet"
)

func TestFlowsAreBounded(t *testing.T) {
	now := time.Now()
	fs := newFlows()
	n := 0
	add := func(addr, seg, binding string) *flow {
		n++
		f := &flow{key: fmt.Sprint(n), addr: addr, seg: seg, binding: binding, started: now.Add(time.Duration(n)), code: oidc.DeviceCode{ExpiresAt: now.Add(time.Hour)}}
		fs.add(f)
		return f
	}
	own := add("192.0.2.1", "seg:192.0.2.0/24", "k1")
	other := add("192.0.2.1", "seg:192.0.2.0/24", "k1")
	if fs.byKey[own.key] != nil || fs.byKey[other.key] == nil {
		t.Error("a device that begins anew has two flows, or none")
	}
	for range 3 * maxFlowsPerAddress {
		add("198.51.100.1", "seg:198.51.100.0/24", "")
	}
	if len(fs.byKey) != maxFlowsPerAddress+1 {
		t.Errorf("%d flows of one address", len(fs.byKey)-1)
	}
	// One network that floods does not push out others.
	for i := range 3 * maxFlows {
		add(fmt.Sprintf("203.0.113.%d", i), "seg:203.0.113.0/24", fmt.Sprint("flood", i))
	}
	if len(fs.byKey) != maxFlows || fs.byKey[other.key] == nil {
		t.Errorf("%d flows; the one of another network is there: %v", len(fs.byKey), fs.byKey[other.key] != nil)
	}
	late := add("192.0.2.2", "seg:192.0.2.0/24", "k2")
	if fs.byKey[other.key] == nil || fs.byKey[late.key] == nil {
		t.Error("a small network lost a flow to a large one")
	}
	fs.prune(now.Add(2 * time.Hour))
	if len(fs.byKey) != 0 {
		t.Errorf("%d are kept", len(fs.byKey))
	}
}

func TestStartsAreBounded(t *testing.T) {
	now := time.Now()
	st := newStarts()
	blocked := func(addr string) string {
		if e := st.begin(newSubject(from(addr), fleet.Claim{}), now); e != nil {
			return e.Scope
		}
		return ""
	}
	// A network of 254 addresses uses up its own share only.
	scope := ""
	for i := range 1000 {
		if scope = blocked(fmt.Sprintf("192.0.2.%d", i%254)); scope != "" {
			break
		}
	}
	if scope != "segment" {
		t.Errorf("scope %q", scope)
	}
	if s := blocked("198.51.100.1"); s != "" {
		t.Errorf("another network is held up: %s", s)
	}
	// Two IPv6 hosts of one link are two.
	for range int(startRates[0].burst) {
		blocked("2001:db8::1")
	}
	if a, b := blocked("2001:db8::1"), blocked("2001:db8::2"); a != "address" || b != "" {
		t.Errorf("%q, %q", a, b)
	}
	for i := range 2 * maxStartBuckets {
		now = now.Add(time.Second)
		blocked(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String())
	}
	if len(st.buckets) > maxStartBuckets+2 {
		t.Errorf("%d buckets", len(st.buckets))
	}
	st.prune(now.Add(24 * time.Hour))
	if len(st.buckets) != 0 {
		t.Errorf("%d buckets are kept", len(st.buckets))
	}
}
