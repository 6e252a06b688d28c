package session

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"slipway/agent/internal/client"
	"slipway/agent/internal/screen"
	"slipway/agent/wire"
)

// mechanismPasscode is the one way to sign in that this version of the agent has.
const mechanismPasscode = "passcode"

const tokenFile = "token.json"

// signIn gets a token, by what is kept from before a crash or by asking.
// again says that the appliance has to be looked for anew.
func (s *Session) signIn(ctx context.Context, c *client.Client) (again bool, err error) {
	if s.recall(c) {
		if _, err := c.TaskSequences(ctx); err == nil {
			return false, nil
		}
		c.SetToken(wire.Token{})
	}
	for {
		m, err := c.Mechanisms(ctx, wire.LinuxPE, s.Facts["UUID"])
		if err != nil {
			return s.callFailed(ctx, err)
		}
		s.Keyboard(m.Keyboard)
		if slices.Contains(m.Mechanisms, mechanismPasscode) {
			return s.challenge(ctx, c, m.Warning)
		}
		if err := s.unsupported(ctx, m.Mechanisms); err != nil {
			return false, err
		}
	}
}

// unsupported says which ways there are that this image cannot go.
func (s *Session) unsupported(ctx context.Context, mechanisms []string) error {
	n := screen.NewNotice("Sign in", "This boot image cannot sign in here", screen.Trouble)
	n.Text = "The appliance wants a way to sign in that this boot image does not support: " + strings.Join(mechanisms, ", ") +
		".\nAllow the passcode in the console's security settings, or build the boot image again with a newer version."
	n.Next, n.Until = "Asking again", s.Now().Add(retryEvery)
	n.Actions = []screen.Action{screen.ActionRetry()}
	s.Display.Show(n)
	_, err := s.wait(ctx, n)
	return err
}

// challenge asks for the passcode until one is accepted.
func (s *Session) challenge(ctx context.Context, c *client.Client, warning string) (again bool, err error) {
	if s.Args.Passcode != "" && !s.Image.Lab {
		s.Log.Warn("slipway.passcode= is ignored: this boot image was not built for a lab")
		warning = "slipway.passcode= is ignored: this boot image was not built for a lab."
	}
	page := screen.NewPasscode(warning, s.Now)
	s.Display.Show(page)
	for {
		passcode, err := s.passcode(ctx, page)
		if err != nil {
			return false, err
		}
		err = c.SignIn(ctx, wire.PasscodeSignIn{Passcode: passcode, Device: s.Facts.Device(s.macs()), Environment: wire.LinuxPE})
		switch {
		case err == nil:
			s.Log.Info("signed in")
			s.remember(c)
			return false, nil
		case ctx.Err() != nil:
			return false, ctx.Err()
		}
		s.Log.Info("sign-in refused", "status", client.Status(err), "error", client.Explain(err))
		if client.NotOurs(err) {
			return true, nil
		}
		if client.Status(err) == http.StatusUpgradeRequired {
			return s.callFailed(ctx, err)
		}
		s.Display.Update(func() { refuse(page, err, s) })
	}
}

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
	case status == http.StatusForbidden:
		page.Refuse("The passcode may not be used here")
	case status == 0:
		page.Unreachable("No answer from the appliance: " + client.Explain(err))
	default:
		page.Unreachable("The appliance cannot check it now: " + client.Explain(err))
	}
}

// callFailed shows why a call after the first contact failed and waits. again:
// the appliance is looked for anew.
func (s *Session) callFailed(ctx context.Context, err error) (again bool, _ error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	s.Log.Warn("call failed", "error", err)
	n := screen.NewNotice("Appliance", "No answer from the appliance", screen.Trouble)
	n.Text = "The last answer was: " + client.Explain(err) + "."
	switch status := client.Status(err); {
	case status == http.StatusUpgradeRequired:
		n.Headline = "This boot image is too old for the appliance"
		n.Text = "Build the boot image again (console: Boot images, or slipway image build linux), then restart this computer."
	case status != 0 && status < 500:
		n.Headline = "The appliance refused a call"
	}
	n.Next, n.Until = "Trying again", s.Now().Add(retryEvery)
	n.Actions = []screen.Action{screen.ActionRetry()}
	s.Display.Show(n)
	_, err = s.wait(ctx, n)
	return true, err
}

// remember keeps the token in memory, so that a crash of the agent does not
// send a technician to the machine.
func (s *Session) remember(c *client.Client) {
	if text, err := json.Marshal(c.Token()); err == nil {
		s.keep(tokenFile, string(text))
	}
}

func (s *Session) recall(c *client.Client) bool {
	var t wire.Token
	if json.Unmarshal([]byte(s.kept(tokenFile)), &t) != nil || t.Token == "" || !s.Now().Before(t.ExpiresAt) {
		return false
	}
	c.SetToken(t)
	return true
}

func (s *Session) forget() { _ = os.Remove(filepath.Join(s.StateDir, tokenFile)) }
