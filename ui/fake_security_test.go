package ui

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway/fleet"
)

type fakeSecurity struct{ *fake }

// fakeSettings are the settings there are, as the appliance names them.
func fakeSettings() []Setting {
	var out []Setting
	for _, line := range []string{"anonymous switch", "certificate switch", "certificate.ca pem", "certificate.crl pem", "certificate.crl_url text",
		"certificate.rules list", "entra switch", "entra.tenant text", "entra.issuer text", "entra.client_id text", "entra.client_secret secret",
		"entra.roles list", "entra.role_claim text", "entra.ca pem", "passcode.fullos switch", "console switch", "console.name text", "console.issuer text",
		"console.client_id text", "console.client_secret secret", "console.role_claim text", "console.viewers list", "console.technicians list",
		"console.administrators list", "console.url text", "console.ca pem", "console.local switch"} {
		name, kind, _ := strings.Cut(line, " ")
		out = append(out, Setting{Name: name, Kind: kind})
	}
	return out
}

func (f fakeSecurity) Mechanisms(context.Context) ([]fleet.Mechanism, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []fleet.Mechanism
	for _, m := range []fleet.Mechanism{fleet.MechanismAnonymous, fleet.MechanismCertificate, fleet.MechanismEntra} {
		if f.settings[string(m)] == "on" {
			out = append(out, m)
		}
	}
	if f.status.Set || len(f.named) > 0 {
		out = append(out, fleet.MechanismPasscode)
	}
	return out, nil
}

func (f fakeSecurity) Settings(context.Context) ([]Setting, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := fakeSettings()
	for i := range out {
		out[i].Value = f.settings[out[i].Name]
		switch {
		case out[i].Kind == KindSwitch:
			out[i].Value = cmp.Or(out[i].Value, "off")
		case out[i].Kind == KindSecret && out[i].Value != "":
			out[i].Value = "set"
		}
	}
	return out, nil
}

func (f fakeSecurity) ChangeSignIn(_ context.Context, by Actor, changes map[string]string, confirm bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := map[string]string{}
	for name, value := range f.settings {
		next[name] = value
	}
	for name, value := range changes {
		if !slices.ContainsFunc(fakeSettings(), func(s Setting) bool { return s.Name == name }) {
			return &FieldError{Field: name, Detail: "There is no such setting."}
		}
		next[name] = value
	}
	breakGlass := false
	for _, a := range f.accounts {
		breakGlass = breakGlass || a.BreakGlass && a.Role == fleet.RoleAdministrator
	}
	switch {
	case next["entra.tenant"] == "common":
		return &FieldError{Field: "entra.tenant", Detail: "name your own tenant (its id or domain): this endpoint lets people of every organisation in"}
	case next["entra"] == "on" && next["entra.tenant"]+next["entra.issuer"] == "":
		return &FieldError{Field: "entra.tenant", Detail: "Name the tenant, or entra.issuer for another provider."}
	case next["certificate"] == "on" && next["certificate.ca"] == "":
		return &FieldError{Field: "certificate.ca", Detail: "Name the authorities first."}
	case next["anonymous"] == "on" && f.settings["anonymous"] != "on" && !confirm:
		return &Confirm{Field: "anonymous", Text: "With anonymous sign-in nobody is asked: whoever can reach this network, " +
			"or walks up to a machine on it, can run every task sequence and erase every disk. It is meant for labs."}
	case next["entra.roles"] == "*" && f.settings["entra.roles"] != "*" && !confirm:
		return &Confirm{Field: "entra.roles", Text: "With * everybody whom the provider lets in may deploy, not only people with a role."}
	case next["console.local"] == "off" && !breakGlass:
		return &Refused{Reason: "This would lock out the administrators: mark a local administrator as break-glass first, for the day when the provider is down."}
	}
	f.settings = next
	for name := range changes {
		f.note(by, "signin.changed", name, "ok")
	}
	f.tell(Change{Kind: ChangeSecurity})
	return nil
}

func (f fakeSecurity) Preview(context.Context) ([]fleet.SignInPreview, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []fleet.SignInPreview
	for _, where := range []struct{ id, name string }{{"linuxpe", "A device booted into the Linux boot image"}, {"winpe", "A device booted into WinPE"}, {"fullos", "An installed system"}} {
		p := fleet.SignInPreview{Environment: where.id}
		for _, m := range []fleet.Mechanism{fleet.MechanismAnonymous, fleet.MechanismCertificate, fleet.MechanismEntra} {
			if f.settings[string(m)] == "on" && (m != fleet.MechanismCertificate || where.id == "fullos") {
				p.Mechanisms = append(p.Mechanisms, m)
			}
		}
		if f.settings["entra"] != "on" || where.id == "fullos" {
			p.Mechanisms = append(p.Mechanisms, fleet.MechanismPasscode)
		}
		p.Text = fmt.Sprintf("%s is asked for %s.", where.name, p.Mechanisms[0])
		out = append(out, p)
	}
	return out, nil
}

