package syslog

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"slipway/fleet"
)

var update = flag.Bool("update", false, "write the golden files anew")

// parsed is what a strict reader of RFC 5424 finds in a message.
type parsed struct {
	facility, severity   int
	time                 string
	host, app, proc, msg string
	id                   string
	params               map[string]string
	text                 string
}

var (
	header = regexp.MustCompile(`^<(0|[1-9][0-9]{0,2})>1 (-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) `)
	sdName = regexp.MustCompile(`^[!#-<>-\\^-~]{1,32}`) // SD-NAME: no "=", "]", quote or blank
)

// parse reads a message by the grammar of RFC 5424 section 6.
func parse(m string) (p parsed, err error) {
	h := header.FindStringSubmatch(m)
	if h == nil {
		return p, errors.New("no header")
	}
	pri, _ := strconv.Atoi(h[1])
	if pri > 191 {
		return p, errors.New("PRI is above 191")
	}
	p = parsed{facility: pri / 8, severity: pri % 8, time: h[2], host: h[3], app: h[4], proc: h[5], msg: h[6], params: map[string]string{}}
	rest, ok := strings.CutPrefix(m[len(h[0]):], "[")
	if !ok {
		return p, errors.New("no structured data")
	}
	p.id = sdName.FindString(rest)
	if !regexp.MustCompile(`^[^@]+@[1-9][0-9]*(\.[0-9]+)*$`).MatchString(p.id) {
		return p, fmt.Errorf("SD-ID %q", p.id)
	}
	rest = rest[len(p.id):]
	for strings.HasPrefix(rest, " ") {
		name := sdName.FindString(rest[1:])
		if rest, ok = strings.CutPrefix(rest[1+len(name):], `="`); name == "" || !ok {
			return p, fmt.Errorf("parameter %q", name)
		}
		if _, twice := p.params[name]; twice {
			return p, fmt.Errorf("parameter %q twice", name)
		}
		var value strings.Builder
		i := 0
		for ; i < len(rest) && rest[i] != '"'; i++ {
			if rest[i] == ']' {
				return p, fmt.Errorf("parameter %s holds a bare ]", name)
			}
			if rest[i] == '\\' {
				if i++; i == len(rest) || !strings.ContainsRune(`\"]`, rune(rest[i])) {
					return p, fmt.Errorf("parameter %s holds a bare backslash", name)
				}
			}
			value.WriteByte(rest[i])
		}
		if i == len(rest) || !utf8.ValidString(value.String()) {
			return p, fmt.Errorf("parameter %s does not end, or is not UTF-8", name)
		}
		p.params[name], rest = value.String(), rest[i+1:]
	}
	if rest, ok = strings.CutPrefix(rest, "] \xef\xbb\xbf"); !ok {
		return p, fmt.Errorf("behind the structured data stands %q", rest)
	}
	if !utf8.ValidString(rest) || strings.ContainsAny(rest, "\r\n\x00") {
		return p, errors.New("the text is not one line of UTF-8")
	}
	p.text = rest
	return p, nil
}

var testOrigin = Origin{Host: "boot.example.org", Installation: "abcdefghij234567"}

func testEntries() []fleet.AuditEntry {
	t := time.Date(2026, 11, 21, 8, 30, 0, 125e6, time.UTC)
	return []fleet.AuditEntry{
		{Format: 1, Number: 1, Time: t, Actor: "local", Action: "passcode.set", Outcome: "ok"},
		{Format: 1, Number: 2, Time: t.Add(time.Second), Actor: "device", Action: "passcode.refused", Object: "linuxpe", Device: "4c4c4544-0042",
			Address: "192.0.2.7", Outcome: "refused", Reason: "wrong", Count: 17, First: t},
		{Format: 1, Number: 3, Time: t.Add(time.Minute), Actor: `Jürgen "J" <j@example.org>`, Action: "account.added", Object: `a]b\c`, Address: "2001:db8::5", Outcome: "error",
			Reason: "the disk is full"},
		{Format: 1, Number: 4, Time: t.Add(time.Hour), Actor: "a\nb\x00\xff", Action: "an action with blanks, and ünïcode, that goes on", Outcome: "ok", Reason: "x" + strings.Repeat("日本\"]", 700)},
	}
}

func TestMessageGolden(t *testing.T) {
	var have strings.Builder
	for _, e := range testEntries() {
		fmt.Fprintf(&have, "%s\n", format(e, testOrigin, maxDatagram))
	}
	const file = "testdata/messages.txt"
	if *update {
		if err := os.WriteFile(file, []byte(have.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if have.String() != string(want) {
		t.Errorf("messages are now\n%s\nand were\n%s", have.String(), want)
	}
}

func TestMessageSaysTheEntry(t *testing.T) {
	for _, e := range testEntries()[:3] {
		p, err := parse(string(format(e, testOrigin, maxStream)))
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"n": fmt.Sprint(e.Number), "installation": testOrigin.Installation, "actor": e.Actor, "action": e.Action, "object": e.Object,
			"device": e.Device, "address": e.Address, "outcome": e.Outcome, "reason": e.Reason}
		for name, value := range want {
			if p.params[name] != value {
				t.Errorf("entry %d: %s is %q, want %q", e.Number, name, p.params[name], value)
			}
		}
		if p.facility != 13 || p.severity != map[string]int{"ok": 6, "refused": 4, "error": 3}[e.Outcome] || p.app != "slipway" || p.host != testOrigin.Host || p.id != "slipway@32473" {
			t.Errorf("entry %d: %+v", e.Number, p)
		}
		if at, err := time.Parse(time.RFC3339, p.time); err != nil || !at.Equal(e.Time) {
			t.Errorf("entry %d: time %s", e.Number, p.time)
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add("anna", "passcode.set", "", "d1", "192.0.2.7", "ok", "because", "host", int64(5), int64(0), 100)
	f.Add(`\`, `"]`, "]\n", "\xff", "\u2028\ufeff", "refused", strings.Repeat("ü\"", 9000), "", int64(-1), int64(1)<<60, 9000)
	f.Fuzz(func(t *testing.T, actor, action, object, device, address, outcome, reason, host string, seconds, first int64, limit int) {
		limit = maxDatagram + (limit&0x3fff)%(maxStream-maxDatagram+1)
		e := fleet.AuditEntry{Number: 7, Time: time.Unix(seconds, 0), First: time.Unix(first, 0), Count: 3, Actor: actor, Action: action, Object: object, Device: device,
			Address: address, Outcome: outcome, Reason: reason}
		m := string(format(e, Origin{Host: host, Installation: host}, limit))
		p, err := parse(m)
		if err != nil {
			t.Fatalf("%v: %q", err, m)
		}
		if len(m) > limit {
			t.Errorf("%d bytes, at most %d", len(m), limit)
		}
		if total := len(actor + action + object + device + address + outcome + reason + host + host); total < 500 {
			for name, value := range map[string]string{"actor": actor, "object": object, "reason": reason} {
				if p.params[name] != harmless(value) {
					t.Errorf("%s is %q, was %q", name, p.params[name], value)
				}
			}
		}
	})
}
