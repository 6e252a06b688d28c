package oidc

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
)

// deviceGrant is the grant type of RFC 8628, section 3.4.
const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// Bounds of what a provider says of a device flow. RFC 8628 section 3.2 has 5 s
// as the interval when none is given.
const (
	defaultInterval = 5 * time.Second
	longestInterval = time.Minute
	longestFlow     = time.Hour
	maxUserCode     = 40
	maxAddress      = 500
	maxDeviceCode   = 8 << 10
)

// StartDevice begins a device flow. Errors: ErrUnavailable, wrapped with what the
// provider says.
func (c *Clients) StartDevice(ctx context.Context, cfg Config) (DeviceCode, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	p, err := c.provider(ctx, cfg)
	if err != nil {
		return DeviceCode{}, err
	}
	conf := p.config(cfg, "")
	if conf.Endpoint.DeviceAuthURL == "" {
		c.forget(cfg, p)
		return DeviceCode{}, fmt.Errorf("%w: this provider has no device flow (no device_authorization_endpoint)", ErrUnavailable)
	}
	var options []oauth2.AuthCodeOption
	if cfg.Secret != "" && conf.Endpoint.AuthStyle == oauth2.AuthStyleInParams {
		options = append(options, oauth2.SetAuthURLParam("client_secret", cfg.Secret))
	}
	client := within(ctx, p.client, func(r *http.Request) {
		if conf.Endpoint.AuthStyle == oauth2.AuthStyleInHeader {
			r.SetBasicAuth(url.QueryEscape(cfg.ClientID), url.QueryEscape(cfg.Secret))
		}
	})
	answer, err := conf.DeviceAuth(context.WithValue(ctx, oauth2.HTTPClient, client), options...)
	if err != nil {
		c.forget(cfg, p)
		return DeviceCode{}, unavailable("device authorization", err, cfg)
	}
	d, err := c.deviceCode(answer)
	if err != nil {
		return DeviceCode{}, fmt.Errorf("%w: device authorization: %w", ErrUnavailable, err)
	}
	return d, nil
}

// deviceCode checks an answer and brings its times to our clock: what it holds is
// shown on screens and in a QR code.
func (c *Clients) deviceCode(answer *oauth2.DeviceAuthResponse) (DeviceCode, error) {
	life := time.Until(answer.Expiry).Round(time.Second)
	switch {
	case answer.DeviceCode == "" || len(answer.DeviceCode) > maxDeviceCode:
		return DeviceCode{}, fmt.Errorf("the provider gave no usable device code")
	case !printable(answer.UserCode, maxUserCode):
		return DeviceCode{}, fmt.Errorf("the provider gave no user code that can be shown")
	case !webAddress(answer.VerificationURI):
		return DeviceCode{}, fmt.Errorf("the provider gave no address to go to")
	case answer.Expiry.IsZero() || life <= 0:
		return DeviceCode{}, fmt.Errorf("the provider gave a code that has expired")
	}
	d := DeviceCode{
		Code: answer.DeviceCode, UserCode: answer.UserCode, VerificationURI: answer.VerificationURI,
		ExpiresAt: c.now().Add(min(life, longestFlow)), Interval: defaultInterval,
	}
	if webAddress(answer.VerificationURIComplete) {
		d.VerificationURIComplete = answer.VerificationURIComplete
	}
	if answer.Interval > 0 {
		d.Interval = time.Duration(min(answer.Interval, int64(longestInterval/time.Second))) * time.Second
	}
	return d, nil
}

// printable reports whether s is 1 to most printable ASCII characters, which every
// screen and keyboard has.
func printable(s string, most int) bool {
	for _, b := range []byte(s) {
		if b < ' ' || b > '~' {
			return false
		}
	}
	return s != "" && len(s) <= most
}

func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && printable(s, maxAddress) && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// PollDevice asks once how the flow stands. Errors: ErrPending, ErrSlowDown,
// ErrDenied, ErrExpired, ErrUnavailable, ErrToken.
func (c *Clients) PollDevice(ctx context.Context, cfg Config, d DeviceCode) (Person, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	p, err := c.provider(ctx, cfg)
	if err != nil {
		return Person{}, err
	}
	// One request. The library's own way to poll waits and repeats by itself. The
	// empty parameter code is one that a provider must take as left out (RFC 6749,
	// section 3.2).
	token, err := p.config(cfg, "").Exchange(context.WithValue(ctx, oauth2.HTTPClient, p.client), "",
		oauth2.SetAuthURLParam("grant_type", deviceGrant), oauth2.SetAuthURLParam("device_code", d.Code))
	if err != nil {
		return Person{}, c.failed(cfg, p, refusal("token", err, cfg, d.Code))
	}
	person, err := c.person(ctx, cfg, p, token, "")
	if err != nil {
		return Person{}, c.failed(cfg, p, err)
	}
	return person, nil
}
