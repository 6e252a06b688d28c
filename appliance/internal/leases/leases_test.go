package leases

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"slipway/appliance/internal/state"
	"slipway/netboot"
)

const helperVariable = "SLIPWAY_LEASES_HELPER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperVariable); dir != "" {
		give(dir)
	}
	os.Exit(m.Run())
}

func open(dir string) (*state.Store, error) {
	return state.Open(context.Background(), state.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler), SegmentSize: 1 << 20})
}

// give keeps leases without end and prints each that is kept. It ends by SIGKILL.
func give(dir string) {
	s, err := open(dir)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	b := New(s, slog.New(slog.DiscardHandler))
	for a := netip.MustParseAddr("10.0.0.1"); ; a = a.Next() {
		if err := b.Save(context.Background(), lease(a)); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println(a)
	}
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func lease(a netip.Addr) netboot.Lease {
	return netboot.Lease{Address: a, Client: "id:" + a.String(), MAC: "52:54:00:00:00:01", Host: "pc", Given: start, Expires: start.Add(time.Hour), Declined: a.As4()[3]%2 == 0}
}

// Every lease that a client was told of is there after a SIGKILL at any moment.
func TestLeasesSurviveSIGKILL(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), helperVariable+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var told []netip.Addr
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "error") {
			t.Fatal(lines.Text())
		}
		if a, err := netip.ParseAddr(lines.Text()); err == nil {
			told = append(told, a)
		}
		if len(told) == 40 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // killed
	s, err := open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	kept, err := New(s, slog.New(slog.DiscardHandler)).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byAddress := map[netip.Addr]netboot.Lease{}
	for _, l := range kept {
		byAddress[l.Address] = l
	}
	for _, a := range told {
		if byAddress[a] != lease(a) {
			t.Errorf("%s was acknowledged; kept is %+v", a, byAddress[a])
		}
	}
}

func TestForget(t *testing.T) {
	s, err := open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := New(s, slog.New(slog.DiscardHandler))
	one, two := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	for _, a := range []netip.Addr{one, two, two} {
		if err := b.Save(t.Context(), lease(a)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Update(t.Context(), func(tx *state.Tx) error { return tx.Leases().Put(state.Lease{Address: "nonsense"}) }); err != nil {
		t.Fatal(err)
	}
	if err := b.Forget(t.Context(), []netip.Addr{one, one.Prev()}); err != nil {
		t.Fatal(err)
	}
	if kept, err := b.Load(t.Context()); err != nil || len(kept) != 1 || kept[0] != lease(two) {
		t.Errorf("%+v, %v", kept, err)
	}
}
