package oidc

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	claims := map[string]any{}
	do(t, json.Unmarshal([]byte(text), &claims))
	return claims
}

func TestRoles(t *testing.T) {
	for _, c := range []struct {
		claims, name string
		want         []string
	}{
		{`{"roles":["a","b"]}`, "", []string{"a", "b"}},
		{`{"roles":"a"}`, "", []string{"a"}},
		{`{"roles":"a b"}`, "", []string{"a b"}},
		{`{"groups":["x"]}`, "groups", []string{"x"}},
		{`{"groups":["x"]}`, "", nil},
		{`{"realm_access":{"roles":["r"]}}`, "realm_access.roles", []string{"r"}},
		{`{"https://x.example/roles":["r"]}`, "https://x.example/roles", []string{"r"}},
		{`{"a.b":["whole"],"a":{"b":["path"]}}`, "a.b", []string{"whole"}},
		{`{"a":["r"]}`, "a.b", nil},
		{`{"a":null}`, "a.b.c", nil},
		{`{"roles":null}`, "", nil},
		{`{"roles":7}`, "", nil},
		{`{"roles":{"a":1}}`, "", nil},
		{`{"roles":["a",7,null,["b"],{"c":1},"d"]}`, "", []string{"a", "d"}},
		{`{"roles":["","a\nb"," a","a\u202eb","ok"]}`, "", []string{"ok"}},
		{`{"":["r"]}`, ".", nil},
	} {
		if got := rolesOf(parse(t, c.claims), c.name); !slices.Equal(got, c.want) {
			t.Errorf("%s in %s: %q, want %q", c.name, c.claims, got, c.want)
		}
	}
	many := make([]any, 3*maxRoles)
	for i := range many {
		many[i] = "role"
	}
	if n := len(rolesOf(map[string]any{"roles": many}, "")); n != maxRoles {
		t.Errorf("%d roles", n)
	}
}

func TestName(t *testing.T) {
	for _, c := range []struct{ claims, want string }{
		{`{"preferred_username":"anna","email":"a@b","name":"Anna","sub":"1"}`, "anna"},
		{`{"email":"a@b","name":"Anna","sub":"1"}`, "a@b"},
		{`{"name":"Anna Müller","sub":"1"}`, "Anna Müller"},
		{`{"sub":"1"}`, "1"},
		{`{}`, ""},
		{`{"preferred_username":7,"name":"Anna"}`, "Anna"},
		{`{"preferred_username":" \u0000 ","name":"Anna"}`, "Anna"},
		{`{"name":"Anna\r\n2026 admin\u001b[2J\u202e x"}`, "Anna 2026 admin[2J x"},
	} {
		if got := nameOf(parse(t, c.claims)); got != c.want {
			t.Errorf("%s: %q, want %q", c.claims, got, c.want)
		}
	}
	if n := len([]rune(nameOf(map[string]any{"name": strings.Repeat("ä", 5000)}))); n != maxName+1 {
		t.Errorf("%d characters", n)
	}
}

func FuzzClaims(f *testing.F) {
	f.Add([]byte(`{"roles":["a"],"name":"Anna"}`), "roles")
	f.Add([]byte(`{"realm_access":{"roles":["r"]},"preferred_username":"\u202e\n"}`), "realm_access.roles")
	f.Add([]byte(`{"a":{"b":{"c":"x"}}}`), "a.b.c.d.e.f.g.h.i.j")
	f.Add([]byte(`{"roles":{"roles":null},"email":"\ud800"}`), "...")
	f.Fuzz(func(t *testing.T, body []byte, name string) {
		claims := map[string]any{}
		if json.Unmarshal(body, &claims) != nil {
			return
		}
		texts := append(rolesOf(claims, name), nameOf(claims))
		if len(texts) > maxRoles+1 {
			t.Errorf("%d roles", len(texts))
		}
		for _, s := range texts {
			bad := func(r rune) bool { return !unicode.IsPrint(r) }
			if strings.IndexFunc(s, bad) >= 0 || utf8.RuneCountInString(s) > maxRole+1 || !utf8.ValidString(s) {
				t.Errorf("%q came out", s)
			}
		}
	})
}
