package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// Values of named passcodes in these tests.
const (
	guestPasscode = "velvet anchor 93"
	otherPasscode = "copper lattice 58"
	thirdPasscode = "marble trellis 61"
)

var anna = Actor{Name: "anna", Address: "198.51.100.9"}

func (b *bench) put(t *testing.T, p NewPasscode) {
	t.Helper()
	if err := b.PutPasscode(t.Context(), anna, p); err != nil {
		t.Fatal(err)
	}
}

// known makes the sequences and devices that scopes of these tests name.
func (b *bench) known(t *testing.T) {
	t.Helper()
	err := b.state.Update(t.Context(), func(tx *state.Tx) error {
		return errors.Join(tx.Sequences().Put(fleet.Sequence{ID: "seq", Version: 1, Name: "Sequence", Body: []byte("{}")}),
			tx.Devices().Put(fleet.Device{ID: "device-a"}), tx.Devices().Put(fleet.Device{ID: "device-b"}))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) list(t *testing.T) []fleet.PasscodeStatus {
	t.Helper()
	list, err := b.Passcodes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func (b *bench) named(t *testing.T, name string) fleet.PasscodeStatus {
	t.Helper()
	list := b.list(t)
	i := slices.IndexFunc(list, func(s fleet.PasscodeStatus) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("%q is not in %+v", name, list)
	}
	return list[i]
}

func TestNamedPasscodesBesideTheSharedOne(t *testing.T) {
	b := newBench(t)
	b.put(t, NewPasscode{Name: " Guest ", Value: guestPasscode + "\n"})
	b.put(t, NewPasscode{Name: "branch", Value: otherPasscode})
	wants(t, b.try(rightPasscode, "192.0.2.1", "a"), ErrWrong)
	b.setPasscode(t, rightPasscode)
	for value, want := range map[string]string{rightPasscode: "passcode default", guestPasscode: "passcode guest", otherPasscode: "passcode branch"} {
		token, _, err := b.SignInPasscode(t.Context(), value, "", machine("a"), from("192.0.2.7"))
		if err != nil {
			t.Fatal(err)
		}
		k, err := b.Authenticate(t.Context(), token, from("192.0.2.7"))
		if err != nil || k.Passcode != strings.TrimPrefix(want, "passcode ") {
			t.Errorf("%+v, %v", k, err)
		}
		if e := b.trail.wants(t, "passcode.accepted:ok:"+want); strings.TrimSuffix(want, " default") != e.Actor {
			t.Errorf("audit %+v", e)
		}
	}
	var names []string
	for _, s := range b.list(t) {
		names = append(names, s.Name)
	}
	if fmt.Sprint(names) != "[ branch guest]" {
		t.Errorf("list %q", names)
	}
	b.trail.neverHolds(t, rightPasscode, guestPasscode, otherPasscode)

	wants(t, b.RemovePasscode(t.Context(), anna, "Guest"), nil)
	wants(t, b.RemovePasscode(t.Context(), anna, "guest"), ErrNotFound)
	wants(t, b.try(guestPasscode, "192.0.2.7", "a"), ErrWrong)
	wants(t, b.ClearPasscode(t.Context(), anna), nil)
	wants(t, b.try(rightPasscode, "192.0.2.7", "a"), ErrWrong)
	wants(t, b.try(otherPasscode, "192.0.2.7", "a"), nil)
	wants(t, b.RemovePasscode(t.Context(), anna, ""), ErrNotFound)
	b.trail.wants(t, "passcode.removed:ok:")
}

func TestWhatMayBeSet(t *testing.T) {
	b := newBench(t)
	b.known(t)
	b.put(t, NewPasscode{Name: "taken", Value: otherPasscode})
	b.setPasscode(t, rightPasscode)
	hour := b.clock.now().Add(time.Hour)
	scope := func(sequence, device, network string) fleet.Scope {
		var s fleet.Scope
		for text, list := range map[string]*[]string{sequence: &s.Sequences, device: &s.Devices, network: &s.Networks} {
			if text != "" {
				*list = append(*list, text)
			}
		}
		return s
	}
	for _, c := range []struct {
		what  string
		p     NewPasscode
		field string // empty: accepted
	}{
		{"plain", NewPasscode{Name: "x", Value: guestPasscode}, ""},
		{"again, the same value", NewPasscode{Name: "x", Value: guestPasscode}, ""},
		{"everything", NewPasscode{Name: "x", Value: guestPasscode, ExpiresAt: hour, MaxUses: 3, Overlap: time.Hour, Scope: scope("seq", "device-a", "192.0.2.7")}, ""},
		{"reserved", NewPasscode{Name: "Default", Value: guestPasscode}, "name"},
		{"slash", NewPasscode{Name: "x/previous", Value: guestPasscode}, "name"},
		{"space", NewPasscode{Name: "x y", Value: guestPasscode}, "name"},
		{"long", NewPasscode{Name: strings.Repeat("x", 65), Value: guestPasscode}, "name"},
		{"shared with a limit", NewPasscode{Value: guestPasscode, MaxUses: 1}, "name"},
		{"shared with an end", NewPasscode{Value: guestPasscode, ExpiresAt: hour}, "name"},
		{"shared with a scope", NewPasscode{Value: guestPasscode, Scope: scope("seq", "", "")}, "name"},
		{"value of the shared one", NewPasscode{Name: "x", Value: rightPasscode}, "passcode"},
		{"value of another", NewPasscode{Name: "x", Value: otherPasscode}, "passcode"},
		{"shared with a value of another", NewPasscode{Value: otherPasscode}, "passcode"},
		{"weak", NewPasscode{Name: "x", Value: "password1"}, "passcode"},
		{"empty", NewPasscode{Name: "x", Value: "\n", Force: true}, "passcode"},
		{"over", NewPasscode{Name: "x", Value: guestPasscode, ExpiresAt: b.clock.now()}, "expiresAt"},
		{"uses", NewPasscode{Name: "x", Value: guestPasscode, MaxUses: -1}, "maxUses"},
		{"many uses", NewPasscode{Name: "x", Value: guestPasscode, MaxUses: maxPasscodeUses + 1}, "maxUses"},
		{"overlap", NewPasscode{Name: "x", Value: guestPasscode, Overlap: -time.Second}, "overlap"},
		{"long overlap", NewPasscode{Name: "x", Value: guestPasscode, Overlap: maxOverlap + 1}, "overlap"},
		{"network", NewPasscode{Name: "x", Value: guestPasscode, Scope: scope("", "", "192.0.2.0/33")}, "scope"},
		{"host name", NewPasscode{Name: "x", Value: guestPasscode, Scope: scope("", "", "example")}, "scope"},
		{"no such sequence", NewPasscode{Name: "x", Value: guestPasscode, Scope: scope("sequence", "", "")}, "scope"},
		{"no such device", NewPasscode{Name: "x", Value: guestPasscode, Scope: scope("", "device-x", "")}, "scope"},
		{"empty entry", NewPasscode{Name: "x", Value: guestPasscode, Scope: fleet.Scope{Devices: []string{" "}}}, "scope"},
	} {
		err := b.PutPasscode(t.Context(), anna, c.p)
		invalid := &InvalidError{}
		if errors.As(err, &invalid); invalid.Field != c.field || (err == nil) != (c.field == "") {
			t.Errorf("%s: %v, want a problem with %q", c.what, err, c.field)
		}
		if err != nil && strings.Contains(err.Error(), strings.TrimSpace(c.p.Value)) && c.p.Value != "\n" {
			t.Errorf("%s: the error tells the value: %v", c.what, err)
		}
	}
	s := b.named(t, "x")
	if fmt.Sprint(s.Scope) != "{[seq] [device-a] [192.0.2.7/32]}" || s.MaxUses != 3 || !s.ExpiresAt.Equal(hour) {
		t.Errorf("kept %+v", s)
	}
}

func TestWeakOnesAreRefusedWithTheReason(t *testing.T) {
	b := newBench(t)
	for value, want := range map[string]string{
		"password":   "a common word",
		"summer2026": "a common word and a year",
		"11111111":   "one character again and again",
		"qwertzuiop": "a row of keys",
		"x7":         "too short",
		"kb2kb2kb2":  "a repetition",
	} {
		err := b.PutPasscode(t.Context(), anna, NewPasscode{Name: "x", Value: value})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), value) {
			t.Errorf("%s: %v", value, err)
		}
		b.put(t, NewPasscode{Name: "x", Value: value, Force: true})
		if s := b.named(t, "x"); !s.Forced || s.Bits != Strength(value) {
			t.Errorf("%s: kept as %+v", value, s)
		}
	}
	b.trail.wants(t, "passcode.set:ok:weak and forced, about 5 bits")
	b.put(t, NewPasscode{Name: "x", Value: guestPasscode, Force: true})
	if b.named(t, "x").Forced {
		t.Error("a strong one counts as forced")
	}
}

func TestRotationWithAnOverlap(t *testing.T) {
	for _, name := range []string{"", "guest"} {
		b := newBench(t)
		status := func() fleet.PasscodeStatus { return b.named(t, name) }
		accepted := func() (words string) {
			for _, v := range []string{guestPasscode, otherPasscode, thirdPasscode} {
				if b.try(v, "192.0.2.7", "a") == nil {
					words += v[:1]
				}
			}
			return words
		}
		set := func(value string, overlap time.Duration) {
			b.put(t, NewPasscode{Name: name, Value: value, Overlap: overlap})
		}
		expect := func(what, want string, previous time.Duration) {
			t.Helper()
			if have := accepted(); have != want {
				t.Errorf("%q %s: accepted %q, want %q", name, what, have, want)
			}
			end := time.Time{}
			if previous > 0 {
				end = b.clock.now().Add(previous)
			}
			if have := status().Previous; !have.Equal(end) {
				t.Errorf("%q %s: previous until %v, want %v", name, what, have, end)
			}
		}
		set(guestPasscode, time.Hour)
		expect("first", "v", 0)
		set(otherPasscode, time.Hour)
		expect("rotated", "vc", time.Hour)
		set(otherPasscode, time.Hour)
		expect("the same again", "vc", time.Hour)
		b.restart(t)
		b.clock.add(time.Hour - time.Second)
		expect("a second before the end", "vc", time.Second)
		b.clock.add(time.Second)
		expect("over", "c", 0)
		set(thirdPasscode, 0)
		expect("without an overlap", "m", 0)
		set(otherPasscode, time.Hour)
		set(guestPasscode, time.Hour)
		expect("twice", "vc", time.Hour)
		set(otherPasscode, time.Hour)
		expect("back", "vc", time.Hour)
		if len(b.list(t)) != 1 {
			t.Errorf("list %+v", b.list(t))
		}
		wants(t, b.RemovePasscode(t.Context(), anna, name), nil)
		if have := accepted(); have != "" {
			t.Errorf("removed, and still accepted: %q", have)
		}
		id := name
		if id == "" {
			id = "default"
		}
		b.trail.wants(t, "passcode.accepted:ok:passcode "+id+", the one before")
		b.trail.wants(t, "passcode.refused:refused:passcode "+id+", the one before: expired")
		b.trail.wants(t, "passcode.set:ok:the one before is accepted for 1h0m0s")
		_ = b.state.View(func(tx *state.Tx) error {
			if n := tx.Passcodes().Len(); n != 0 {
				t.Errorf("%d records remain", n)
			}
			return nil
		})
	}
}

// Every reason looks the same from the outside and counts as a failure.
func TestWhyANamedOneIsRefused(t *testing.T) {
	type limits = NewPasscode
	for _, c := range []struct {
		what         string
		p            limits
		addr, device string
		after        time.Duration
		uses         int // sign-ins before
		reason       string
	}{
		{what: "no limits", addr: "192.0.2.7", device: "a"},
		{what: "before its end", p: limits{ExpiresAt: newClock().now().Add(time.Hour)}, after: time.Hour - 1, addr: "192.0.2.7", device: "a"},
		{what: "at its end", p: limits{ExpiresAt: newClock().now().Add(time.Hour)}, after: time.Hour, addr: "192.0.2.7", device: "a", reason: "expired"},
		{what: "last use", p: limits{MaxUses: 3}, uses: 2, addr: "192.0.2.7", device: "a"},
		{what: "used up", p: limits{MaxUses: 3}, uses: 3, addr: "192.0.2.7", device: "a", reason: "used up"},
		{what: "used up and expired", p: limits{MaxUses: 1, ExpiresAt: newClock().now().Add(time.Hour)}, uses: 1, after: 2 * time.Hour, addr: "192.0.2.7", device: "a", reason: "used up"},
		{what: "in the network", p: limits{Scope: fleet.Scope{Networks: []string{"198.51.100.0/24", "192.0.2.9/24"}}}, addr: "192.0.2.7", device: "a"},
		{what: "IPv4 in IPv6", p: limits{Scope: fleet.Scope{Networks: []string{"192.0.2.0/24"}}}, addr: "::ffff:192.0.2.7", device: "a"},
		{what: "outside the network", p: limits{Scope: fleet.Scope{Networks: []string{"198.51.100.0/24"}}}, addr: "192.0.2.7", device: "a", reason: "outside its scope (network)"},
		{what: "IPv6", p: limits{Scope: fleet.Scope{Networks: []string{"2001:db8::/32"}}}, addr: "2001:db8:7::1", device: "a"},
		{what: "zone", p: limits{Scope: fleet.Scope{Networks: []string{"fe80::/10"}}}, addr: "fe80::1%eth0", device: "a"},
		{what: "the device", p: limits{Scope: fleet.Scope{Devices: []string{"device-b", "device-a"}}}, addr: "192.0.2.7", device: "a"},
		{what: "another device", p: limits{Scope: fleet.Scope{Devices: []string{"device-b"}}}, addr: "192.0.2.7", device: "a", reason: "outside its scope (device)"},
		{what: "an unknown device", p: limits{Scope: fleet.Scope{Devices: []string{"device-b"}}}, addr: "192.0.2.7", device: "new", reason: "outside its scope (device)"},
		{what: "both fit", p: limits{Scope: fleet.Scope{Devices: []string{"device-a"}, Networks: []string{"192.0.2.0/24"}}}, addr: "192.0.2.7", device: "a"},
		{what: "one fits", p: limits{Scope: fleet.Scope{Devices: []string{"device-a"}, Networks: []string{"198.51.100.0/24"}}}, addr: "192.0.2.7", device: "a", reason: "outside its scope (network)"},
		{what: "a sequence", p: limits{Scope: fleet.Scope{Sequences: []string{"seq"}}}, addr: "192.0.2.7", device: "a"},
	} {
		b := newBench(t)
		b.known(t)
		b.setPasscode(t, rightPasscode)
		c.p.Name, c.p.Value = "guest", guestPasscode
		b.put(t, c.p)
		for range c.uses {
			wants(t, b.try(guestPasscode, c.addr, c.device), nil)
		}
		b.clock.add(c.after)
		made := 0
		b.resolve = func(_ context.Context, claim fleet.Claim, _ netip.Addr, _ bool) (fleet.Device, error) {
			made++
			return fleet.Device{ID: "device-" + claim.Serial}, nil
		}
		runs := b.hasher.runs.Load()
		err := b.try(guestPasscode, c.addr, c.device)
		if n := b.hasher.runs.Load() - runs; n != 1 {
			t.Errorf("%s: %d argon2id runs", c.what, n)
		}
		if c.reason == "" {
			if err != nil {
				t.Errorf("%s: %v", c.what, err)
			}
			continue
		}
		if made > 0 {
			t.Errorf("%s: a refused device was recorded", c.what)
		}
		if wrong := b.try("wrong", c.addr, c.device); err != wrong || err != ErrWrong {
			t.Errorf("%s: %v, and a wrong one %v", c.what, err, wrong)
		}
		b.trail.wants(t, "passcode.refused:refused:passcode guest: "+c.reason)
		for range freeFailures - 2 {
			wants(t, b.try(guestPasscode, c.addr, c.device), ErrWrong)
		}
		throttled(t, b.try(guestPasscode, c.addr, c.device))
	}
}

// Sign-ins at the same moment cannot exceed the limit.
func TestParallelSignInsKeepTheLimit(t *testing.T) {
	for _, limit := range []int{1, 7} {
		b := newBench(t)
		b.put(t, NewPasscode{Name: "guest", Value: guestPasscode, MaxUses: limit})
		var in, refused atomic.Int64
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				switch err := b.try(guestPasscode, fmt.Sprintf("10.0.%d.1", i), fmt.Sprint(i)); {
				case err == nil:
					in.Add(1)
				case errors.Is(err, ErrWrong):
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if in.Load() != int64(limit) || in.Load()+refused.Load() != 40 {
			t.Errorf("%d in and %d refused, with %d allowed", in.Load(), refused.Load(), limit)
		}
		if s := b.named(t, "guest"); s.Uses != limit {
			t.Errorf("%d uses counted", s.Uses)
		}
		b.trail.wants(t, "passcode.refused:refused:passcode guest: used up")
	}
}

// All sign-ins are compared before any is counted: the last check is that of the
// transaction.
func TestTheLastCheckIsThatOfTheTransaction(t *testing.T) {
	for _, c := range []struct {
		reason    string
		meanwhile func(b *bench) error
	}{
		{"used up", func(b *bench) error { return b.try(guestPasscode, "192.0.2.8", "b") }},
		{"replaced or removed", func(b *bench) error { return b.RemovePasscode(t.Context(), anna, "guest") }},
		{"replaced or removed", func(b *bench) error {
			return b.PutPasscode(t.Context(), anna, NewPasscode{Name: "guest", Value: otherPasscode})
		}},
		{"expired", func(b *bench) error { b.clock.add(time.Hour); return nil }},
	} {
		b := newBench(t)
		b.put(t, NewPasscode{Name: "guest", Value: guestPasscode, MaxUses: 1, ExpiresAt: b.clock.now().Add(time.Hour)})
		b.setPasscode(t, rightPasscode)
		a, p, err := b.tryPasscode(t.Context(), guestPasscode, newSubject(from("192.0.2.7"), machine("a")), machine("a"))
		if err != nil {
			t.Fatal(err)
		}
		a.succeed()
		wants(t, c.meanwhile(b), nil)
		_, _, err = b.admit(t.Context(), p.proof(b.clock.now), "linuxpe", machine("a"), from("192.0.2.7"))
		var late *unfitError
		if !errors.As(err, &late) || late.reason != "passcode guest: "+c.reason {
			t.Errorf("%s: %v", c.reason, err)
		}
	}
}

func TestUsesSurviveARestart(t *testing.T) {
	b := newBench(t)
	b.put(t, NewPasscode{Name: "guest", Value: guestPasscode, MaxUses: 2})
	wants(t, b.try(guestPasscode, "192.0.2.7", "a"), nil)
	if err := b.state.Close(); err != nil {
		t.Fatal(err)
	}
	b.state = openStore(t, b.dir)
	b.restart(t)
	wants(t, b.try(guestPasscode, "192.0.2.7", "a"), nil)
	wants(t, b.try(guestPasscode, "192.0.2.7", "a"), ErrWrong)
	b.put(t, NewPasscode{Name: "guest", Value: guestPasscode, MaxUses: 1}) // again
	wants(t, b.try(guestPasscode, "192.0.2.7", "a"), nil)
	wants(t, b.try(guestPasscode, "192.0.2.7", "a"), ErrWrong)
}

// However many there are, an attempt costs one argon2id run.
func TestOneRunHoweverManyPasscodes(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	for i := range maxNamedPasscodes {
		b.put(t, NewPasscode{Name: fmt.Sprint("n", i), Value: fmt.Sprintf("%s %d", guestPasscode, i), Overlap: time.Hour})
	}
	var invalid *InvalidError
	if err := b.PutPasscode(t.Context(), anna, NewPasscode{Name: "more", Value: otherPasscode}); !errors.As(err, &invalid) || invalid.Field != "name" {
		t.Errorf("one more than may be: %v", err)
	}
	b.put(t, NewPasscode{Name: "n7", Value: otherPasscode, Overlap: time.Hour})
	for _, guess := range []string{rightPasscode, guestPasscode + " 0", guestPasscode + " 99", guestPasscode + " 7", otherPasscode, "wrong"} {
		runs := b.hasher.runs.Load()
		if err := b.try(guess, "192.0.2.7", "a"); (err == nil) != (guess != "wrong") {
			t.Errorf("%q: %v", guess, err)
		}
		if n := b.hasher.runs.Load() - runs; n != 1 {
			t.Errorf("%q: %d runs", guess, n)
		}
	}
}

// Two that are set at the same moment share their salt all the same.
func TestPasscodesSetAtTheSameMoment(t *testing.T) {
	b := newBench(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := b.PutPasscode(t.Context(), anna, NewPasscode{Name: fmt.Sprint("n", i), Value: fmt.Sprintf("%s %d", guestPasscode, i)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range 8 {
		wants(t, b.try(fmt.Sprintf("%s %d", guestPasscode, i), "192.0.2.7", "a"), nil)
	}
}

// A new salt comes when nothing stays that was hashed with the old one, and with
// it the present costs.
func TestSaltsAreNotKeptForEver(t *testing.T) {
	b := newBench(t)
	hash := func() phc {
		t.Helper()
		kept, err := b.keptPasscodes()
		if err != nil || len(kept) == 0 {
			t.Fatal(err)
		}
		h, err := parsePHC(kept[0].Hash)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	b.setPasscode(t, rightPasscode)
	first := hash()
	b.hasher.params.Passes++
	b.put(t, NewPasscode{Name: "x", Value: otherPasscode})
	b.setPasscode(t, guestPasscode)
	if !hash().sharesSalt(first) {
		t.Error("two kept passcodes do not share their salt")
	}
	wants(t, b.RemovePasscode(t.Context(), anna, "x"), nil)
	b.setPasscode(t, rightPasscode)
	if h := hash(); h.sharesSalt(first) || h.params != b.hasher.params {
		t.Errorf("alone, and still with the old salt or costs: %+v", h.params)
	}
}

// The cap over all follows the weakest that is accepted now.
func TestTheCapFollowsTheWeakest(t *testing.T) {
	b := newBench(t)
	expect := func(what string, bits float64) {
		t.Helper()
		if have, err := b.limits(); err != nil || have != limitsFor(bits) {
			t.Errorf("%s: %+v, %v, want those of %v bits", what, have, err, bits)
		}
	}
	expect("none", 0)
	b.setPasscode(t, rightPasscode)
	expect("the shared one", Strength(rightPasscode))
	b.put(t, NewPasscode{Name: "weak", Value: weakPasscode, Force: true, ExpiresAt: b.clock.now().Add(time.Hour)})
	expect("a weak one beside it", Strength(weakPasscode))
	b.clock.add(time.Hour)
	expect("the weak one is over", Strength(rightPasscode))
	b.put(t, NewPasscode{Name: "weak", Value: "slipway-lab", MaxUses: 1})
	expect("another weak one", Strength("slipway-lab"))
	wants(t, b.try("slipway-lab", "192.0.2.7", "a"), nil)
	expect("it is used up", Strength(rightPasscode))
	b.put(t, NewPasscode{Name: "weak", Value: weakPasscode, Force: true})
	b.put(t, NewPasscode{Name: "weak", Value: otherPasscode, Overlap: time.Hour})
	expect("the one before is weak", Strength(weakPasscode))
}

// What was counted is forgotten with the last passcode it was counted against.
func TestCountersOutliveOneOfTwo(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	hold := func() {
		for range freeFailures {
			wants(t, b.try("wrong", "192.0.2.7", "a"), ErrWrong)
		}
	}
	hold()
	b.put(t, NewPasscode{Name: "guest", Value: guestPasscode})
	throttled(t, b.try(rightPasscode, "192.0.2.7", "a"))
	wants(t, b.RemovePasscode(t.Context(), anna, "guest"), nil)
	throttled(t, b.try(rightPasscode, "192.0.2.7", "a"))
	b.put(t, NewPasscode{Value: guestPasscode, Overlap: time.Hour})
	throttled(t, b.try(rightPasscode, "192.0.2.7", "a"))
	b.put(t, NewPasscode{Value: otherPasscode})
	wants(t, b.try(otherPasscode, "192.0.2.7", "a"), nil)
}

func TestOldOnesAreRemindedOfAndForgotten(t *testing.T) {
	b := newBench(t)
	err := b.state.Update(t.Context(), func(tx *state.Tx) error {
		return tx.Settings().Put(fleet.Settings{PasscodeMaxAgeDays: 10})
	})
	if err != nil {
		t.Fatal(err)
	}
	day := 24 * time.Hour
	b.setPasscode(t, rightPasscode)
	b.put(t, NewPasscode{Name: "long", Value: guestPasscode})
	b.put(t, NewPasscode{Name: "short", Value: otherPasscode, ExpiresAt: b.clock.now().Add(5 * day)})
	b.put(t, NewPasscode{Name: "once", Value: thirdPasscode, MaxUses: 1})
	wants(t, b.try(thirdPasscode, "192.0.2.7", "a"), nil)
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{0, "(new) long(new) once(new) short(new)"},
		{11 * day, "(old) long(old) once(new) short(expired)"},
		{19 * day, "(old) long(old) once(new) short(expired)"},
		{time.Second, "(old) long(old) short(expired)"},
		{5 * day, "(old) long(old)"},
	} {
		b.clock.add(c.after)
		if err := b.prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		var words []string
		for _, s := range b.list(t) {
			word := "new"
			switch {
			case s.Old:
				word = "old"
			case s.Expired:
				word = "expired"
			}
			words = append(words, s.Name+"("+word+")")
		}
		if have := strings.Join(words, " "); have != c.want {
			t.Errorf("after %v more: %s, want %s", c.after, have, c.want)
		}
	}
}

func TestGeneratedPasscodes(t *testing.T) {
	seen := map[string]bool{}
	for range 2000 {
		p := GeneratePasscode()
		words := strings.Split(p, " ")
		if len(words) != generateWords || seen[p] || Strength(p) < StrongPasscodeBits {
			t.Fatalf("%q: %v bits", p, Strength(p))
		}
		seen[p] = true
		// What differs between QWERTY, QWERTZ and AZERTY, and what needs a modifier.
		if strings.ContainsAny(p, "aqwzym-0123456789") || strings.ToLower(p) != p {
			t.Fatalf("%q cannot be typed blindly", p)
		}
		for _, w := range words {
			for i, r := range w {
				if letters := []string{generateConsonants, generateVowels}[i%2]; !strings.ContainsRune(letters, r) || len(w) != 5 {
					t.Fatalf("%q cannot be spoken", w)
				}
			}
		}
	}
	b := newBench(t)
	p := GeneratePasscode()
	wants(t, b.SetPasscode(t.Context(), anna, p, false), nil)
	wants(t, b.try(p, "192.0.2.7", "a"), nil)
}

func FuzzNetworks(f *testing.F) {
	for _, text := range []string{"192.0.2.7", "192.0.2.9/24", "2001:db8::/32", "::ffff:192.0.2.7/120", "fe80::1%eth0", "0/0", "1.2.3.4/-1", " 10.0.0.0/8 ", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once, err := cleanScope(fleet.Scope{Networks: []string{text}})
		if err != nil {
			return
		}
		again, err := cleanScope(once)
		if err != nil || fmt.Sprint(again) != fmt.Sprint(once) {
			t.Errorf("%q is kept as %v, which is kept as %v, %v", text, once, again, err)
		}
		p, err := netip.ParsePrefix(once.Networks[0])
		if err != nil || !inNetworks(once.Networks, p.Addr()) {
			t.Errorf("%q is kept as %v, which does not hold its own address (%v)", text, once, err)
		}
	})
}
