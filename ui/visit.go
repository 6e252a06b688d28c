package ui

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/a-h/templ"
	"github.com/gin-gonic/gin"

	"slipway/fleet"
	"slipway/ui/internal/view"
)

// visit is one request with what is known of who makes it.
type visit struct {
	w       http.ResponseWriter
	r       *http.Request
	param   func(name string) string
	from    netip.Addr
	id      string // reference for the log
	account fleet.Account
	session fleet.Session
	csrf    string // the token this visitor's forms must carry
	setup   bool   // no account exists yet
	since   string // position in the live stream before anything was read
}

func (v *visit) ctx() context.Context { return v.r.Context() }
func (v *visit) signedIn() bool       { return v.account.Name != "" }
func (v *visit) actor() Actor         { return Actor{Name: v.account.Name, Address: v.from} }

// form is the value of a field of the body; the address is never looked at.
func (v *visit) form(name string) string { return v.r.PostFormValue(name) }

// query is the value of a field of the address.
func (v *visit) query(name string) string { return v.r.URL.Query().Get(name) }

// serve wraps a route's handler: who is it, may they, is the form ours, and
// what does an error look like.
func (c *Console) serve(r route) gin.HandlerFunc {
	return func(g *gin.Context) {
		v := &visit{w: g.Writer, r: g.Request, param: g.Param, id: rand.Text()[:12], since: c.hub.position()}
		if ap, err := netip.ParseAddrPort(g.Request.RemoteAddr); err == nil {
			v.from = ap.Addr().Unmap()
		}
		err := c.identify(v)
		if err == nil {
			err = c.admit(r, v)
		}
		switch {
		case err != nil || r.method == http.MethodGet || r.method == http.MethodHead:
		case r.raw:
			err = c.guardRaw(v)
		default:
			err = c.guardForm(r, v)
		}
		if err == nil {
			err = r.handle(c, v)
		}
		if err != nil {
			c.fail(v, err)
		}
	}
}

// identify finds the account behind the cookie, and whether one exists at all.
func (c *Console) identify(v *visit) error {
	if cookie, err := v.r.Cookie(sessionCookie); err == nil && cookie.Value != "" {
		account, session, err := c.backend.Sessions.Session(v.ctx(), cookie.Value)
		switch {
		case err == nil:
			v.account, v.session, v.csrf = account, session, session.CSRF
			return nil
		case !errors.Is(err, ErrSignedOut):
			return err
		}
	}
	var err error
	if v.setup, err = c.backend.Sessions.NeedsSetup(v.ctx()); err != nil {
		return err
	}
	v.csrf = formToken(v)
	return nil
}

// elsewhere is an error that sends the visitor to another page.
type elsewhere string

func (e elsewhere) Error() string { return "go to " + string(e) }

var (
	errNotAllowed = errors.New("this needs another role")
	errSignIn     = errors.New("sign in first")
)

// admit applies the route's access rule.
func (c *Console) admit(r route, v *visit) error {
	switch r.access {
	case everyone:
		return nil
	case setupOnly:
		if !v.setup || v.signedIn() {
			return ErrNotFound
		}
		return nil
	}
	if (v.setup || !v.signedIn()) && v.r.URL.Path == "/events" {
		return errSignIn // an EventSource would follow a redirect for ever
	}
	if v.setup {
		return elsewhere("/setup")
	}
	if !v.signedIn() {
		return elsewhere(loginURL(v.r))
	}
	if role := r.access.role(); role == "" || !v.account.Role.Includes(role) {
		return errNotAllowed
	}
	return nil
}

// page fills in what every page shows.
func (c *Console) page(v *visit, title, area, topics string) (view.Page, error) {
	p := c.bare(v, title)
	p.Area, p.Topics = area, withTopic(topics, "changed:security") // the warnings
	p.Notice = notices[v.query("done")]
	var err error
	if p.Warnings, err = c.backend.Security.Warnings(v.ctx()); err != nil {
		return p, err
	}
	all, err := c.backend.Deployments.List(v.ctx())
	if err != nil {
		return p, err
	}
	p.Running = countRunning(all)
	return p, nil
}

// withTopic adds a topic to those of a page, once.
func withTopic(topics, topic string) string {
	switch {
	case topics == "":
		return topic
	case strings.Contains(","+topics+",", ","+topic+","):
		return topics
	}
	return topics + "," + topic
}

// bare is a page for somebody not signed in, or when little works.
func (c *Console) bare(v *visit, title string) view.Page {
	return view.Page{
		Title: title, Account: v.account, CSRF: v.csrf, Theme: theme(v.r), Base: c.assets.URL(""),
		Path: v.r.URL.Path, Since: v.since, Now: c.now(), Version: c.backend.Health.Version(),
	}
}

// draw sends a page whole or not at all, so that a failure while drawing is
// still an error page and not half of one.
func (c *Console) draw(v *visit, status int, page templ.Component) error {
	var body bytes.Buffer
	if err := page.Render(v.ctx(), &body); err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	if v.r.Method != http.MethodHead {
		if _, err := body.WriteTo(v.w); err != nil {
			c.log.DebugContext(v.ctx(), "the browser left before its page was sent", slog.Any("error", err))
		}
	}
	return nil
}

// done answers a form: on to a page that says what was done. to may have a query
// and a fragment of its own.
func done(v *visit, to, notice string) error {
	u, err := url.Parse(to)
	if err != nil {
		return err
	}
	q := u.Query()
	q.Set("done", notice)
	u.RawQuery = q.Encode()
	http.Redirect(v.w, v.r, u.String(), http.StatusSeeOther)
	return nil
}
