package graph

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"unicode"
)

// What a service, or something in its place, answers ends as one bounded line.
func FuzzRefusals(f *testing.F) {
	f.Add(403, "", []byte(`{"error":{"code":"Forbidden","message":"{\"Message\":\"no\"}"}}`))
	f.Add(429, "7", []byte("<html>"))
	f.Add(503, "Sun, 29 Nov 2026 16:00:00 GMT", []byte("{}"))
	f.Fuzz(func(t *testing.T, status int, after string, body []byte) {
		err := refusal(&http.Response{StatusCode: status, Header: http.Header{"Retry-After": {after}}}, body)
		var throttled *ThrottledError
		if errors.As(err, &throttled) && (throttled.After < 0 || throttled.After > longestAsk) {
			t.Errorf("a wait of %s", throttled.After)
		}
		if text := sentence(err); len([]rune(text)) > 3*maxReason || strings.ContainsFunc(text, unicode.IsControl) {
			t.Errorf("%q", text)
		}
	})
}

// What is taken for a certificate with its key gives the same again.
func FuzzPair(f *testing.F) {
	f.Add("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		certificate, key, err := pair(text)
		if err != nil {
			return
		}
		if c, k, err := pair(certificate + key); err != nil || c != certificate || k != key {
			t.Errorf("%v", err)
		}
		if strings.Contains(certificate, "PRIVATE") {
			t.Error("the public half holds a key")
		}
	})
}

func FuzzRoles(f *testing.F) {
	f.Add("e30.eyJyb2xlcyI6WyJhIl19.c2ln")
	f.Fuzz(func(t *testing.T, token string) {
		if roles, ok := rolesOf(token); ok {
			if _, err := json.Marshal(roles); err != nil {
				t.Error(err)
			}
		}
	})
}
