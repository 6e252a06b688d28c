package ui

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"slipway/fleet"
)

// TestBudgets: scripts and styles of a page are at most 60 kB compressed, and a
// list of 5,000 devices is answered within its budget. The time is asked for
// generously (ten times 100 ms): a busy test machine must not fail it, a scan
// that grew quadratic must.
func TestBudgets(t *testing.T) {
	f := newFake(time.Now)
	f.addAccount("viewer", "correct horse", fleet.RoleViewer)
	for i := range 5000 {
		id := fmt.Sprintf("x%04d", i)
		f.devices[id] = fleet.Device{ID: id, Name: "PC-" + id, Manufacturer: "Dell Inc.", Model: "OptiPlex", MACs: []string{fmt.Sprintf("52:54:00:00:%02x:%02x", i/256, i%256)}, LastSeen: f.now()}
		f.deployments[id] = fleet.Deployment{ID: id, DeviceID: id, Status: fleet.DeploymentSucceeded, StartedAt: f.now()}
	}
	c := newConsole(t, f)
	v := signedIn(t, c, fleet.RoleViewer)
	best := time.Hour
	for range 5 {
		began := time.Now()
		if res := v.get("/devices?q=optiplex&sort=-seen"); res.Code != http.StatusOK {
			t.Fatal(res.Code)
		}
		best = min(best, time.Since(began))
	}
	t.Logf("5,000 devices: %s", best)
	if best > time.Second {
		t.Errorf("a page of 5,000 devices took %s at best", best)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	for _, name := range c.assets.Names() {
		res := httptest.NewRecorder()
		c.ServeHTTP(res, httptest.NewRequest(http.MethodGet, c.assets.URL(name), nil))
		if _, err := z.Write(res.Body.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("all assets: %d bytes compressed", packed.Len())
	if packed.Len() > 60_000 {
		t.Errorf("%d bytes of scripts and styles", packed.Len())
	}
}
