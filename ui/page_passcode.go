package ui

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"slipway/ui/internal/view"
)

const passcodeCard = "passcode"

// overlap reads the choice; what nobody offered is none.
func overlap(v *visit) time.Duration {
	d, err := time.ParseDuration(v.form("overlap"))
	if err != nil || d < 0 {
		return 0
	}
	return d
}

// setPasscode sets or rotates the classic shared one.
func (c *Console) setPasscode(v *visit) error {
	p := NewPasscode{Value: v.form("passcode"), Force: v.form("force") == "yes", Overlap: overlap(v)}
	out := view.SecurityView{Open: passcodeCard, Overlap: v.form("overlap")}
	if p.Value != v.form("repeat") {
		out.Error = "The two do not match. Type the passcode twice."
		return c.security(v, http.StatusUnprocessableEntity, out)
	}
	before, err := c.backend.Security.Passcodes(v.ctx())
	if err != nil {
		return err
	}
	err = c.backend.Security.PutPasscode(v.ctx(), v.actor(), p)
	if err == nil {
		notice := "passcode-set"
		for _, s := range before {
			if IsClassic(s) && s.Set {
				notice = "passcode-changed"
			}
		}
		return done(v, view.CardURL(passcodeCard), notice)
	}
	field, text, canForce, ok := inForm(err)
	if !ok {
		return err
	}
	out.CanForce = canForce
	if field == "passcode" {
		out.Error = text
	} else {
		out.Problems = map[string]string{passcodeCard: text}
	}
	return c.security(v, http.StatusUnprocessableEntity, out)
}

// setReminder sets the age from which on a passcode is due for a change.
func (c *Console) setReminder(v *visit) error {
	days, err := strconv.Atoi(v.form("days"))
	if err == nil {
		err = c.backend.Security.SetReminder(v.ctx(), v.actor(), days)
	} else {
		err = &FieldError{Field: "reminder", Detail: "Choose a number of days."}
	}
	if err == nil {
		return done(v, view.CardURL(passcodeCard), "signin-saved")
	}
	_, text, _, ok := inForm(err)
	if !ok {
		return err
	}
	return c.security(v, http.StatusUnprocessableEntity, view.SecurityView{Open: passcodeCard, ReminderError: text})
}

func (c *Console) clearPasscode(v *visit) error {
	if strings.TrimSpace(v.form("confirm")) != "clear" {
		return c.security(v, http.StatusUnprocessableEntity, view.SecurityView{Open: passcodeCard,
			Problems: map[string]string{passcodeCard: "The passcode was kept: type “clear” to confirm."}})
	}
	if err := c.backend.Security.RemovePasscode(v.ctx(), v.actor(), ""); err != nil {
		return err
	}
	return done(v, view.CardURL(passcodeCard), "passcode-cleared")
}

func (c *Console) removePasscode(v *visit) error {
	name := strings.TrimSpace(v.form("name"))
	if name == "" {
		return ErrNotFound // the classic one is cleared with more ado
	}
	if err := c.backend.Security.RemovePasscode(v.ctx(), v.actor(), name); err != nil {
		return err
	}
	return done(v, view.CardURL(passcodeCard), "passcode-removed")
}