func (f fakeSecurity) TestSignIn(_ context.Context, by Actor, m fleet.Mechanism) (fleet.SignInTest, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note(by, "signin.tested", string(m), "ok")
	t := fleet.SignInTest{Mechanism: m, OK: true, Lines: []string{"Shared: set, about 61 bits strong, 3 months old.", "Checking one takes 38 ms here."}}
	if m == fleet.MechanismEntra {
		if f.settings["entra.client_id"] == "" {
			return fleet.SignInTest{Mechanism: m, Lines: []string{"issuer (or tenant) and client id are not set yet"}}, nil
		}
		t.Lines = []string{"https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0 answers (TLS 1.3).", "The device code flow is offered.", "Signing keys: 4."}
	}
	return t, nil
}

func (f fakeSecurity) Warnings(context.Context) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	on := func(name string) bool { return f.settings[name] == "on" }
	var out []string
	if on("anonymous") {
		out = append(out, "Anonymous sign-in is on: anyone on the network can run every task sequence, without being asked.")
	}
	if !on("anonymous") && !on("certificate") && !on("entra") && !f.status.Set && len(f.named) == 0 {
		out = append(out, "No sign-in mechanism is configured: devices ask for a passcode, and nothing is accepted until one is set.")
	}
	return out, nil
}

func (f fakeSecurity) Passcodes(context.Context) ([]fleet.PasscodeStatus, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []fleet.PasscodeStatus
	if f.status.Set {
		out = append(out, f.status)
	}
	return append(out, f.named...), nil
}

func (f fakeSecurity) PutPasscode(_ context.Context, by Actor, p NewPasscode) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.readOnly:
		return fmt.Errorf("writing the passcode: %w", ErrReadOnly)
	case strings.Contains(p.Name, " "):
		return &FieldError{Field: "name", Detail: "Use 1 to 64 letters a to z, digits, and . _ @ -"}
	case len(p.Value) < 4:
		return &FieldError{Field: "passcode", Detail: "Use at least 4 characters."}
	case len(p.Value) < 12 && !p.Force:
		return &FieldError{Field: "passcode", Detail: "About 24 bits: this can be guessed in days. Use 12 characters or more, or the suggestion.", CanForce: true}
	case slices.ContainsFunc(p.Scope.Networks, func(n string) bool { return !strings.Contains(n, "/") }):
		return &FieldError{Field: "scope", Detail: "Write networks as 192.0.2.0/24."}
	}
	f.put = p
	status := fleet.PasscodeStatus{Name: p.Name, Set: true, SetAt: f.now(), SetBy: by.Name, Bits: float64(len(p.Value)) * 4.1, Age: "less than a day",
		Forced: p.Force, ExpiresAt: p.ExpiresAt, MaxUses: p.MaxUses, Scope: p.Scope}
	if p.Overlap > 0 {
		status.Previous = f.now().Add(p.Overlap)
	}
	if p.Name == "" {
		f.passcode, f.status = p.Value, status
	} else {
		f.named = append(slices.DeleteFunc(f.named, func(x fleet.PasscodeStatus) bool { return x.Name == p.Name }), status)
	}
	f.note(by, "passcode.set", p.Name, "ok")
	f.tell(Change{Kind: ChangeSecurity})
	return nil
}

func (f fakeSecurity) RemovePasscode(_ context.Context, by Actor, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.named)
	f.named = slices.DeleteFunc(f.named, func(x fleet.PasscodeStatus) bool { return x.Name == name })
	switch {
	case name == "":
		f.passcode, f.status = "", fleet.PasscodeStatus{}
	case len(f.named) == before:
		return ErrNotFound
	}
	f.note(by, "passcode.cleared", name, "ok")
	f.tell(Change{Kind: ChangeSecurity})
	return nil
}

func (f fakeSecurity) Reminder(context.Context) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reminder, nil
}

func (f fakeSecurity) SetReminder(_ context.Context, by Actor, days int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if days < 0 || days > 3650 {
		return &FieldError{Field: "reminder", Detail: "0 (never) to 3650 days."}
	}
	f.reminder = days
	f.note(by, "settings.changed", "", "ok")
	return nil
}

