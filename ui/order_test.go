package ui

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

// TestPauseAndContinue: the page offers what can be done, and does it.
func TestPauseAndContinue(t *testing.T) {
	f := newFake(time.Now)
	f.furnish()
	f.addAccount("technician", "correct horse", fleet.RoleTechnician)
	v := signedIn(t, newConsole(t, f), fleet.RoleTechnician)
	for _, step := range []struct{ order, next string }{{"pause", `value="continue"`}, {"continue", `value="pause"`}} {
		v.get("/deployments/run1")
		if res := v.post("/deployments/run1/order", map[string]string{"order": step.order}); res.Code != http.StatusSeeOther {
			t.Fatalf("%s: %d", step.order, res.Code)
		}
		if got := f.deployments["run1"].Order; got != step.order {
			t.Errorf("the order is %q, not %q", got, step.order)
		}
		if body := v.get("/deployments/run1").Body.String(); !strings.Contains(body, step.next) {
			t.Errorf("after %s the page does not offer %s", step.order, step.next)
		}
	}
	if res := v.post("/deployments/bad1/order", map[string]string{"order": "pause"}); res.Code != http.StatusConflict {
		t.Errorf("pausing what has ended: %d", res.Code)
	}
}
