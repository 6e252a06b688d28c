package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"slipway/agent/wire"
)

const api = "/api/v1"

// Healthy asks GET /healthz with all checks on.
func (c *Client) Healthy(ctx context.Context) error {
	return c.call(ctx, http.MethodGet, "/healthz", nil, nil)
}

// Renew exchanges the token for one that lasts longer.
func (c *Client) Renew(ctx context.Context) error {
	var out wire.Token
	if err := c.call(ctx, http.MethodPost, api+"/auth/renew", struct{}{}, &out); err != nil {
		return err
	}
	c.SetToken(out)
	return nil
}

// KeepToken renews the token in good time until ctx ends: when two thirds of
// what is left have passed, and again after failures. renewed is called after each success. It ends early, with the
// error, when the appliance does not know the token any more.
func (c *Client) KeepToken(ctx context.Context, renewed func()) error {
	for {
		if err := Wait(ctx, renewWait(c.Token().ExpiresAt, c.options.Now())); err != nil {
			return err
		}
		switch err := c.Renew(ctx); {
		case err == nil:
			renewed()
		case Status(err) == http.StatusUnauthorized:
			return err
		}
	}
}

// renewWait is how long a token is used before it is renewed: two thirds of
// what is left of it, but never so short that failures become a storm.
func renewWait(expires, now time.Time) time.Duration {
	return min(max(expires.Sub(now)*2/3, 10*time.Second), 12*time.Hour)
}

// TaskSequences asks what this device may run.
func (c *Client) TaskSequences(ctx context.Context) (wire.TaskSequences, error) {
	return ask[wire.TaskSequences](ctx, c, http.MethodGet, api+"/task-sequences", nil)
}

// Start starts a deployment. The key in it makes repeating the call harmless.
func (c *Client) Start(ctx context.Context, in wire.StartDeployment) (wire.Deployment, error) {
	return ask[wire.Deployment](ctx, c, http.MethodPost, api+"/deployments", in)
}

// Resume takes up an unfinished deployment under a new epoch, in the environment that
// the agent runs in now.
func (c *Client) Resume(ctx context.Context, id, environment string) (wire.Deployment, error) {
	return ask[wire.Deployment](ctx, c, http.MethodPost, deployment(id)+"/resume", wire.ResumeDeployment{Environment: environment})
}

// Deployment looks at a deployment.
func (c *Client) Deployment(ctx context.Context, id string) (wire.Deployment, error) {
	return ask[wire.Deployment](ctx, c, http.MethodGet, deployment(id), nil)
}

// Events reports; an empty batch is a heartbeat.
func (c *Client) Events(ctx context.Context, id string, in wire.EventBatch) (wire.EventAnswer, error) {
	return ask[wire.EventAnswer](ctx, c, http.MethodPost, deployment(id)+"/events", in)
}

// Logs uploads lines of output.
func (c *Client) Logs(ctx context.Context, id string, in wire.LogBatch) (wire.LogAnswer, error) {
	return ask[wire.LogAnswer](ctx, c, http.MethodPost, deployment(id)+"/logs", in)
}

// Cloud has the appliance fetch what its catalogues name, and says how far it is.
func (c *Client) Cloud(ctx context.Context, id string, q wire.CloudQuery) (wire.CloudAnswer, error) {
	return ask[wire.CloudAnswer](ctx, c, http.MethodPost, deployment(id)+"/cloud", q)
}

// DomainJoin has the appliance make the account of the deployment's computer in its
// domain. The answer is a secret.
func (c *Client) DomainJoin(ctx context.Context, id string, in wire.DomainJoinRequest) (wire.DomainJoin, error) {
	return ask[wire.DomainJoin](ctx, c, http.MethodPost, deployment(id)+"/domain-join", in)
}

// Autopilot has the appliance register the device, and says how far it is.
func (c *Client) Autopilot(ctx context.Context, id string, in wire.AutopilotRegistration) (wire.AutopilotState, error) {
	return ask[wire.AutopilotState](ctx, c, http.MethodPost, deployment(id)+"/autopilot", in)
}

// WinPE asks which Windows PE image an installed Windows is to go on in. With a binding
// the answer brings a token for that key.
func (c *Client) WinPE(ctx context.Context, id string, in wire.WinPERequest) (wire.WinPEImage, error) {
	return ask[wire.WinPEImage](ctx, c, http.MethodPost, deployment(id)+"/winpe", in)
}

// Facts tells what was gathered about the device.
func (c *Client) Facts(ctx context.Context, facts map[string]string) error {
	return c.call(ctx, http.MethodPut, api+"/device/facts", wire.Facts{Facts: facts}, nil)
}

func deployment(id string) string { return api + "/deployments/" + url.PathEscape(id) }
