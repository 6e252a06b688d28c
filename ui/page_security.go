package ui

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"slipway/fleet"
	"slipway/ui/internal/view"
)

func (c *Console) showSecurity(v *visit) error {
	return c.security(v, http.StatusOK, view.SecurityView{Open: v.query("open")})
}

// security draws the page; out carries what a form brought: errors, what was
// typed, what a test found.
func (c *Console) security(v *visit, status int, out view.SecurityView) error {
	p, err := c.page(v, "Security", "security", "changed:security,changed:access")
	if err != nil {
		return err
	}
	settings, err := c.backend.Security.Settings(v.ctx())
	if err != nil {
		return err
	}
	if out.Open != "" {
		out.Notice, p.Notice = p.Notice, "" // the card is in view, the head of the page is not
	}
	out.S = view.Settings{}
	for _, s := range settings {
		shown := view.Setting{Name: s.Name, Kind: s.Kind, Kept: s.Value, Value: s.Value, Error: out.Errors[s.Name]}
		if typed, ok := out.Typed[s.Name]; ok && s.Kind != KindSecret {
			shown.Value = typed
		}
		if s.Kind == KindPEM {
			shown.Facts = describePEM(s.Value)
		}
		out.S[s.Name] = shown
	}
	if out.Preview, err = c.backend.Security.Preview(v.ctx()); err != nil {
		return err
	}
	if err := c.passcodes(v, &out); err != nil {
		return err
	}
	if out.Reminder, err = c.backend.Security.Reminder(v.ctx()); err != nil {
		return err
	}
	if out.Held, err = c.backend.Security.Held(v.ctx()); err != nil {
		return err
	}
	tokens, err := c.deviceTokens(v.ctx())
	if err != nil {
		return err
	}
	out.SignedIn = len(tokens)
	out.Suggestion = c.backend.Security.GeneratePasscode()
	out.Callback = callbackURL(out.S["console.url"].Kept, v.r.Host)
	return c.draw(v, status, view.Security(p, out))
}

// callbackURL is what an administrator registers at the provider.
func callbackURL(origin, host string) string {
	if origin == "" {
		origin = "https://" + host
	}
	return strings.TrimSuffix(origin, "/") + "/login/callback"
}

func (c *Console) passcodes(v *visit, out *view.SecurityView) error {
	all, err := c.backend.Security.Passcodes(v.ctx())
	if err != nil {
		return err
	}
	devices, err := c.deviceNames(v.ctx())
	if err != nil {
		return err
	}
	sequences, err := c.sequenceNames(v.ctx())
	if err != nil {
		return err
	}
	for _, s := range all {
		if IsClassic(s) {
			out.Status = s
			continue
		}
		row := view.PasscodeRow{P: s, State: passcodeState(s)}
		for _, id := range s.Scope.Sequences {
			row.Sequences = append(row.Sequences, sequences.of(id))
		}
		for _, id := range s.Scope.Devices {
			row.Devices = append(row.Devices, devices.of(id))
		}
		out.Named = append(out.Named, row)
	}
	slices.SortFunc(out.Named, func(a, b view.PasscodeRow) int { return compareText(a.P.Name, b.P.Name) })
	return nil
}

// passcodeState is the badge of a named passcode.
func passcodeState(p fleet.PasscodeStatus) view.Field {
	switch {
	case p.Expired:
		return view.Field{Status: view.Offline, Text: "Expired"}
	case p.MaxUses > 0 && p.Uses >= p.MaxUses:
		return view.Field{Status: view.Offline, Text: "Used up"}
	case p.Forced:
		return view.Field{Status: view.Waiting, Text: "Weak"}
	case p.Old:
		return view.Field{Status: view.Waiting, Text: "Due for a change"}
	}
	return view.Field{Status: view.Done, Text: "Works"}
}

// changeSignIn saves the settings of one card.
func (c *Console) changeSignIn(v *visit) error {
	have, err := c.backend.Security.Settings(v.ctx())
	if err != nil {
		return err
	}
	card := view.CardName(v.form("card"))
	changes, typed, err := readSettings(v, have)
	if err == nil && len(changes) == 0 {
		return done(v, view.CardURL(card), "signin-same")
	}
	if err == nil {
		err = c.backend.Security.ChangeSignIn(v.ctx(), v.actor(), changes, v.form("confirm") == "yes")
	}
	if err == nil {
		return done(v, view.CardURL(card), "signin-saved")
	}
	var confirm *Confirm
	if errors.As(err, &confirm) {
		return c.askConfirm(v, card, confirm, have, changes)
	}
	out := view.SecurityView{Open: card, Typed: typed}
	field, text, _, ok := inForm(err)
	switch {
	case !ok:
		return err
	case field != "" && slices.ContainsFunc(have, func(s Setting) bool { return s.Name == field }):
		out.Errors = map[string]string{field: text}
		out.Open = view.CardOf(field)
	case len(changes) == 1: // what was refused is plain
		out.Errors = map[string]string{}
		for name := range changes {
			out.Errors[name] = text
		}
	default:
		out.Problems = map[string]string{card: text}
	}
	return c.security(v, http.StatusUnprocessableEntity, out)
}

// askConfirm is the page between a change that opens the appliance and its
// effect. A secret does not go through it: it is typed again there.
func (c *Console) askConfirm(v *visit, card string, why *Confirm, have []Setting, changes map[string]string) error {
	p, err := c.page(v, "Confirm the change", "security", "")
	if err != nil {
		return err
	}
	out := view.ConfirmView{Card: card, Field: why.Field, Text: why.Text}
	for _, s := range have {
		value, changed := changes[s.Name]
		switch {
		case !changed:
		case s.Kind == KindSecret && value != "":
			out.Secrets = append(out.Secrets, s.Name)
		default:
			out.Changes = append(out.Changes, view.Option{Value: value, Label: s.Name})
		}
	}
	return c.draw(v, http.StatusOK, view.Confirm(p, out))
}

// testSignIn tries what is kept, and shows on the card what was found; what is
// typed there and not saved stays typed.
func (c *Console) testSignIn(v *visit) error {
	m := fleet.Mechanism(v.form("mechanism"))
	card := view.CardName(string(m))
	if card == "" {
		return ErrNotFound
	}
	have, err := c.backend.Security.Settings(v.ctx())
	if err != nil {
		return err
	}
	out := view.SecurityView{Open: card, TestCard: card}
	changes, typed, err := readSettings(v, have)
	out.Typed, out.Unsaved = typed, len(changes) > 0 || err != nil
	found, err := c.backend.Security.TestSignIn(v.ctx(), v.actor(), m)
	if err == nil {
		out.Test = &found
		return c.security(v, http.StatusOK, out)
	}
	_, text, _, ok := inForm(err)
	if !ok {
		return err
	}
	out.TestCard, out.Problems = "", map[string]string{card: text}
	return c.security(v, http.StatusUnprocessableEntity, out)
}

func (c *Console) releaseHeld(v *visit) error {
	if err := c.backend.Security.Release(v.ctx(), v.actor(), v.form("code")); err != nil {
		return err
	}
	return done(v, "/admin/security", "released")
}
