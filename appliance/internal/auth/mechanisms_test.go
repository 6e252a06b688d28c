package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"slipway/agent/wire"
	"slipway/fleet"
)

// offers is what the rules of the product say, written out: for each set of
// settings (a anonymous, c certificate, e Entra ID, p a passcode is set) what a
// booted device and an installed system may try, in this order. The last column is
// the installed system when it may not use the passcode beside the others.
var offers = []struct{ settings, booted, installed, strict string }{
	{"----", "p", "p", "p"},
	{"---p", "p", "p", "p"},
	{"--e-", "e", "e", "e"},
	{"--ep", "e", "ep", "e"},
	{"-c--", "p", "c", "c"},
	{"-c-p", "p", "cp", "c"},
	{"-ce-", "e", "ce", "ce"},
	{"-cep", "e", "cep", "ce"},
	{"a---", "a", "a", "a"},
	{"a--p", "ap", "ap", "ap"},
	{"a-e-", "ae", "ae", "ae"},
	{"a-ep", "ae", "aep", "ae"},
	{"ac--", "a", "ac", "ac"},
	{"ac-p", "ap", "acp", "ac"},
	{"ace-", "ae", "ace", "ace"},
	{"acep", "ae", "acep", "ace"},
}

var letters = map[rune]fleet.Mechanism{'a': fleet.MechanismAnonymous, 'c': fleet.MechanismCertificate, 'e': fleet.MechanismEntra, 'p': fleet.MechanismPasscode}

func mechanismsOf(text string) (out []fleet.Mechanism) {
	for _, r := range text {
		out = append(out, letters[r])
	}
	return out
}

func TestWhatIsOffered(t *testing.T) {
	if len(offers) != 16 {
		t.Fatalf("%d rows", len(offers))
	}
	for _, o := range offers {
		for _, strict := range []bool{false, true} {
			var v fleet.SignIn
			v.Anonymous = strings.Contains(o.settings, "a")
			v.Certificate.Enabled = strings.Contains(o.settings, "c")
			v.Entra.Enabled = strings.Contains(o.settings, "e")
			v.PasscodeInFullOS = !strict
			installed := o.installed
			if strict {
				installed = o.strict
			}
			for environment, want := range map[string]string{wire.LinuxPE: o.booted, wire.WinPE: o.booted, wire.FullOS: installed} {
				if got := offered(v, strings.Contains(o.settings, "p"), environment); !slices.Equal(got, mechanismsOf(want)) {
					t.Errorf("%s, strict %v, %s: %v, want %s", o.settings, strict, environment, got, want)
				}
			}
		}
	}
}

func TestPreviewTellsWhatIsOffered(t *testing.T) {
	b := newBench(t)
	preview := func() string {
		t.Helper()
		list, err := b.Preview(t.Context())
		if err != nil || len(list) != 3 {
			t.Fatalf("%v, %v", list, err)
		}
		return list[0].Text
	}
	if text := preview(); !strings.Contains(text, "nothing is accepted") {
		t.Error(text)
	}
	b.setPasscode(t, "correct horse battery")
	if text := preview(); text != "A device booted into the Linux boot image is asked for the passcode." {
		t.Error(text)
	}
	b.set(t, map[string]string{"anonymous": "on"})
	if text := preview(); !strings.Contains(text, "anyone") {
		t.Error(text)
	}
}

func TestAnonymousOnlyWhileItIsOn(t *testing.T) {
	b := newBench(t)
	try := func() error {
		_, _, err := b.SignInAnonymous(t.Context(), "", machine("s1"), from("192.0.2.7"))
		return err
	}
	wants(t, try(), ErrNotAllowed)
	b.set(t, map[string]string{"anonymous": "on"})
	token, _, err := b.SignInAnonymous(t.Context(), "", machine("s1"), from("192.0.2.7"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Authenticate(t.Context(), token, from("192.0.2.7"))
	if err != nil || got.Mechanism != fleet.MechanismAnonymous || got.Actor != "anonymous" {
		t.Errorf("%+v, %v", got, err)
	}
	b.set(t, map[string]string{"anonymous": "off"})
	wants(t, try(), ErrNotAllowed)
	_, err = b.Authenticate(t.Context(), token, from("192.0.2.7"))
	wants(t, err, nil) // what was given out is revoked apart
}

// A passcode is refused where Entra ID takes its place, and the attempt is neither
// counted nor hashed.
func TestThePasscodeWhereItIsNotAllowed(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, "correct horse battery")
	b.set(t, map[string]string{"entra": "on", "entra.issuer": "https://login.example", "entra.client_id": "x", "entra.roles": "Deploy"})
	runs := b.hasher.runs.Load()
	for range 20 {
		wants(t, b.try("correct horse battery", "192.0.2.7", "s1"), ErrNotAllowed)
	}
	if n := b.hasher.runs.Load() - runs; n != 0 {
		t.Errorf("%d hashes for nothing", n)
	}
	_, _, err := b.SignInPasscode(t.Context(), "correct horse battery", wire.FullOS, machine("s1"), from("192.0.2.7"))
	wants(t, err, nil)
	b.set(t, map[string]string{"passcode.fullos": "off"})
	_, _, err = b.SignInPasscode(t.Context(), "correct horse battery", wire.FullOS, machine("s1"), from("192.0.2.7"))
	wants(t, err, ErrNotAllowed)
}

// TestSignInsWithoutProofAreBounded: who may sign in without proof makes no records as fast
// as the network carries, and the device is not taken for one that somebody wants.
func TestSignInsWithoutProofAreBounded(t *testing.T) {
	b := newBench(t)
	b.set(t, map[string]string{"anonymous": "on"})
	resolve := b.resolve
	b.resolve = func(ctx context.Context, c fleet.Claim, from netip.Addr, proven bool) (fleet.Device, error) {
		if proven {
			t.Error("it counts as proven")
		}
		return resolve(ctx, c, from, proven)
	}
	in := 0
	var held *ThrottledError
	for i := range 200 {
		_, _, err := b.SignInAnonymous(t.Context(), "", machine(fmt.Sprint("s", i)), from("192.0.2.7"))
		switch {
		case err == nil:
			in++
		case !errors.As(err, &held):
			t.Fatal(err)
		}
	}
	if in < 20 || in > 40 || held == nil {
		t.Errorf("%d of 200 at once were let in (%v)", in, held)
	}
	if _, _, err := b.SignInAnonymous(t.Context(), "", machine("other"), from("192.0.2.8")); err != nil {
		t.Errorf("a neighbour: %v", err)
	}
	b.clock.add(held.RetryAfter)
	if _, _, err := b.SignInAnonymous(t.Context(), "", machine("s1"), from("192.0.2.7")); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}
