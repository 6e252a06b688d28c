package oidctest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"
)

// Client is an http client that trusts the provider and follows no redirects.
// Close its idle connections when done.
func (p *Provider) Client() *http.Client {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if p.ca != "" {
		conf.RootCAs = x509.NewCertPool()
		conf.RootCAs.AppendCertsFromPEM([]byte(p.ca))
	}
	return &http.Client{
		Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: conf},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Browse is a browser that is sent to authURL, where the person (id or name) signs
// in on the provider's page. It returns where the provider sends it back to, with
// code and state or an error.
func (p *Provider) Browse(authURL, user string) (*url.URL, error) {
	p.store.mu.Lock()
	id, err := p.store.userID(user)
	u := p.store.users[id]
	p.store.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("oidctest: %w", err)
	}
	c := p.Client()
	defer c.CloseIdleConnections()
	if c.Jar, err = cookiejar.New(nil); err != nil {
		return nil, err
	}
	next, err := url.Parse(authURL)
	if err != nil {
		return nil, err
	}
	for range 10 {
		if !strings.HasPrefix(next.String(), p.Issuer+"/") {
			return next, nil
		}
		var resp *http.Response
		if next.Path == "/login/username" {
			resp, err = c.PostForm(p.Issuer+next.Path, url.Values{
				"id": {next.Query().Get("authRequestID")}, "username": {u.Name}, "password": {u.Password},
			})
		} else {
			resp, err = c.Get(next.String())
		}
		if err != nil {
			return nil, err
		}
		resp.Body.Close()
		if next, err = resp.Location(); err != nil {
			return nil, fmt.Errorf("oidctest: %s answers %s: %w", resp.Request.URL.Path, resp.Status, err)
		}
	}
	return nil, errors.New("oidctest: the provider goes in circles")
}
