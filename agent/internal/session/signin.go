package session

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"time"

	"slipway/agent/internal/client"
	"slipway/agent/internal/screen"
	"slipway/agent/wire"
)

// turn is how the try of one mechanism ended.
type turn uint8

const (
	passed   turn = iota // not this way: the next one
	signedIn             // the client has a token
	askAnew              // the settings may have changed: ask which ways there are
	lookAnew             // the appliance has to be looked for again
)

// offer is what the appliance lets us try, and what became of it.
type offer struct {
	wire.Mechanisms
	passed []string // why ways were passed over, e.g. "Certificate not accepted"
	said   string   // the same in a line for the page of the way now tried
}

func (o *offer) pass(why string) turn {
	if why != "" {
		o.passed = append(o.passed, why)
	}
	return passed
}

// has reports whether a mechanism is offered.
func (o *offer) has(name string) bool {
	for _, m := range o.Mechanisms.Mechanisms {
		if m == name {
			return true
		}
	}
	return false
}

// mechanism is a way to sign in that this agent knows.
type mechanism struct {
	label string
	try   func(context.Context, *client.Client, *offer) (turn, error)
}

func (s *Session) mechanism(name string) (mechanism, bool) {
	switch name {
	case wire.Anonymous:
		return mechanism{"without a question", s.anonymous}, true
	case wire.Certificate:
		return mechanism{"the certificate", s.certificate}, true
	case wire.Entra:
		return mechanism{"Entra ID", s.entra}, true
	case wire.Passcode:
		return mechanism{"the passcode", s.challenge}, true
	}
	return mechanism{}, false
}

// signIn gets a token: one that is kept from before a crash, or by the
// mechanisms that the appliance offers, in its order. deployment is the one a
// kept token belongs to. again says that the appliance has to be looked for anew.
func (s *Session) signIn(ctx context.Context, c *client.Client) (deployment string, again bool, err error) {
	if deployment, ok := s.recall(c); ok {
		switch err := s.takeUp(ctx, c, deployment); {
		case err == nil:
			return deployment, false, nil
		case client.Temporary(err):
			again, err := s.callFailed(ctx, err)
			return "", again, err
		}
	}
	c.Identify(tls.Certificate{})
	s.warn("")
	var carried []string
	for {
		m, err := c.Mechanisms(ctx, s.environment(), s.Facts["UUID"])
		if err != nil {
			again, err := s.callFailed(ctx, err)
			return "", again, err
		}
		s.Keyboard(m.Keyboard)
		o := &offer{Mechanisms: m, passed: carried}
		carried = nil
		switch t, err := s.tryAllWays(ctx, c, o); {
		case err != nil:
			return "", false, err
		case t == signedIn:
			s.Log.Info("signed in")
			s.remember(c, "")
			return "", false, nil
		case t == lookAnew:
			return "", true, nil
		case t == askAnew:
			carried = o.passed
		default:
			if err := s.noWay(ctx, o); err != nil {
				return "", false, err
			}
		}
	}
}

// takeUp asks whether the appliance still knows a kept token.
func (s *Session) takeUp(ctx context.Context, c *client.Client, deployment string) error {
	if deployment != "" { // such a token is good for nothing else
		_, err := c.Deployment(ctx, deployment)
		return err
	}
	_, err := c.TaskSequences(ctx)
	return err
}

// tryAllWays tries what is offered in its order, until one way leads on.
func (s *Session) tryAllWays(ctx context.Context, c *client.Client, o *offer) (turn, error) {
	for _, name := range o.Mechanisms.Mechanisms {
		m, ok := s.mechanism(name)
		if !ok {
			s.Log.Warn("this agent does not know a way to sign in", "mechanism", name)
			continue
		}
		o.said = ""
		if len(o.passed) > 0 {
			o.said = strings.Join(o.passed, "; ") + "; trying " + m.label
			s.Log.Info("sign-in", "state", o.said)
		}
		t, err := m.try(ctx, c, o)
		if err != nil || t != passed {
			return t, err
		}
		c.Identify(tls.Certificate{})
	}
	return passed, nil
}

// noWay says why no way in is left, and waits before they are asked for again.
func (s *Session) noWay(ctx context.Context, o *offer) error {
	offered := strings.Join(o.Mechanisms.Mechanisms, ", ")
	if s.Unattended {
		return fmt.Errorf("%w: the appliance offers to sign in by: %s. %s", ErrRefused, offered, strings.Join(o.passed, ". "))
	}
	n := screen.NewNotice("Sign in", "This boot image cannot sign in here", screen.Trouble)
	n.Text = "The appliance wants a way to sign in that this boot image does not support: " + offered +
		".\nAllow the passcode in the console's security settings, or build the boot image again with a newer version."
	if s.environment() == wire.FullOS {
		n.Headline = "Not signed in"
		n.Text = "The appliance offers to sign in by: " + offered + ". This agent knows none of these ways."
	}
	if len(o.passed) > 0 {
		n.Headline = "Not signed in"
		n.Text = "The appliance offers to sign in by: " + offered + "."
		n.List = o.passed
	}
	n.Next, n.Until = "Asking again", s.Now().Add(retryEvery)
	n.Actions = []screen.Action{screen.ActionRetry()}
	s.Display.Show(n)
	_, err := s.wait(ctx, n)
	return err
}

