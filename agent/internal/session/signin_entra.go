package session

import (
	"context"
	"net/http"
	"time"

	"slipway/agent/internal/client"
	"slipway/agent/internal/screen"
	"slipway/agent/wire"
)

// How an Entra ID sign-in goes on after what went wrong.
const (
	refusalStays = 30 * time.Second // a refusal is read before a new code comes by itself
	freshPause   = 3 * time.Second  // between codes that turn out to be worthless at once
	maxPoll      = 2 * time.Minute  // an appliance cannot make us sleep longer between polls
)

// entra lets a person sign in at a browser elsewhere. A code that ends leads to a
// new one by itself.
func (s *Session) entra(ctx context.Context, c *client.Client, o *offer) (turn, error) {
	if s.Passcode != "" && !s.given && o.has(wire.Passcode) {
		return o.pass(""), nil // what was given at the start comes before asking a person
	}
	if s.Unattended {
		return o.pass("Entra ID needs a person"), nil
	}
	other := o.has(wire.Passcode)
	for had := false; ; had = true {
		start, t, err := s.entraCode(ctx, c, o, had, other)
		if err != nil || t != signedIn {
			return t, err
		}
		began := s.Now()
		t, again, err := s.entraWait(ctx, c, o, start, other)
		if err != nil || !again {
			return t, err
		}
		if s.Now().Sub(began) < freshPause {
			if err := client.Wait(ctx, freshPause); err != nil {
				return passed, err
			}
		}
	}
}

// entraCode asks for a code until there is one: signedIn stands for that here. had
// says that there was one before.
func (s *Session) entraCode(ctx context.Context, c *client.Client, o *offer, had, other bool) (wire.EntraStart, turn, error) {
	n := screen.NewNotice("Sign in", "Asking for a code to sign in with", screen.Calm)
	n.Text, n.Next = o.said, "Asking the appliance"
	s.Display.Show(n)
	backoff := client.NewBackoff()
	silentSince := time.Time{}
	for {
		start, err := c.EntraStart(ctx, s.claim())
		switch {
		case err == nil:
			return start, signedIn, nil
		case ctx.Err() != nil:
			return start, passed, ctx.Err()
		case !client.Temporary(err):
			t, refused, failed := s.failed(ctx, err)
			if refused {
				s.Log.Warn("entra id sign-in refused", "error", client.Explain(err))
				if had { // the settings changed meanwhile
					return start, o.over(), nil
				}
				return start, o.pass("Entra ID not allowed here"), nil
			}
			return start, t, failed
		}
		s.Log.Warn("no code to sign in with", "status", client.Status(err), "error", client.Explain(err))
		if client.Status(err) != 0 {
			silentSince = time.Time{}
		} else if silentSince.IsZero() {
			silentSince = s.Now()
		} else if s.Now().Sub(silentSince) > insistFor {
			return start, lookAnew, nil
		}
		trouble := screen.NewNotice("Sign in", entraTrouble(err), screen.Trouble)
		trouble.Text = "A code to sign in with is asked for again by itself.\n" + explainEntra(err)
		trouble.Next, trouble.Until = "Trying again", s.Now().Add(backoff.Next(client.Wish(err)))
		trouble.Actions = append([]screen.Action{screen.ActionRetry()}, screen.EntraActions(other)[1:]...)
		s.Display.Show(trouble)
		choice, err := s.wait(ctx, trouble)
		if err != nil {
			return start, passed, err
		}
		if choice == screen.EntraOther {
			return start, o.pass("Entra ID left out"), nil
		}
	}
}

// over notes that Entra ID was switched off while it was being tried.
func (o *offer) over() turn {
	o.passed = []string{"Entra ID is not allowed here any more"}
	return askAnew
}

// entraTrouble says in a line who does not answer.
func entraTrouble(err error) string {
	switch client.Status(err) {
	case 0:
		return "No answer from the appliance"
	case http.StatusServiceUnavailable:
		return "The sign-in provider does not answer"
	case http.StatusTooManyRequests:
		return "Too many attempts"
	}
	return "The appliance cannot sign anyone in now"
}

func explainEntra(err error) string { return "The last answer was: " + client.Explain(err) + "." }

