package auth

import (
	"strings"
	"testing"
)

func (h *hasher) hash(secret string) string { return h.hashLike(secret, h.fresh()) }

func (h *hasher) verify(stored, secret string) bool {
	return h.match([]string{stored}, secret) == 0
}

func TestHashAndVerify(t *testing.T) {
	h := newHasher(cheap)
	stored := h.hash("secret")
	if !strings.HasPrefix(stored, "$argon2id$v=19$m=8,t=1,p=1$") {
		t.Errorf("stored as %q", stored)
	}
	if stored == h.hash("secret") {
		t.Error("two hashes of one secret are equal: no salt")
	}
	for secret, want := range map[string]bool{"secret": true, "Secret": false, "": false, "secret\x00": false} {
		if h.verify(stored, secret) != want {
			t.Errorf("verify %q = %v", secret, !want)
		}
	}
}

// A known answer: the reference implementation's command line tool gives this for
// the password "password" and the salt "somesalt".
func TestKnownAnswer(t *testing.T) {
	const known = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	h := newHasher(cheap)
	if !h.verify(known, "password") || h.verify(known, "passwore") {
		t.Error("the known hash is not verified")
	}
}

func TestUnreadableHashMatchesNothing(t *testing.T) {
	h := newHasher(cheap)
	good := h.hash("")
	for _, stored := range []string{
		"", "plain", "$argon2id$", strings.Replace(good, "argon2id", "argon2i", 1),
		strings.Replace(good, "v=19", "v=16", 1), strings.Replace(good, "m=8", "m=4294967295", 1),
		strings.Replace(good, "m=8", "m=08", 1), strings.Replace(good, "t=1", "t=0", 1),
		strings.Replace(good, "p=1", "p=200", 1), strings.Replace(good, "m=8,", "m=8\n,", 1),
		good + "$", good + "=", good[:len(good)-30], strings.Replace(good, "m=8,t=1", "t=1,m=8", 1),
	} {
		runs := h.runs.Load()
		if h.verify(stored, "") {
			t.Errorf("%q matched the empty secret", stored)
		}
		if h.runs.Load() != runs+1 {
			t.Errorf("%q took no hashing: its absence can be measured", stored)
		}
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add(newHasher(cheap).hash("x"))
	f.Add("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=-1,t=0,p=256$$")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePHC(s)
		if err != nil {
			return
		}
		if p.String() != s {
			t.Errorf("%q is written as %q", s, p)
		}
		if p.params.MemoryKiB > maxMemoryKiB || p.params.Passes > maxPasses || p.params.Threads == 0 || len(p.salt) < 8 || len(p.key) < 16 {
			t.Errorf("%q asks for %+v", s, p.params)
		}
	})
}

// One run serves any number of hashes that share a salt.
func TestOneRunForManyHashes(t *testing.T) {
	h := newHasher(cheap)
	like := h.fresh()
	stored := []string{"damaged", h.hashLike("one", like), h.hashLike("two", like), h.hash("stranger"), "", h.hashLike("three", like)}
	for secret, want := range map[string]int{"one": 1, "two": 2, "three": 5, "stranger": -1, "": -1, "damaged": -1, "four": -1} {
		runs := h.runs.Load()
		if i := h.match(stored, secret); i != want {
			t.Errorf("%q is taken for number %d, want %d", secret, i, want)
		}
		if n := h.runs.Load() - runs; n != 1 {
			t.Errorf("%q: %d runs", secret, n)
		}
	}
	for _, none := range [][]string{nil, {""}, {"damaged", "$argon2id$"}} {
		runs := h.runs.Load()
		if i := h.match(none, ""); i != -1 || h.runs.Load() != runs+1 {
			t.Errorf("%q: number %d after %d runs", none, i, h.runs.Load()-runs)
		}
	}
}
