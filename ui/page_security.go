package ui

import (
	"crypto/rand"
	"net/http"
	"strings"

	"slipway/ui/internal/view"
)

func (c *Console) showSecurity(v *visit) error {
	return c.security(v, http.StatusOK, view.SecurityView{})
}

// security draws the page; out carries the error of a form, if any.
func (c *Console) security(v *visit, status int, out view.SecurityView) error {
	p, err := c.page(v, "Security", "security", "changed:security")
	if err != nil {
		return err
	}
	if out.Status, err = c.backend.Security.Passcode(v.ctx()); err != nil {
		return err
	}
	if out.Mechanisms, err = c.backend.Security.Mechanisms(v.ctx()); err != nil {
		return err
	}
	if out.Held, err = c.backend.Security.Held(v.ctx()); err != nil {
		return err
	}
	out.Suggestion = suggestPasscode()
	return c.draw(v, status, view.Security(p, out))
}

// suggestAlphabet holds letters that are easy to tell apart and sit at the same
// place on QWERTY, QWERTZ and AZERTY keyboards: the prompt on a device may have
// another layout than this browser.
const suggestAlphabet = "bcdefghjknprstuvx"

// suggestPasscode is 15 such letters, about 61 bits. It is shown once and kept
// nowhere.
func suggestPasscode() string {
	const length, n = 15, len(suggestAlphabet)
	out := make([]byte, 0, length)
	var b [64]byte
	for {
		rand.Read(b[:]) //nolint:errcheck // never fails
		for _, x := range b {
			if int(x) >= 256/n*n { // the rest would favour the first letters
				continue
			}
			if out = append(out, suggestAlphabet[int(x)%n]); len(out) == length {
				return string(out)
			}
		}
	}
}

func (c *Console) setPasscode(v *visit) error {
	value := v.form("passcode")
	if value != v.form("repeat") {
		return c.security(v, http.StatusUnprocessableEntity, view.SecurityView{Error: "The two do not match. Type the passcode twice."})
	}
	before, err := c.backend.Security.Passcode(v.ctx())
	if err != nil {
		return err
	}
	err = c.backend.Security.SetPasscode(v.ctx(), v.actor(), value, v.form("force") == "yes")
	if err == nil {
		notice := "passcode-set"
		if before.Set {
			notice = "passcode-changed"
		}
		return done(v, "/admin/security", notice)
	}
	field, text, canForce, ok := inForm(err)
	if !ok {
		return err
	}
	out := view.SecurityView{CanForce: canForce}
	if field == "passcode" {
		out.Error = text
	} else {
		out.Problem = text
	}
	return c.security(v, http.StatusUnprocessableEntity, out)
}

func (c *Console) clearPasscode(v *visit) error {
	if strings.TrimSpace(v.form("confirm")) != "clear" {
		return c.security(v, http.StatusUnprocessableEntity, view.SecurityView{ClearError: "The passcode was kept: type “clear” to confirm."})
	}
	if err := c.backend.Security.ClearPasscode(v.ctx(), v.actor()); err != nil {
		return err
	}
	return done(v, "/admin/security", "passcode-cleared")
}

func (c *Console) releaseHeld(v *visit) error {
	if err := c.backend.Security.Release(v.ctx(), v.actor(), v.form("code")); err != nil {
		return err
	}
	return done(v, "/admin/security", "released")
}
