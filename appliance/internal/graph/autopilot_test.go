package graph

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/appliance/internal/graph/graphtest"
)

func TestADeviceIsRegistered(t *testing.T) {
	b, s := connected(t)
	h := Hardware{Serial: "5CD-1'2 3", Hash: hash("a"), GroupTag: "Kiosk", User: "ada@contoso.example"}
	if got := b.register(t, "dep", h, 9); got != "importing assigning assigning assigned" {
		t.Errorf("it went: %s", got)
	}
	imports, devices := s.Imports(), s.Devices()
	if len(imports) != 1 || imports[0].Serial != h.Serial || imports[0].Hash != h.Hash || imports[0].GroupTag != "Kiosk" || imports[0].User != h.User || len(devices) != 1 {
		t.Errorf("%+v, %+v", imports, devices)
	}
	var tokens int
	for _, c := range s.Calls() {
		if strings.Contains(c, "/token") {
			tokens++
		}
		if strings.Contains(c, "update") {
			t.Errorf("what the import said was said again: %s", c)
		}
	}
	if tokens != 1 {
		t.Errorf("%d tokens were asked for", tokens)
	}
	if told := b.trail.told(); !strings.Contains(told, "autopilot.imported 5CD-1'2 3 ok Kiosk\nautopilot.registered 5CD-1'2 3 ok") {
		t.Errorf("the audit log:\n%s", told)
	}
	if got := b.register(t, "dep", h, 1); got != "assigned" { // asked again after an answer that was lost
		t.Errorf("asked again: %s", got)
	}
}

func TestARegisteredDeviceGetsItsGroupTag(t *testing.T) {
	b, s := connected(t)
	s.Add([]graphtest.Device{{ID: "d1", Serial: "ABC-10"}, {ID: "d2", Serial: "ABC-100"}, {ID: "d3", Serial: "XABC-1"}, {ID: "d4", Serial: "abc-1", GroupTag: "Old"}}, nil)
	if got := b.register(t, "dep", Hardware{Serial: "ABC-1", Hash: hash("a"), GroupTag: "New", User: "ada@contoso.example"}, 9); got != "assigning assigned" {
		t.Errorf("it went: %s", got)
	}
	if d := s.Devices()[3]; d.GroupTag != "New" || d.User != "ada@contoso.example" || len(s.Imports()) != 0 {
		t.Errorf("%+v, imports %+v", d, s.Imports())
	}
	if got := b.register(t, "dep-2", Hardware{Serial: "ABC-1", Hash: hash("a")}, 9); got != "assigned" || s.Devices()[3].GroupTag != "New" {
		t.Errorf("without a group tag: %s, %+v", got, s.Devices()[3])
	}
}

func TestAnImportIsFoundAgainAfterARestart(t *testing.T) {
	b, s := connected(t)
	h := Hardware{Serial: "S-5", Hash: hash("a"), GroupTag: "T"}
	old := graphtest.Import{ID: "i0", Serial: "S-5", Done: true, ErrorCode: 1, ErrorName: "Old"} // says nothing of today
	s.Add(nil, []graphtest.Import{old, {ID: "i1", Serial: "S-1"}, {ID: "i2", Serial: "S-2"}, {ID: "i3", Serial: "S-3"}})
	s.ImportTakes = 1
	if got := b.register(t, "dep", h, 1); got != "importing" || len(s.Imports()) != 5 {
		t.Errorf("it went: %s, %d imports", got, len(s.Imports()))
	}
	s.ImportTakes = 2 // so that it is on its way still
	b.Service = New(b.Options)
	if got := b.register(t, "dep", h, 9); got != "importing assigning assigning assigned" || len(s.Imports()) != 5 {
		t.Errorf("after a restart: %s, %d imports", got, len(s.Imports()))
	}
}

