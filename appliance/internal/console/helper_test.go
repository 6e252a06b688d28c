package console

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"slipway/appliance/internal/audit"
	"slipway/appliance/internal/auth"
	"slipway/appliance/internal/settings"
	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/ui"
)

const password = "quartz-Lantern 88 moss"

// bench is the real console over the real sign-in, without devices.
type bench struct {
	*testing.T
	auth    *auth.Service
	log     *audit.Log
	console *ui.Console
	cookies map[string]string
	csrf    string
}

type (
	noDevices     struct{ ui.Devices }
	noDeployments struct{ ui.Deployments }
	noSequences   struct{ ui.Sequences }
	noDrafts      struct{ ui.Drafts }
	noContent     struct{ ui.Content }
	noCatalogues  struct{ ui.Catalogues }
	noImages      struct{ ui.Images }
	noHealth      struct{}
	noLive        struct{}
)

func (noDevices) List(context.Context) ([]fleet.Device, error)         { return nil, nil }
func (noDeployments) List(context.Context) ([]fleet.Deployment, error) { return nil, nil }
func (noSequences) List(context.Context) ([]fleet.Sequence, error)     { return nil, nil }
func (noImages) List(context.Context) ([]fleet.BootImage, error)       { return nil, nil }
func (noImages) Builds(context.Context) ([]fleet.ImageBuild, error)    { return nil, nil }
func (noHealth) Checks(context.Context) ([]ui.Check, error)            { return nil, nil }
func (noHealth) Version() string                                       { return "test" }
func (noLive) Subscribe(context.Context) <-chan ui.Change              { return nil }

// seal is a keyring that seals nothing but tells purposes apart.
type seal struct{}

func (seal) Seal(plain []byte, purpose string) ([]byte, error) {
	return []byte(purpose + ":" + hex.EncodeToString(plain)), nil
}

func (seal) Open(sealed []byte, purpose string) ([]byte, error) {
	text, ok := strings.CutPrefix(string(sealed), purpose+":")
	if !ok {
		return nil, errors.New("sealed for another purpose")
	}
	return hex.DecodeString(text)
}

func newBench(t *testing.T) *bench {
	t.Helper()
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
	b := &bench{T: t, log: log, cookies: map[string]string{}}
	b.auth, err = auth.New(auth.Options{
		Store: store, Audit: log, Sealer: seal{}, Hash: auth.Params{MemoryKiB: 8, Passes: 1, Threads: 1}, Logger: quiet,
		Resolve: func(context.Context, fleet.Claim, netip.Addr, bool) (fleet.Device, error) {
			return fleet.Device{ID: "d1"}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	backend := ui.Backend{
		Sessions: sessions{b.auth}, Security: security{b.auth, settings.New(store, log)}, Accounts: accounts{b.auth}, Tokens: tokens{b.auth}, Audit: auditLog{log},
		Devices: noDevices{}, Deployments: noDeployments{}, Sequences: noSequences{}, Drafts: noDrafts{}, Content: noContent{}, Catalogues: noCatalogues{}, Images: noImages{}, Health: noHealth{}, Live: noLive{},
	}
	if b.console, err = ui.New(ui.Config{Backend: backend, Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	for name, role := range map[string]fleet.Role{"anna": fleet.RoleAdministrator, "tom": fleet.RoleTechnician} {
		if err := b.auth.AddAccount(t.Context(), auth.Actor{Name: "local"}, name, password, role); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

var tokenField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// ask is a browser without scripts.
func (b *bench) ask(method, path string, form url.Values) *httptest.ResponseRecorder {
	b.Helper()
	if form != nil {
		form.Set("csrf", b.csrf)
	}
	r := httptest.NewRequest(method, "https://slipway.example:8443"+path, strings.NewReader(form.Encode()))
	r.RemoteAddr = "192.0.2.50:50000"
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res := httptest.NewRecorder()
	b.console.ServeHTTP(res, r)
	for _, c := range res.Result().Cookies() {
		b.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	if m := tokenField.FindStringSubmatch(res.Body.String()); m != nil {
		b.csrf = m[1]
	}
	return res
}

func (b *bench) get(path string) *httptest.ResponseRecorder {
	b.Helper()
	return b.ask(http.MethodGet, path, nil)
}

func (b *bench) post(path string, pairs ...string) *httptest.ResponseRecorder {
	b.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return b.ask(http.MethodPost, path, form)
}

func (b *bench) signIn(name string) {
	b.Helper()
	b.get("/login")
	if res := b.post("/login", "name", name, "password", password); res.Code != http.StatusSeeOther {
		b.Fatalf("sign-in as %s: %d", name, res.Code)
	}
	b.get("/me")
}

// wants fails unless the page has that status and those words.
func (b *bench) wants(res *httptest.ResponseRecorder, status int, words ...string) {
	b.Helper()
	if res.Code != status {
		b.Errorf("%d, not %d", res.Code, status)
	}
	for _, w := range words {
		if !strings.Contains(res.Body.String(), w) {
			b.Errorf("the page lacks %q", w)
		}
	}
}