// insistFor is how long a call of the sign-in is repeated before the appliance
// is looked for again: it may have another address by then.
const insistFor = time.Minute

// silently makes a call for which nobody is asked, and repeats it while the
// appliance does not answer.
func (s *Session) silently(ctx context.Context, o *offer, what string, call func(context.Context) error) error {
	n := screen.NewNotice("Sign in", what, screen.Calm)
	n.Text, n.Next = o.said, "Asking the appliance"
	s.Display.Show(n)
	ctx, cancel := context.WithTimeout(ctx, insistFor)
	defer cancel()
	return client.Retry(ctx, func(err error) {
		s.Log.Warn("sign-in not answered", "error", client.Explain(err))
		s.Display.Update(func() { n.Text = "No answer from the appliance yet: " + client.Explain(err) + "." })
	}, call)
}

// failed sorts the errors that are the same for every mechanism. One that is
// left is a refusal of the mechanism.
func (s *Session) failed(ctx context.Context, err error) (t turn, refused bool, _ error) {
	switch {
	case ctx.Err() != nil:
		return passed, false, ctx.Err()
	case client.NotOurs(err):
		return lookAnew, false, nil
	case client.Status(err) == http.StatusUpgradeRequired, client.Temporary(err):
		_, err := s.callFailed(ctx, err)
		return lookAnew, false, err
	}
	return passed, true, nil
}

// claim is the body of the sign-ins that need no more than who asks.
func (s *Session) claim() wire.SignIn {
	return wire.SignIn{Device: s.Facts.Device(s.macs()), Environment: s.environment()}
}

// anonymous signs in without proof. What that means stays on every page.
func (s *Session) anonymous(ctx context.Context, c *client.Client, o *offer) (turn, error) {
	err := s.silently(ctx, o, "Signing in", func(ctx context.Context) error { return c.SignInAnonymous(ctx, s.claim()) })
	if err == nil {
		text := o.Warning
		if text == "" {
			text = "Anyone may deploy here: sign-in is switched off in the console's security settings."
		}
		s.warn(text)
		return signedIn, nil
	}
	t, refused, err := s.failed(ctx, err)
	if refused {
		return o.pass("Sign-in without a question not accepted"), nil
	}
	return t, err
}

// certificate signs in with the machine's own certificate as TLS identity, which
// it stays for all calls with the token.
func (s *Session) certificate(ctx context.Context, c *client.Client, o *offer) (turn, error) {
	if s.Certificate == nil {
		return o.pass("This computer has no certificate to sign in with"), nil
	}
	c.Identify(*s.Certificate)
	var unusable error
	err := s.silently(ctx, o, "Signing in with this computer's certificate", func(ctx context.Context) error {
		err := c.SignInCertificate(ctx, s.claim())
		if err == nil || client.Status(err) != 0 || ctx.Err() != nil {
			return err
		}
		// No answer: the network, or the connection is refused with this certificate?
		if c.Identify(tls.Certificate{}); c.Healthy(ctx) == nil {
			unusable = err
			return nil
		}
		c.Identify(*s.Certificate)
		return err
	})
	switch {
	case unusable != nil:
		s.Log.Warn("no connection with the certificate", "error", unusable)
		return o.pass("Certificate not usable"), nil
	case err == nil:
		return signedIn, nil
	}
	t, refused, failed := s.failed(ctx, err)
	if refused {
		s.Log.Warn("certificate refused", "error", client.Explain(err))
		return o.pass("Certificate not accepted"), nil
	}
	return t, failed
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
		if s.environment() == wire.FullOS {
			n.Headline, n.Text = "This agent is too old for the appliance", "Install the agent that came with the appliance."
		}
	case status != 0 && status < 500:
		n.Headline = "The appliance refused a call"
	}
	if s.Unattended && !client.Temporary(err) && !client.NotOurs(err) {
		return false, fmt.Errorf("%w: %s: %s", ErrUnattended, n.Headline, client.Explain(err))
	}
	n.Next, n.Until = "Trying again", s.Now().Add(retryEvery)
	n.Actions = []screen.Action{screen.ActionRetry()}
	s.Display.Show(n)
	_, err = s.wait(ctx, n)
	return true, err
}
