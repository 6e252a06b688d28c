package audit

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"slipway/fleet"
)

func TestCleanText(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                         "plain",
		"Jürgen – 日本":                   "Jürgen – 日本",
		"a\nb":                          `a\x0ab`,
		"\x1b[2Jgone":                   `\x1b[2Jgone`,
		"nul\x00":                       `nul\x00`,
		"del\x7f":                       `del\x7f`,
		"c1\u009b31m":                   `c1\x9b31m`,
		"bad\xff\xfeutf":                `bad\xff\xfeutf`,
		"\u202egnp.exe":                 `\u202egnp.exe`,
		"line\u2028sep\u2029":           `line\u2028sep\u2029`,
		"zero\u200bwidth":               `zero\u200bwidth`,
		strings.Repeat("x", 200):        strings.Repeat("x", 160) + "…",
		strings.Repeat("ü", 100):        strings.Repeat("ü", 100),
		strings.Repeat("\n", 161) + "!": strings.Repeat(`\x0a`, 40) + "…",
	} {
		if have := cleanText(in, 160); have != want {
			t.Errorf("cleanText(%q) = %q, want %q", in, have, want)
		}
	}
}

// Whatever a device claims, an entry stays one line of harmless characters.
func TestWriteNeutralises(t *testing.T) {
	l := open(t, t.TempDir(), Options{})
	evil := "x\r\n{\"format\":1,\"n\":99,\"actor\":\"root\"}\x1b[31m"
	write(t, l, fleet.AuditEntry{
		Actor: evil, Action: evil, Object: evil, Device: evil, Address: evil, Outcome: evil, Reason: evil,
	})
	all := recent(t, l, Filter{})
	if len(all) != 1 || all[0].Number != 1 {
		t.Fatalf("have %+v", all)
	}
	e := all[0]
	for _, s := range []string{e.Actor, e.Action, e.Object, e.Device, e.Address, e.Outcome, e.Reason} {
		if strings.IndexFunc(s, unicode.IsControl) >= 0 {
			t.Errorf("control characters left in %q", s)
		}
	}
}

func FuzzCleanText(f *testing.F) {
	f.Add("a\x00b\u202e\xff", 10)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = 1 + (limit&0xff+0x100)&0xff
		out := cleanText(s, limit)
		if !utf8.ValidString(out) || !isClean(out) {
			t.Errorf("%q became %q", s, out)
		}
		if utf8.RuneCountInString(out) > limit+1 {
			t.Errorf("%d bytes for a limit of %d", len(out), limit)
		}
	})
}
