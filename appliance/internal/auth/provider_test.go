package auth

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"slipway/appliance/internal/oidc/oidctest"
)

const callback = "https://slipway.example:8443" + consoleCallback

// providerBench is a service and a real OpenID provider.
type providerBench struct {
	*bench
	op *oidctest.Provider
}

// newProviderBench starts both. The clock begins now: the provider has no other.
func newProviderBench(t *testing.T) *providerBench {
	t.Helper()
	before := runtime.NumGoroutine()
	op, err := oidctest.Start(oidctest.Options{
		TLS: true,
		Clients: []oidctest.Client{
			{ID: "slipway", Redirects: []string{callback}},
			{ID: "slipway-secret", Secret: "s3cret-of-ours", Redirects: []string{callback}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var b *providerBench
	t.Cleanup(func() {
		b.providers.CloseIdle()
		if err := op.Close(); err != nil {
			t.Error(err)
		}
		for deadline := time.Now().Add(30 * time.Second); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<16)
				t.Fatalf("goroutines are left over:\n%s", stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
	b = &providerBench{newBench(t), op}
	b.clock.t = time.Now()
	return b
}

// entraOn switches Entra ID on for people with the role Deploy.
func (b *providerBench) entraOn(t *testing.T) {
	t.Helper()
	b.set(t, map[string]string{
		"entra": "on", "entra.issuer": b.op.Issuer, "entra.client_id": "slipway", "entra.ca": b.op.CA(), "entra.roles": "Admin, Deploy",
	})
}

// wait lets time go by, for the provider as well.
func (b *providerBench) wait(d time.Duration) {
	b.clock.add(d)
	b.op.Rest()
}

// faulty makes the provider issue tokens that nobody should accept.
func (b *providerBench) faulty(t *testing.T, f oidctest.Faults) {
	t.Helper()
	if err := b.op.SetFaults(f); err != nil {
		t.Fatal(err)
	}
}

// device is a caller with a key of its own.
func device(addr, key string) Caller {
	c := from(addr)
	c.Binding = strings.Repeat(key, 64)
	return c
}

// count is how many audit entries begin like this.
func (a *trail) count(prefix string) (n int) {
	for _, e := range a.actions() {
		if strings.HasPrefix(e, prefix) {
			n++
		}
	}
	return n
}
