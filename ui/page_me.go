package ui

import (
	"net/http"
	"time"

	"slipway/ui/internal/view"
)

func (c *Console) showMe(v *visit) error {
	p, err := c.page(v, v.account.Name, "me", "")
	if err != nil {
		return err
	}
	return c.draw(v, http.StatusOK, view.Me(p, view.MeView{SessionEnds: view.Absolute(v.session.ExpiresAt)}))
}

// setTheme keeps the choice in a cookie, so that the server draws the page in
// the right colours at once.
func (c *Console) setTheme(v *visit) error {
	choice := v.form("theme")
	if choice != "light" && choice != "dark" {
		choice = ""
	}
	setCookie(v.w, themeCookie, choice, c.now().Add(400*24*time.Hour))
	return done(v, "/me", "theme")
}