func (f fakeSecurity) GeneratePasscode() string { return "plinth walrus ochre 47" }

func (f fakeSecurity) Held(context.Context) ([]fleet.Held, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.held), nil
}

func (f fakeSecurity) Release(_ context.Context, by Actor, code string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.held {
		if f.held[i].Code == code {
			f.held[i].Released = true
			f.note(by, "device.released", code, "ok")
			f.tell(Change{Kind: ChangeSecurity})
			return nil
		}
	}
	return ErrNotFound
}

// furnishSecurity is sign-in as a company with some sites might have it.
func (f *fake) furnishSecurity(now time.Time) {
	f.reminder = 90
	f.passcode, f.status = "bcdefghjknprstu", fleet.PasscodeStatus{Set: true, SetAt: now.Add(-97 * 24 * time.Hour), SetBy: "anna", Bits: 61, Age: "3 months", Old: true}
	f.named = []fleet.PasscodeStatus{
		{Name: "site-leipzig", Set: true, SetAt: now.Add(-20 * 24 * time.Hour), SetBy: "anna", Bits: 56, Age: "20 days", Uses: 131, Previous: now.Add(5 * time.Hour),
			Scope: fleet.Scope{Networks: []string{"192.0.2.0/24", "2001:db8:17::/48"}}},
		{Name: "contractor", Set: true, SetAt: now.Add(-2 * time.Hour), SetBy: "bert", Bits: 52, Age: "2 hours", Uses: 3, MaxUses: 10, ExpiresAt: now.Add(22*time.Hour + time.Minute),
			Scope: fleet.Scope{Sequences: []string{"office"}, Devices: []string{"d0001", "d0003"}}},
		{Name: "fair-2026", Set: true, SetAt: now.Add(-50 * 24 * time.Hour), SetBy: "bert", Bits: 31, Age: "50 days", Uses: 40, MaxUses: 40, Forced: true,
			ExpiresAt: now.Add(-19 * 24 * time.Hour), Expired: true, Scope: fleet.Scope{Sequences: []string{"hello"}}},
	}
	f.held = []fleet.Held{{Code: "K4-7XQ", Address: "192.0.2.77", Device: "OptiPlex 7010, 52:54:00:ab:cd:09", Reason: "too many wrong passcodes in 192.0.2.0/24", Since: now.Add(-6 * time.Minute)}}
	f.tokens = []fleet.Token{
		{ID: "0a11c2d3e4f5", Kind: fleet.TokenDevice, DeviceID: "d0001", Deployment: "run1", Mechanism: fleet.MechanismEntra, Actor: "mia.koch@contoso.example", Address: "192.0.2.20", CreatedAt: now.Add(-4 * time.Minute), ExpiresAt: now.Add(4 * time.Hour)},
		{ID: "1b22d3e4f5a6", Kind: fleet.TokenDevice, DeviceID: "d0002", Deployment: "run2", Mechanism: fleet.MechanismPasscode, Actor: "passcode", Passcode: "site-leipzig", Address: "192.0.2.21", CreatedAt: now.Add(-95 * time.Second), ExpiresAt: now.Add(4 * time.Hour)},
		{ID: "2c33e4f5a6b7", Kind: fleet.TokenDevice, DeviceID: "d0003", Mechanism: fleet.MechanismPasscode, Actor: "passcode", Passcode: "default", Address: "192.0.2.22", CreatedAt: now.Add(-70 * time.Minute), ExpiresAt: now.Add(90 * time.Second), Deployment: "bad1", Ended: true},
		{ID: "3d44f5a6b7c8", Kind: fleet.TokenDevice, DeviceID: "d0004", Mechanism: fleet.MechanismPasscode, Address: "192.0.2.23", CreatedAt: now.Add(-9 * time.Hour), ExpiresAt: now.Add(-5 * time.Hour)},
		{ID: "4e55a6b7c8d9", Kind: fleet.TokenAPI, Name: "inventory-sync", Role: fleet.RoleViewer, CreatedAt: now.Add(-40 * 24 * time.Hour), ExpiresAt: now.Add(50 * 24 * time.Hour)},
		{ID: "5f66b7c8d9ea", Kind: fleet.TokenAPI, Name: "nightly-import", Role: fleet.RoleAdministrator, CreatedAt: now.Add(-400 * 24 * time.Hour), ExpiresAt: now.Add(-time.Hour)},
	}
}
