package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"slipway/appliance/internal/audit"
	"slipway/appliance/internal/auth"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

type noSealer struct{}

func (noSealer) Seal([]byte, string) ([]byte, error) { return nil, nil }
func (noSealer) Open([]byte, string) ([]byte, error) { return nil, nil }

// TestDaysOfATokenDoNotWrapAround: as a duration these are some minutes, or a year.
func TestDaysOfATokenDoNotWrapAround(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	store, err := state.Open(t.Context(), state.Options{Dir: t.TempDir(), Logger: quiet, SegmentSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	log, err := audit.Open(t.TempDir(), audit.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	service, err := auth.New(auth.Options{Store: store, Audit: log, Sealer: noSealer{}, Logger: quiet,
		Resolve: func(context.Context, fleet.Claim, netip.Addr, bool) (fleet.Device, error) { return fleet.Device{}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Options{Services: Services{Auth: service, Audit: log}, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(a.LocalHandler())
	t.Cleanup(s.Close)
	for _, days := range []int64{-1, 367, 213504, 213504 * 2, -213503} {
		resp, err := http.Post(s.URL+"/api/v1/admin/tokens", "application/json", strings.NewReader(fmt.Sprintf(`{"name":"n%d","role":"viewer","days":%d}`, days*days, days)))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%d days: %d", days, resp.StatusCode)
		}
	}
}
