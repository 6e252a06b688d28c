package devices

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// box seals by writing the purpose in front and turning every bit around.
type box struct{}

func (box) Seal(plain []byte, purpose string) ([]byte, error) {
	return append([]byte(purpose+"\n"), turned(plain)...), nil
}

func (box) Open(sealed []byte, purpose string) ([]byte, error) {
	rest, ok := bytes.CutPrefix(sealed, []byte(purpose+"\n"))
	if !ok {
		return nil, errors.New("sealed for another place")
	}
	return turned(rest), nil
}

func turned(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = ^b[i]
	}
	return out
}

func text(s string) tasksequence.Value   { return tasksequence.Value{Text: s} }
func secret(s string) tasksequence.Value { return tasksequence.Value{Text: s, Secret: true} }

// TestVariablesOfADevice: they are kept sorted, secret ones sealed, a secret is kept
// when nobody gives it again, also under a new name, and the audit log has names only.
func TestVariablesOfADevice(t *testing.T) {
	a, lines, d := adminOf(t)
	a.sealer = box{}
	by := Actor{Name: "anna"}
	set := func(list ...Variable) fleet.Device {
		t.Helper()
		if err := a.SetVariables(t.Context(), by, d.ID, list); err != nil {
			t.Fatal(err)
		}
		got, err := a.Get(t.Context(), d.ID)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	got := set(Variable{Name: "JoinPassword", Value: secret("hunter2")}, Variable{Name: "ComputerName", Value: text("PC-1")}, Variable{Name: "Apps", Value: tasksequence.Value{List: []string{"a", "b"}}})
	if len(got.Variables) != 3 || got.Variables[0].Name != "Apps" || string(got.Variables[0].Value) != `["a","b"]` || string(got.Variables[1].Value) != `"PC-1"` {
		t.Errorf("kept %+v", got.Variables)
	}
	if v := got.Variables[2]; !v.Secret || v.Value != nil || bytes.Contains(v.Sealed, []byte("hunter2")) {
		t.Errorf("the secret is kept as %+v", v)
	}
	got = set(Variable{Name: "DomainPassword", Value: secret(""), Keep: "joinpassword"})
	plain, err := box{}.Open(got.Variables[0].Sealed, fleet.VariablePurpose(d.ID, "DomainPassword"))
	if err != nil || string(plain) != `"hunter2"` {
		t.Errorf("the kept secret is %q, %v", plain, err)
	}
	for _, e := range *lines {
		if e.Action != "device.variables" || strings.Contains(e.Object+e.Reason, "hunter2") || strings.Contains(e.Object, "PC-1") {
			t.Errorf("audit %+v", e)
		}
	}
	if object := (*lines)[0].Object; object != "JoinPassword (secret), ComputerName, Apps" {
		t.Errorf("audit says %q", object)
	}

	err = a.SetVariables(t.Context(), by, d.ID, []Variable{{Name: "ok", Value: text("x")}, {Name: "two words", Value: text("x")}, {Name: "OK", Value: text("x")},
		{Name: "_Read", Value: text("x")}, {Name: "Pw", Value: secret(""), Keep: "Pw"}, {Name: "Long", Value: text(strings.Repeat("x", maxVariableBytes))}})
	var wrong VariableErrors
	if !errors.As(err, &wrong) || !errors.Is(err, ErrInvalid) || len(wrong) != 5 {
		t.Fatalf("got %v", err)
	}
	for i, want := range []string{"1 name", "2 name", "3 name", "4 value", "5 value"} {
		if got := string(rune('0'+wrong[i].Index)) + " " + wrong[i].Field; got != want {
			t.Errorf("problem %d is of %s: %s", i, got, wrong[i].Detail)
		}
	}
	if after, _ := a.Get(t.Context(), d.ID); len(after.Variables) != 1 {
		t.Errorf("a refused change changed %+v", after.Variables)
	}
}

// TestMergingKeepsVariables: those of the device that goes are added, their secrets
// sealed for their new place.
func TestMergingKeepsVariables(t *testing.T) {
	a, _, keep := adminOf(t)
	a.sealer = box{}
	drop, err := a.Resolve(t.Context(), fleet.Claim{MACs: []string{"52:54:00:00:00:02"}}, Seen{SignedIn: true})
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(a.Service.SetVariables(t.Context(), keep.ID, []Variable{{Name: "Site", Value: text("lab")}}),
		a.Service.SetVariables(t.Context(), drop.ID, []Variable{{Name: "site", Value: text("attic")}, {Name: "Pw", Value: secret("hunter2")}}),
		a.Service.Merge(t.Context(), keep.ID, drop.ID))
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.Get(t.Context(), keep.ID)
	if err != nil || len(got.Variables) != 2 || string(got.Variables[1].Value) != `"lab"` {
		t.Fatalf("%+v, %v", got.Variables, err)
	}
	if plain, err := (box{}).Open(got.Variables[0].Sealed, fleet.VariablePurpose(keep.ID, "Pw")); err != nil || string(plain) != `"hunter2"` {
		t.Errorf("the secret: %q, %v", plain, err)
	}
}

// TestADeviceWithVariablesIsNoStranger: somebody set them, so it is not forgotten.
func TestADeviceWithVariablesIsNoStranger(t *testing.T) {
	a, _, d := adminOf(t)
	if err := a.Service.SetVariables(t.Context(), d.ID, []Variable{{Name: "Site", Value: text("lab")}}); err != nil {
		t.Fatal(err)
	}
	err := a.store.View(func(tx *state.Tx) error {
		got, err := lookup(tx, d.ID)
		if err == nil && stranger(tx, got) {
			t.Error("it counts as a machine nobody did anything with")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
