package ui

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway/fleet"
	"slipway/ui/internal/view"
)

// showPasscode is the form of a new named passcode, or of a new value for one.
func (c *Console) showPasscode(v *visit) error {
	out := view.PasscodeFormView{Life: "168h"}
	name := strings.TrimSpace(v.query("name"))
	if name == "" {
		return c.passcodeForm(v, http.StatusOK, out)
	}
	all, err := c.backend.Security.Passcodes(v.ctx())
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(p fleet.PasscodeStatus) bool { return !IsClassic(p) && p.Name == name })
	if i < 0 {
		return ErrNotFound
	}
	p := all[i]
	names, err := c.deviceNames(v.ctx())
	if err != nil {
		return err
	}
	out.Name, out.Rotates, out.Life = p.Name, true, ""
	if p.MaxUses > 0 {
		out.MaxUses = itoa(p.MaxUses)
	}
	if !p.ExpiresAt.IsZero() {
		out.Until, out.Life = p.ExpiresAt, view.Stamp(p.ExpiresAt)
	}
	for _, id := range p.Scope.Devices {
		out.Devices += names.of(id) + "\n"
	}
	out.Networks, out.Chosen = strings.Join(p.Scope.Networks, "\n"), p.Scope.Sequences
	return c.passcodeForm(v, http.StatusOK, out)
}

// passcodeForm draws the form; out carries what was typed and what is wrong.
func (c *Console) passcodeForm(v *visit, status int, out view.PasscodeFormView) error {
	title := "Add a passcode"
	if out.Rotates {
		title = "Change the passcode " + out.Name
	}
	p, err := c.page(v, title, "security", "")
	if err != nil {
		return err
	}
	sequences, err := c.backend.Sequences.List(v.ctx())
	if err != nil {
		return err
	}
	for _, s := range newestVersions(sequences) {
		out.Sequences = append(out.Sequences, view.Option{Value: s.S.ID, Label: s.S.Name, Selected: slices.Contains(out.Chosen, s.S.ID)})
	}
	for _, id := range out.Chosen { // one that was removed since stays chosen until somebody takes it away
		if !slices.ContainsFunc(out.Sequences, func(o view.Option) bool { return o.Value == id }) {
			out.Sequences = append(out.Sequences, view.Option{Value: id, Label: id + " (not in the library)", Selected: true})
		}
	}
	out.Suggestion = c.backend.Security.GeneratePasscode()
	return c.draw(v, status, view.PasscodeForm(p, out))
}

// putPasscode adds or rotates a named passcode.
func (c *Console) putPasscode(v *visit) error {
	out := view.PasscodeFormView{
		Name: strings.TrimSpace(v.form("name")), Rotates: v.form("rotates") == "yes", Life: v.form("life"), MaxUses: strings.TrimSpace(v.form("uses")),
		Devices: v.form("devices"), Networks: v.form("networks"), Overlap: v.form("overlap"), Chosen: v.r.PostForm["sequence"],
	}
	put, err := c.readPasscode(v, out)
	if err == nil {
		err = c.backend.Security.PutPasscode(v.ctx(), v.actor(), put)
	}
	if err == nil {
		return done(v, view.CardURL(passcodeCard), "passcode-added")
	}
	field, text, canForce, ok := inForm(err)
	if !ok {
		return err
	}
	out.CanForce = canForce
	if slices.Contains([]string{"name", "passcode", "expiresAt", "maxUses", "devices", "networks", "scope", "overlap"}, field) {
		out.Errors = map[string]string{field: text}
	} else {
		out.Problem = text
	}
	return c.passcodeForm(v, http.StatusUnprocessableEntity, out)
}

// readPasscode turns the form into what the backend takes.
func (c *Console) readPasscode(v *visit, form view.PasscodeFormView) (p NewPasscode, err error) {
	p = NewPasscode{Name: form.Name, Value: v.form("passcode"), Force: v.form("force") == "yes",
		Overlap: overlap(v), Scope: fleet.Scope{Sequences: form.Chosen, Networks: words(form.Networks)}}
	switch {
	case p.Name == "":
		return p, &FieldError{Field: "name", Detail: "Give it a name, e.g. of the site or the person it is for."}
	case p.Value != v.form("repeat"):
		return p, &FieldError{Field: "passcode", Detail: "The two do not match. Type the passcode twice."}
	}
	if p.ExpiresAt, err = c.readLife(form.Life); err != nil {
		return p, err
	}
	if form.MaxUses != "" {
		if p.MaxUses, err = strconv.Atoi(form.MaxUses); err != nil || p.MaxUses < 0 {
			return p, &FieldError{Field: "maxUses", Detail: "Type a whole number, or nothing for any number of sign-ins."}
		}
	}
	p.Scope.Devices, err = c.findDevices(v.ctx(), words(form.Devices))
	return p, err
}

// readLife takes a duration from now, the time a passcode ends already, or nothing.
func (c *Console) readLife(life string) (time.Time, error) {
	if life == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(life); err == nil && d > 0 {
		return c.now().Add(d).UTC(), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, life); err == nil {
		return t, nil
	}
	return time.Time{}, &FieldError{Field: "expiresAt", Detail: "Choose how long it works."}
}

// findDevices turns what people call devices into ids: a name, a serial number,
// a MAC address or the id itself.
func (c *Console) findDevices(ctx context.Context, wanted []string) ([]string, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	all, err := c.backend.Devices.List(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, w := range wanted {
		var found []string
		for _, d := range all {
			if isCalled(d, w) {
				found = append(found, d.ID)
			}
		}
		switch len(found) {
		case 0:
			return nil, &FieldError{Field: "devices", Detail: fmt.Sprintf("No device is called “%s”. Use a name, serial number or MAC address as the list of devices shows it.", w)}
		case 1:
			ids = append(ids, found[0])
		default:
			return nil, &FieldError{Field: "devices", Detail: fmt.Sprintf("“%s” is the name of %d devices. Use the MAC address or the device id.", w, len(found))}
		}
	}
	return ids, nil
}

func isCalled(d fleet.Device, name string) bool {
	same := func(s string) bool { return s != "" && strings.EqualFold(s, name) }
	return same(d.ID) || same(view.DeviceName(d)) || same(d.Serial) || slices.ContainsFunc(d.MACs, same)
}

// deviceNames maps ids to what devices are called.
type deviceNames map[string]string

func (n deviceNames) of(id string) string {
	if name := n[id]; name != "" {
		return name
	}
	return id
}

func (c *Console) deviceNames(ctx context.Context) (deviceNames, error) {
	all, err := c.backend.Devices.List(ctx)
	if err != nil {
		return nil, err
	}
	names := make(deviceNames, len(all))
	for _, d := range all {
		names[d.ID] = view.DeviceName(d)
	}
	return names, nil
}
