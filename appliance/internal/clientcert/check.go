package clientcert

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"slipway/fleet"
)

// Check looks whether the settings can be used, for the test button: what was
// found, a line each, and as the error what keeps certificates from being
// accepted. A list behind a URL is fetched now.
func (v *Verifier) Check(ctx context.Context, s fleet.CertificateSignIn) (lines []string, err error) {
	c := check{now: v.now()}
	pool, uploaded, err := v.parsed.get(s)
	if err != nil {
		return nil, err
	}
	c.authorities(pool)
	c.lists(pool, uploaded)
	all := uploaded
	if s.CRLURL != "" {
		src := v.fetcher.source(ctx, s.CRLURL)
		if err := v.fetcher.refresh(ctx, src, pool, true); err != nil {
			c.problem("the revocation list of %s: %s", s.CRLURL, short(err))
		}
		fetched, _ := src.current(c.now)
		c.lists(pool, fetched)
		all = append(all[:len(all):len(all)], fetched...)
	}
	c.coverage(pool, all, s)
	c.rules(s.Rules)
	return c.found, errors.Join(c.problems...)
}

// check collects what is found.
type check struct {
	now      time.Time
	found    []string
	problems []error
}

func (c *check) line(format string, args ...any) {
	c.found = append(c.found, fmt.Sprintf(format, args...))
}

func (c *check) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf(format, args...))
}

func (c *check) authorities(p *pool) {
	c.line("%s:", count(len(p.all), "authority", "authorities"))
	valid := 0
	for _, a := range p.all {
		name := plain(subjectName(a))
		switch {
		case c.now.After(a.NotAfter):
			c.line("%s, expired since %s", name, day(a.NotAfter))
		case c.now.Before(a.NotBefore):
			c.line("%s, not valid before %s", name, day(a.NotBefore))
		default:
			valid++
			c.line("%s, valid until %s", name, day(a.NotAfter))
		}
	}
	if valid == 0 {
		c.problem("none of the authorities is valid now")
	}
}

func (c *check) lists(p *pool, lists []*list) {
	for _, l := range lists {
		c.line("revocation list of %s, %s, next update %s", l.issuer(), count(len(l.serials), "entry", "entries"), day(l.crl.NextUpdate))
		switch {
		case !p.mayHaveSigned(l):
			c.problem("the revocation list of %s is not signed by the authority of that name", l.issuer())
		case !c.now.Before(l.crl.NextUpdate):
			c.problem("the revocation list of %s has expired", l.issuer())
		case !l.current(c.now):
			c.problem("the revocation list of %s is not valid before %s", l.issuer(), day(l.crl.ThisUpdate))
		}
	}
}

// coverage names the authorities whose certificates are refused for want of a list.
func (c *check) coverage(p *pool, lists []*list, s fleet.CertificateSignIn) {
	if len(lists) == 0 && s.CRLURL == "" {
		c.line("no revocation list: revoked certificates are accepted until they expire")
		return
	}
	good := 0
	for _, a := range p.all {
		if (revocation{lists: lists}).covers(a, c.now) == nil {
			good++
			continue
		}
		c.line("no current revocation list of %s: certificates that it signed are refused", plain(subjectName(a)))
	}
	if good == 0 {
		c.problem("there is no current revocation list of any authority: every certificate is refused")
	}
}

func (c *check) rules(rules []fleet.CertificateRule) {
	if len(rules) == 0 {
		c.line("no rules: every certificate of these authorities is accepted")
		return
	}
	var texts []string
	for _, r := range rules {
		texts = append(texts, r.Field+"="+r.Pattern)
	}
	c.line("%s, one of which must match: %s", count(len(rules), "rule", "rules"), strings.Join(texts, ", "))
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }
