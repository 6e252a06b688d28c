package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// hostile is a provider that no library would be: its answers are written by hand.
type hostile struct {
	*Clients
	cfg   Config
	key   *ecdsa.PrivateKey
	token string            // id token of the next answer
	paths map[string]string // answers by path; else the usual ones
	asked []string
}

func newHostile(t *testing.T) *hostile {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	do(t, err)
	h := &hostile{Clients: NewClients(time.Now), key: key, paths: map[string]string{}}
	server := httptest.NewServer(http.HandlerFunc(h.serve))
	h.cfg = Config{Issuer: server.URL, ClientID: "slipway", Secret: "very-secret"}
	t.Cleanup(func() {
		h.CloseIdle()
		server.Close()
	})
	return h
}

func (h *hostile) serve(w http.ResponseWriter, r *http.Request) {
	h.asked = append(h.asked, r.Method+" "+r.URL.Path)
	answer, set := h.paths[r.URL.Path]
	if where, ok := strings.CutPrefix(answer, "redirect "); ok {
		http.Redirect(w, r, where, http.StatusTemporaryRedirect)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if set {
		io.WriteString(w, answer)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		fmt.Fprintf(w, `{"issuer":%[1]q,"authorization_endpoint":"%[1]s/auth","token_endpoint":"%[1]s/token","jwks_uri":"%[1]s/keys",
			"device_authorization_endpoint":"%[1]s/device","id_token_signing_alg_values_supported":["none","HS256","ES256"]}`, h.cfg.Issuer)
	case "/keys":
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: h.key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	case "/device":
		fmt.Fprintf(w, `{"device_code":"d","user_code":"ABCD","verification_uri":"https://x.example/device","expires_in":300}`)
	case "/token":
		json.NewEncoder(w).Encode(map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": h.token})
	}
}

func (h *hostile) claims(change map[string]any) []byte {
	claims := map[string]any{"iss": h.cfg.Issuer, "aud": "slipway", "sub": "1", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix()}
	for k, v := range change {
		claims[k] = v
	}
	body, _ := json.Marshal(claims)
	return body
}

func (h *hostile) sign(t *testing.T, alg jose.SignatureAlgorithm, key any, change map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	do(t, err)
	object, err := signer.Sign(h.claims(change))
	do(t, err)
	text, err := object.CompactSerialize()
	do(t, err)
	return text
}

func (h *hostile) poll(t *testing.T) (Person, error) {
	t.Helper()
	return h.PollDevice(t.Context(), h.cfg, DeviceCode{Code: "device-code"})
}

func TestForgedTokens(t *testing.T) {
	h := newHostile(t)
	b64 := base64.RawURLEncoding.EncodeToString
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	do(t, err)
	unsigned := b64([]byte(`{"alg":"none"}`)) + "." + b64(h.claims(nil)) + "."
	for name, c := range map[string]struct{ token, words string }{
		"alg none":                 {unsigned, "algorithm"},
		"alg none, with signature": {unsigned + "eA", "algorithm"},
		"HMAC with our secret":     {h.sign(t, jose.HS256, []byte("very-secret-very-secret-very-secret!"), nil), "algorithm"},
		"another key":              {h.sign(t, jose.ES256, other, nil), "signature"},
		"another party":            {h.sign(t, jose.ES256, h.key, map[string]any{"azp": "other"}), "azp"},
		"another audience":         {h.sign(t, jose.ES256, h.key, map[string]any{"aud": []string{"other"}}), "audience"},
		"no audience":              {h.sign(t, jose.ES256, h.key, map[string]any{"aud": nil}), "audience"},
		"no expiry":                {h.sign(t, jose.ES256, h.key, map[string]any{"exp": nil}), "claims"},
		"no subject":               {h.sign(t, jose.ES256, h.key, map[string]any{"sub": ""}), "subject"},
		"subject of two lines":     {h.sign(t, jose.ES256, h.key, map[string]any{"sub": "a\nb"}), "subject"},
		"not yet valid":            {h.sign(t, jose.ES256, h.key, map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}), "not before"},
		"no token":                 {"", "no id token"},
		"nonsense":                 {"a.b.c", "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			h.token = c.token
			_, err := h.poll(t)
			says(t, err, ErrToken, c.words)
		})
	}
	h.token = h.sign(t, jose.ES256, h.key, nil)
	p, err := h.poll(t)
	if err != nil || p.Name != "1" {
		t.Errorf("%+v, %v", p, err)
	}
}

