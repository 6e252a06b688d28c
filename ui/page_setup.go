package ui

import (
	"errors"
	"net/http"
	"strings"

	"slipway/ui/internal/view"
)

func (c *Console) showSetup(v *visit) error {
	return c.draw(v, http.StatusOK, view.Setup(c.bare(v, "Set up"), view.SetupView{}))
}

// doSetup makes the first administrator. Only the one-time code opens it; the
// route itself is gone as soon as an account exists.
func (c *Console) doSetup(v *visit) error {
	form := view.SetupView{Code: strings.TrimSpace(v.form("code")), Name: strings.TrimSpace(v.form("name"))}
	err := c.backend.Sessions.Setup(v.ctx(), v.from, form.Code, form.Name, v.form("password"))
	if err == nil {
		if err := c.signIn(v, form.Name, v.form("password")); err != nil {
			return err
		}
		return done(v, "/", "welcome")
	}
	field, text, _, known := inForm(err)
	status := http.StatusUnprocessableEntity
	switch {
	case errors.Is(err, ErrWrong):
		form.CodeError = "This is not the code. Look at the output of the newest start of “slipway serve”."
	case !known:
		return err
	case field == "name":
		form.NameError = text
	case field == "password":
		form.PasswordError = text
	case field == "code":
		form.CodeError = text
	default:
		form.Problem = text
		var wait *Throttled
		if errors.As(err, &wait) {
			status = http.StatusTooManyRequests
			v.w.Header().Set("Retry-After", itoa(seconds(wait.RetryAfter)))
		}
	}
	return c.draw(v, status, view.Setup(c.bare(v, "Set up"), form))
}