// entraWait shows a code and polls until its sign-in is decided. again: a new
// code is wanted.
func (s *Session) entraWait(ctx context.Context, c *client.Client, o *offer, start wire.EntraStart, other bool) (t turn, again bool, err error) {
	page := screen.NewEntra(o.said, other)
	page.Code, page.URI, page.Complete = start.UserCode, start.VerificationURI, start.VerificationURIComplete
	page.Until = s.Now().Add(time.Duration(start.ExpiresIn) * time.Second)
	s.Display.Show(page)
	s.Log.Info("a code to sign in with is shown", "address", start.VerificationURI, "valid", time.Duration(start.ExpiresIn)*time.Second)
	expired := time.NewTimer(time.Duration(start.ExpiresIn) * time.Second)
	defer expired.Stop()
	interval := pollWait(time.Duration(start.Interval) * time.Second)
	next := time.NewTimer(interval)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return passed, false, ctx.Err()
		case <-expired.C:
			s.Log.Info("the code was not used in time")
			return passed, true, nil
		case choice := <-page.Chosen():
			if choice == screen.EntraOther {
				return o.pass("Entra ID left out"), false, nil
			}
			return passed, true, nil
		case <-next.C:
		}
		pending, err := c.EntraPoll(ctx, start.Session)
		switch {
		case err == nil && pending == 0:
			return signedIn, false, nil
		case err == nil:
			interval = pollWait(pending)
			s.Display.Update(func() { page.Trouble = "" })
		case ctx.Err() != nil:
			return passed, false, ctx.Err()
		case client.Temporary(err):
			wait := pollWait(max(interval, client.Wish(err)))
			s.Log.Warn("how the sign-in stands is not known", "status", client.Status(err), "error", client.Explain(err))
			s.Display.Update(func() { page.Trouble, page.Retry = entraTrouble(err), s.Now().Add(wait) })
			next.Reset(wait)
			continue
		default:
			return s.entraRefused(ctx, o, err, other)
		}
		next.Reset(interval)
	}
}

// pollWait bounds the time between polls.
func pollWait(d time.Duration) time.Duration { return min(max(d, time.Second), maxPoll) }

// entraRefused says what became of a sign-in that did not succeed.
func (s *Session) entraRefused(ctx context.Context, o *offer, err error, other bool) (t turn, again bool, _ error) {
	s.Log.Warn("entra id sign-in ended", "status", client.Status(err), "word", client.Word(err), "error", client.Explain(err))
	n := screen.NewNotice("Sign in", "", screen.Trouble)
	reason := ""
	switch word := client.Word(err); {
	case client.Status(err) == http.StatusForbidden && word == "denied":
		n.Headline, reason = "The sign-in was denied", "Entra ID: sign-in denied"
		n.Text = "Whoever signed in said no, or is not allowed to use this application. Somebody who is can sign in with a new code."
	case client.Status(err) == http.StatusForbidden && word == "role":
		n.Headline, reason = "This person may not set up computers", "Entra ID: the role is missing"
		n.Text = "The account lacks the role that the appliance asks for. An administrator of the directory gives it; " +
			"or somebody who has it signs in with a new code."
	case client.Status(err) == http.StatusForbidden: // the settings changed meanwhile
		return o.over(), false, nil
	case client.Status(err) == http.StatusGone, client.Status(err) == http.StatusUnauthorized, client.Status(err) == http.StatusNotFound:
		return passed, true, nil // expired, or the appliance was restarted
	default:
		t, refused, failed := s.failed(ctx, err)
		if !refused {
			return t, false, failed
		}
		n.Headline, n.Text = "The appliance refused the sign-in", explainEntra(err)
	}
	if other && reason != "" {
		return o.pass(reason), false, nil
	}
	n.Next, n.Until = "A new code comes", s.Now().Add(refusalStays)
	n.Actions = screen.EntraActions(other)
	s.Display.Show(n)
	choice, err := s.wait(ctx, n)
	switch {
	case err != nil:
		return passed, false, err
	case choice == screen.EntraOther:
		return o.pass("Entra ID left out"), false, nil
	}
	return passed, true, nil
}