// Answers of any size and kind end in an error, and no secret goes to another place.
func TestHostileAnswers(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s was sent elsewhere", r.Method, r.URL)
	}))
	defer elsewhere.Close()
	deep := strings.Repeat(`{"a":`, 20000) + strings.Repeat("}", 20000)
	for name, answer := range map[string]string{
		"null": "null", "a list": "[]", "nothing": "", "a page": "<html>", "deep": deep, "open": `{"a":`,
		"large":    `{"a":"` + strings.Repeat("x", maxAnswer) + `"}`,
		"redirect": "redirect " + elsewhere.URL, "wrong types": `{"device_code":7,"access_token":[],"keys":"x","issuer":{}}`,
	} {
		for _, path := range []string{"/.well-known/openid-configuration", "/device", "/token", "/keys"} {
			t.Run(name+path, func(t *testing.T) {
				h := newHostile(t)
				h.paths[path] = answer
				h.token = h.sign(t, jose.ES256, h.key, nil)
				_, startErr := h.StartDevice(t.Context(), h.cfg)
				_, err := h.poll(t)
				if path == "/device" {
					err = startErr
				}
				if !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrToken) {
					t.Errorf("err = %v", err)
				} else if name == "large" && !strings.Contains(err.Error(), "larger than 256 KiB") {
					t.Errorf("read whole: %.200q", err)
				} else if len(err.Error()) > 3*maxReason || strings.ContainsAny(err.Error(), "\n\x1b") {
					t.Errorf("long or broken: %q", err)
				}
			})
		}
	}
}

func TestUnusableDeviceAnswers(t *testing.T) {
	h := newHostile(t)
	for name, c := range map[string]string{
		"no code":     `{"user_code":"A","verification_uri":"https://x.example/","expires_in":300}`,
		"no user":     `{"device_code":"d","verification_uri":"https://x.example/","expires_in":300}`,
		"escapes":     `{"device_code":"d","user_code":"A\u001b[2J","verification_uri":"https://x.example/","expires_in":300}`,
		"long":        `{"device_code":"d","user_code":"` + strings.Repeat("A", 99) + `","verification_uri":"https://x.example/","expires_in":300}`,
		"script":      `{"device_code":"d","user_code":"A","verification_uri":"javascript:alert(1)","expires_in":300}`,
		"no expiry":   `{"device_code":"d","user_code":"A","verification_uri":"https://x.example/"}`,
		"over before": `{"device_code":"d","user_code":"A","verification_uri":"https://x.example/","expires_in":-5}`,
		"overflow":    `{"device_code":"d","user_code":"A","verification_uri":"https://x.example/","expires_in":9223372036854775807}`,
	} {
		h.paths["/device"] = c
		if _, err := h.StartDevice(t.Context(), h.cfg); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: err = %v", name, err)
		}
	}
	h.paths["/device"] = `{"device_code":"d","user_code":"A","verification_url":"https://x.example/","verification_uri_complete":"x","expires_in":999999,"interval":999999}`
	d, err := h.StartDevice(t.Context(), h.cfg)
	do(t, err)
	if d.Interval != longestInterval || time.Until(d.ExpiresAt) > longestFlow || d.VerificationURI != "https://x.example/" || d.VerificationURIComplete != "" {
		t.Errorf("%+v", d)
	}
}

// What was discovered is remembered for an hour, and forgotten after a failure.
func TestDiscoveryIsRemembered(t *testing.T) {
	c := &clock{}
	h := newHostile(t)
	h.Clients = NewClients(c.now)
	defer h.CloseIdle()
	discoveries := func(want int) {
		t.Helper()
		n := 0
		for _, a := range h.asked {
			if strings.Contains(a, "well-known") {
				n++
			}
		}
		if n != want {
			t.Errorf("%d discoveries, want %d", n, want)
		}
	}
	start := func() error {
		_, err := h.StartDevice(t.Context(), h.cfg)
		return err
	}
	do(t, start())
	do(t, start())
	discoveries(1)
	c.add(metadataLife)
	do(t, start())
	discoveries(2)
	c.add(-3 * metadataLife)
	do(t, start())
	discoveries(3)
	h.paths["/device"] = "nonsense"
	wants(t, start(), ErrUnavailable)
	delete(h.paths, "/device")
	do(t, start())
	discoveries(4)
	for i := range 3 * maxProviders {
		cfg := h.cfg
		cfg.CAs = testCA(t, i)
		_, err := h.StartDevice(t.Context(), cfg)
		do(t, err)
	}
	if n := len(h.known); n > maxProviders {
		t.Errorf("%d are remembered", n)
	}
}

// Addresses that would carry a secret unprotected are refused.
func TestUnprotectedAddresses(t *testing.T) {
	for _, address := range []string{"http://login.example.com/token", "ftp://x", "", "//x", "file:///etc/passwd"} {
		h := newHostile(t)
		h.paths["/.well-known/openid-configuration"] = fmt.Sprintf(`{"issuer":%[1]q,"token_endpoint":%[2]q,"jwks_uri":"%[1]s/keys","device_authorization_endpoint":"%[1]s/device"}`, h.cfg.Issuer, address)
		_, err := h.StartDevice(t.Context(), h.cfg)
		says(t, err, ErrUnavailable, "token_endpoint")
	}
}

// A provider that takes its time is not waited for longer than the caller wants.
func TestSlowProvider(t *testing.T) {
	free := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-free:
		case <-r.Context().Done():
		}
	}))
	defer slow.Close()
	defer close(free)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	c := NewClients(time.Now)
	defer c.CloseIdle()
	_, err := c.StartDevice(ctx, Config{Issuer: slow.URL, ClientID: "slipway"})
	wants(t, err, ErrUnavailable)
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"device_code":"d","user_code":"A","verification_uri":"https://x.example/","expires_in":300}`), true, 200)
	f.Add([]byte(`null`), true, 200)
	f.Add([]byte(`{"error":"authorization_pending"}`), false, 400)
	f.Add([]byte(`{"access_token":"a","id_token":"a.b.c"}`), false, 200)
	f.Add([]byte("{\"error\":\"\x1b[2J\\n\",\"error_description\":\"\\u202e\"}"), false, 500)
	f.Fuzz(func(t *testing.T, body []byte, device bool, status int) {
		if status < 200 || status > 599 {
			return
		}
		c := NewClients(time.Now)
		cfg := Config{Issuer: "http://127.0.0.1", ClientID: "slipway", Secret: "very-secret"}
		answers := roundTrip(func(r *http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: status, Status: fmt.Sprint(status), Header: http.Header{"Content-Type": {"application/json"}},
				Body: io.NopCloser(strings.NewReader(string(body))), Request: r,
			}, nil
		})
		p := known(cfg, &http.Client{Transport: bounded{answers}, CheckRedirect: stayHome})
		c.known[providerKey{cfg.Issuer, cfg.CAs}] = p
		var err error
		if device {
			var d DeviceCode
			if d, err = c.StartDevice(t.Context(), cfg); err == nil && (!printable(d.UserCode, maxUserCode) || !webAddress(d.VerificationURI) || d.Interval <= 0) {
				t.Errorf("%+v", d)
			}
		} else if _, err = c.PollDevice(t.Context(), cfg, DeviceCode{Code: "d"}); err == nil {
			t.Error("somebody was let in")
		}
		if err != nil && (len(err.Error()) > 5*maxReason || strings.ContainsAny(err.Error(), "\n\r\x1b\u202e")) {
			t.Errorf("%q", err)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
