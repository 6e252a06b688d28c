package oidc

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/appliance/internal/oidc/oidctest"
)

// clock is the real one, moved by tests: the provider under test has no other.
type clock struct {
	mu  sync.Mutex
	off time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.off)
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off += d
}

// bench is a provider, and clients that use it.
type bench struct {
	*Clients
	op    *oidctest.Provider
	cfg   Config
	clock *clock
}

const redirect = "https://console.example.test:8443/sign-in/callback"

func newBench(t *testing.T, o oidctest.Options) *bench {
	t.Helper()
	o.Interval = max(o.Interval, time.Second)
	o.Clients = []oidctest.Client{
		{ID: "slipway", Redirects: []string{redirect}},
		{ID: "slipway-secret", Secret: "s3cret+/ %", Redirects: []string{redirect}},
	}
	before := runtime.NumGoroutine()
	op, err := oidctest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{op: op, clock: &clock{}, cfg: Config{Issuer: op.Issuer, ClientID: "slipway", CAs: op.CA()}}
	b.Clients = NewClients(b.clock.now)
	t.Cleanup(func() {
		b.CloseIdle()
		if err := op.Close(); err != nil {
			t.Error(err)
		}
		noneLeft(t, before)
	})
	return b
}

// noneLeft fails when goroutines stay behind.
func noneLeft(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("goroutines are left over:\n%s", stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func (b *bench) start(t *testing.T) DeviceCode {
	t.Helper()
	d, err := b.StartDevice(t.Context(), b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// poll polls as if the interval had gone by.
func (b *bench) poll(t *testing.T, d DeviceCode) (Person, error) {
	t.Helper()
	b.op.Rest()
	return b.PollDevice(t.Context(), b.cfg, d)
}

// approved starts a flow that a person said yes to.
func (b *bench) approved(t *testing.T, user string) DeviceCode {
	t.Helper()
	d := b.start(t)
	do(t, b.op.Approve(d.UserCode, user))
	return d
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("err = %v, want %v", err, want)
	}
}

// says asserts an error with these words in it.
func says(t *testing.T, err, want error, words string) {
	t.Helper()
	if !errors.Is(err, want) || !strings.Contains(err.Error(), words) {
		t.Fatalf("err = %v, want %v with %q", err, want, words)
	}
}
