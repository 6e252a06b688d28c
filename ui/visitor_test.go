package ui

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func newConsole(t *testing.T, f *fake) *Console {
	t.Helper()
	c, err := New(Config{Backend: f.backend(), Now: f.now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// visitor is a browser without scripts: it keeps cookies and reads form tokens.
type visitor struct {
	t       *testing.T
	c       *Console
	cookies map[string]string
	csrf    string
	headers map[string]string // added to each request
}

// ask sends a request; fields become a form body.
func (v *visitor) ask(method, target string, fields map[string]string) *httptest.ResponseRecorder {
	v.t.Helper()
	form := url.Values{}
	for name, value := range fields {
		form.Set(name, value)
	}
	return v.askValues(method, target, form)
}

// askValues is ask with fields that may stand more than once.
func (v *visitor) askValues(method, target string, form url.Values) *httptest.ResponseRecorder {
	v.t.Helper()
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, "https://slipway.test"+target, body)
	if body != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return v.send(r)
}

func (v *visitor) send(r *http.Request) *httptest.ResponseRecorder {
	r.RemoteAddr = "192.0.2.10:50000"
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for name, value := range v.headers {
		r.Header.Set(name, value)
	}
	res := httptest.NewRecorder()
	v.c.ServeHTTP(res, r)
	if v.cookies == nil {
		v.cookies = map[string]string{}
	}
	for _, c := range res.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		} else {
			v.cookies[c.Name] = c.Value
		}
	}
	return res
}

var tokenField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// get opens a page and remembers its form token.
func (v *visitor) get(target string) *httptest.ResponseRecorder {
	v.t.Helper()
	res := v.ask(http.MethodGet, target, nil)
	if m := tokenField.FindStringSubmatch(res.Body.String()); m != nil {
		v.csrf = m[1]
	}
	return res
}

// post sends a form with the token of the page opened last.
func (v *visitor) post(target string, fields map[string]string) *httptest.ResponseRecorder {
	v.t.Helper()
	all := map[string]string{"csrf": v.csrf}
	for name, value := range fields {
		all[name] = value
	}
	return v.ask(http.MethodPost, target, all)
}

func (v *visitor) signIn(name, password string) {
	v.t.Helper()
	v.get("/login")
	if res := v.post("/login", map[string]string{"name": name, "password": password}); res.Code != http.StatusSeeOther {
		v.t.Fatalf("signing in as %s: %d", name, res.Code)
	}
	v.get("/me")
}