func TestDevicesThatCannotBeRegistered(t *testing.T) {
	b, s := connected(t)
	s.ImportTakes = 0
	try := func(key string, h Hardware) error {
		_, err := b.Register(t.Context(), key, "dev-1", h)
		return err
	}
	err := try("a", Hardware{Serial: "FOREIGN-1", Hash: hash("a")})
	if !errors.Is(err, ErrAutopilot) || !strings.Contains(err.Error(), "808 ZtdDeviceAssignedToOtherTenant: the device belongs to another organisation") {
		t.Errorf("a device of another tenant: %v", err)
	}
	s.Add([]graphtest.Device{{ID: "d1", Serial: "TWICE"}, {ID: "d2", Serial: "TWICE"}, {ID: "d3", Serial: "BAD", Status: "failed"}}, nil)
	wants(t, try("b", Hardware{Serial: "TWICE", Hash: hash("a")}), ErrAutopilot)
	wants(t, try("c", Hardware{Serial: "BAD", Hash: hash("a")}), ErrAutopilot)
	if !strings.Contains(b.trail.told(), "autopilot.failed FOREIGN-1 error") {
		t.Errorf("the audit log:\n%s", b.trail.told())
	}
	for field, h := range map[string]Hardware{
		"serialNumber": {Hash: hash("a")},
		"hardwareHash": {Serial: "x", Hash: "not base64!"},
		"groupTag":     {Serial: "x", Hash: hash("a"), GroupTag: "a\nb"},
		"assignedUser": {Serial: "x", Hash: hash("a"), User: "ada"},
	} {
		var e *InvalidError
		if err := try("d", h); !errors.As(err, &e) || e.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	var e *InvalidError
	if err := try("c", Hardware{Serial: "ANOTHER", Hash: hash("b")}); !errors.As(err, &e) {
		t.Errorf("a second device of one deployment: %v", err)
	}
	s.Roles = nil
	wants(t, try("e", Hardware{Serial: "NEW", Hash: hash("a")}), ErrDenied)
	wants(t, func() error {
		_, err := newBench(t).Register(t.Context(), "f", "", Hardware{Serial: "x", Hash: hash("a")})
		return err
	}(), ErrNotSet)
}

func TestThrottlingAndTrouble(t *testing.T) {
	b, s := connected(t)
	h := Hardware{Serial: "S-1", Hash: hash("a")}
	ask := func() Registration {
		t.Helper()
		r, err := b.Register(t.Context(), "dep", "dev-1", h)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	s.Fail(graphtest.Failure{Path: "Identities", Status: 429, RetryAfter: "77"})
	if r := ask(); r.State != Importing || r.Wait != 77*time.Second || !strings.Contains(r.Detail, "77") {
		t.Errorf("throttled for long: %+v", r)
	}
	s.Calls()
	s.Fail(graphtest.Failure{Path: "token", Status: 429, RetryAfter: "90"})
	b.client.tokens.forget()
	if r := ask(); r.Wait != 90*time.Second || len(s.Calls()) != 1 {
		t.Errorf("throttled at the sign-in: %+v", r)
	}
	s.Fail(graphtest.Failure{Path: "windowsAutopilot", Status: 429, RetryAfter: "1"}, graphtest.Failure{Path: "importedWindowsAutopilotDeviceIdentities", Status: 503})
	started := time.Now()
	if r := ask(); r.State != Importing || time.Since(started) < time.Second || len(s.Imports()) != 1 {
		t.Errorf("throttled for a second: %+v after %s", r, time.Since(started))
	}
	s.Revoke()
	s.Fail(graphtest.Failure{Path: "importedWindowsAutopilotDeviceIdentities/", Status: 504, Body: "<html>gateway</html>"})
	if got := b.register(t, "dep", h, 9); !strings.HasSuffix(got, "assigned") || len(s.Imports()) != 1 {
		t.Errorf("after trouble: %s, %d imports", got, len(s.Imports()))
	}
}

// A hash that was sent, and whose answer got lost, is not handed in again.
func TestAHashIsHandedInOnce(t *testing.T) {
	b, s := connected(t)
	s.ImportTakes = 100
	h := Hardware{Serial: "S-1", Hash: hash("a")}
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if r, err := b.Register(t.Context(), "dep", "dev-1", h); err != nil || r.State != Importing {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	wg.Wait()
	if n := len(s.Imports()); n != 1 {
		t.Errorf("%d imports", n)
	}
}

// A list's next page at another address would give our token away.
func TestTheTokenStaysHome(t *testing.T) {
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the token was sent elsewhere") }))
	defer thief.Close()
	b, s := connected(t)
	s.Fail(graphtest.Failure{Path: "windowsAutopilot", Status: 200, Body: `{"value":[],"@odata.nextLink":"` + thief.URL + `/next"}`})
	if r, err := b.Register(t.Context(), "dep", "dev-1", Hardware{Serial: "S-1", Hash: hash("a")}); err != nil || !strings.Contains(r.Detail, "another address") {
		t.Errorf("%+v, %v", r, err)
	}
	s.Fail(graphtest.Failure{Path: "windowsAutopilot", Status: 307})
	if _, err := b.Register(t.Context(), "dep2", "dev-1", Hardware{Serial: "S-2", Hash: hash("a")}); err == nil {
		t.Error("a redirect was followed")
	}
}
