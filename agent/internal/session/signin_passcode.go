package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"slipway/agent/internal/client"
	"slipway/agent/internal/screen"
	"slipway/agent/wire"
)

// challenge asks for the passcode until one is accepted, after one that was
// given at the start was tried.
func (s *Session) challenge(ctx context.Context, c *client.Client, o *offer) (turn, error) {
	page := screen.NewPasscode(s.passcodeWarning(o), s.Now)
	if s.Passcode != "" && !s.given {
		t, err := s.givenPasscode(ctx, c, o)
		if err != nil || t != passed {
			return t, err
		}
		page.Refuse("Passcode not accepted")
	}
	if s.Unattended {
		return o.pass("The passcode needs a person: give it as the variable Passcode"), nil
	}
	page.Other = len(o.Mechanisms.Mechanisms) > 1
	s.Display.Show(page)
	for {
		passcode, err := s.passcode(ctx, page)
		if errors.Is(err, errOtherWay) {
			return askAnew, nil
		}
		if err != nil {
			return passed, err
		}
		err = c.SignIn(ctx, s.passcodeClaim(passcode))
		if err == nil {
			return signedIn, nil
		}
		s.Log.Info("sign-in refused", "status", client.Status(err), "error", client.Explain(err))
		switch status := client.Status(err); {
		case ctx.Err() != nil:
			return passed, ctx.Err()
		case client.NotOurs(err):
			return lookAnew, nil
		case status == http.StatusUpgradeRequired:
			_, err := s.callFailed(ctx, err)
			return lookAnew, err
		case status == http.StatusForbidden: // the settings changed meanwhile
			o.passed = []string{"The passcode may not be used here any more"}
			return askAnew, nil
		}
		s.Display.Update(func() { refuse(page, err, s) })
	}
}

// passcodeWarning is what the page of the challenge says above its status.
func (s *Session) passcodeWarning(o *offer) string {
	switch {
	case s.Args.Passcode != "" && !s.Image.Lab:
		s.Log.Warn("slipway.passcode= is ignored: this boot image was not built for a lab")
		return "slipway.passcode= is ignored: this boot image was not built for a lab."
	case o.said != "":
		return o.said
	}
	return o.Warning
}

func (s *Session) passcodeClaim(passcode string) wire.PasscodeSignIn {
	in := s.claim()
	return wire.PasscodeSignIn{Passcode: passcode, Device: in.Device, Environment: in.Environment}
}

// givenPasscode tries the variable Passcode of an installed OS, once.
func (s *Session) givenPasscode(ctx context.Context, c *client.Client, o *offer) (turn, error) {
	err := s.silently(ctx, o, "Signing in with the passcode of the configuration", func(ctx context.Context) error {
		return c.SignIn(ctx, s.passcodeClaim(s.Passcode))
	})
	if err == nil {
		return signedIn, nil
	}
	t, refused, failed := s.failed(ctx, err)
	if !refused {
		return t, failed
	}
	s.given = true
	s.Log.Warn("the passcode of the configuration is refused", "status", client.Status(err), "error", client.Explain(err))
	switch {
	case s.Unattended && client.Status(err) == http.StatusForbidden:
		return passed, fmt.Errorf("%w: the appliance does not allow the passcode for an installed OS: "+
			"allow it in the console's security settings, or sign in with a certificate", ErrRefused)
	case s.Unattended:
		return passed, fmt.Errorf("%w: Passcode not accepted: the variable Passcode is not a passcode of the appliance", ErrRefused)
	case client.Status(err) == http.StatusForbidden:
		o.passed = []string{"The passcode may not be used here"}
		return askAnew, nil
	case o.has(wire.Entra): // its turn came before, and was put off for this
		o.passed = []string{"Passcode not accepted"}
		return askAnew, nil
	}
	return passed, nil
}

var errOtherWay = errors.New("another way to sign in")

// passcode waits for an answer; in a lab image the command line may give the first one.
func (s *Session) passcode(ctx context.Context, page *screen.Passcode) (string, error) {
	if s.Image.Lab && s.Args.Passcode != "" && !s.tried {
		s.tried = true
		return s.Args.Passcode, nil
	}
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case text := <-page.Answers():
		return text, nil
	case <-page.OtherWay():
		return "", errOtherWay
	}
}

// refuse shows why a sign-in did not succeed.
func refuse(page *screen.Passcode, err error, s *Session) {
	var answer *client.Error
	if e, ok := err.(*client.Error); ok {
		answer = e
	}
	switch status := client.Status(err); {
	case status == http.StatusUnauthorized:
		page.Refuse("Passcode not accepted")
	case status == http.StatusTooManyRequests && answer != nil:
		page.Throttle(s.Now().Add(max(answer.RetryAfter, 1)), answer.Problem.HoldCode)
	case status == 0:
		page.Unreachable("No answer from the appliance: " + client.Explain(err))
	default:
		page.Unreachable("The appliance cannot check it now: " + client.Explain(err))
	}
}
