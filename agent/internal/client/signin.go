package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"slipway/agent/wire"
)

// Mechanisms asks how one may sign in here.
func (c *Client) Mechanisms(ctx context.Context, environment, uuid string) (wire.Mechanisms, error) {
	q := url.Values{"environment": {environment}}
	if uuid != "" {
		q.Set("uuid", uuid)
	}
	return ask[wire.Mechanisms](ctx, c, http.MethodGet, api+"/auth/mechanisms?"+q.Encode(), nil)
}

// SignIn tries a passcode; on success later calls carry the token, as with the
// other ways to sign in.
func (c *Client) SignIn(ctx context.Context, in wire.PasscodeSignIn) error {
	return c.prove(ctx, "/auth/passcode", in)
}

// SignInAnonymous signs in without proof, where the appliance allows that.
func (c *Client) SignInAnonymous(ctx context.Context, in wire.SignIn) error {
	return c.prove(ctx, "/auth/anonymous", in)
}

// SignInCertificate signs in with the certificate of the connection: call
// Identify with it before. The token is bound to that certificate.
func (c *Client) SignInCertificate(ctx context.Context, in wire.SignIn) error {
	return c.prove(ctx, "/auth/certificate", in)
}

func (c *Client) prove(ctx context.Context, path string, in any) error {
	var out wire.Token
	if err := c.call(ctx, http.MethodPost, api+path, in, &out); err != nil {
		return err
	}
	c.SetToken(out)
	return nil
}

// EntraStart begins a sign-in of a person at a browser elsewhere. An error with
// status 403 says that this way is not allowed here, 503 that the provider does
// not answer.
func (c *Client) EntraStart(ctx context.Context, in wire.SignIn) (wire.EntraStart, error) {
	return ask[wire.EntraStart](ctx, c, http.MethodPost, api+"/auth/entra", in)
}

// EntraPoll asks how such a sign-in stands. While it is pending, it returns how
// long to wait at least before asking again; 0 says that it succeeded. The
// statuses of its errors are those of wire.EntraPoll.
func (c *Client) EntraPoll(ctx context.Context, session string) (pending time.Duration, err error) {
	const path = api + "/auth/entra/poll"
	status, body, err := c.send(ctx, http.MethodPost, path, wire.EntraPoll{Session: session})
	if err != nil {
		return 0, err
	}
	if status == http.StatusAccepted {
		var out wire.EntraPending
		if err := understand(http.MethodPost, path, body, &out); err != nil {
			return 0, err
		}
		return max(time.Duration(out.Interval)*time.Second, time.Second), nil
	}
	var out wire.Token
	if err := understand(http.MethodPost, path, body, &out); err != nil {
		return 0, err
	}
	c.SetToken(out)
	return 0, nil
}
