package clientcert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// How a list is fetched.
const (
	fetchTimeout = 20 * time.Second // in all
	maxRedirects = 3
)

// ValidateCRLURL says what is wrong with the address of a revocation list.
func ValidateCRLURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || len(text) > 2048:
		return errors.New("the revocation list's address is no URL: write e.g. http://pki.corp.example/ca.crl")
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("the revocation list's address must begin with http:// or https:// (others, e.g. ldap, are not fetched)")
	case u.Host == "":
		return errors.New("the revocation list's address names no server: write e.g. http://pki.corp.example/ca.crl")
	case u.User != nil:
		return errors.New("the revocation list's address must hold no password: lists are public, publish it without")
	}
	return nil
}

func newHTTPClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns, t.DisableKeepAlives = 1, true
	return &http.Client{Transport: t, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return fmt.Errorf("more than %d redirects", maxRedirects)
		}
		return ValidateCRLURL(r.URL.String())
	}}
}

// download asks for the list unless it is the one that k describes: body is nil
// then. Errors name the cause, not the address.
func download(ctx context.Context, client *http.Client, k kept) (next kept, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.URL, nil)
	if err != nil {
		return k, nil, errors.New("the address is no URL")
	}
	if k.ETag != "" {
		req.Header.Set("If-None-Match", k.ETag)
	}
	if k.Modified != "" {
		req.Header.Set("If-Modified-Since", k.Modified)
	}
	resp, err := client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return k, nil, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified && (k.ETag != "" || k.Modified != ""):
		return k, nil, nil
	case resp.StatusCode != http.StatusOK:
		return k, nil, fmt.Errorf("the server answers %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxList+1))
	switch {
	case err != nil:
		return k, nil, fmt.Errorf("the answer broke off: %w", err)
	case len(body) > maxList:
		return k, nil, fmt.Errorf("the list is larger than %d MiB", maxList>>20)
	}
	return kept{URL: k.URL, ETag: headerWord(resp, "ETag"), Modified: headerWord(resp, "Last-Modified")}, body, nil
}

// headerWord is a header's value, unless it is longer than any honest one.
func headerWord(r *http.Response, name string) string {
	if v := r.Header.Get(name); len(v) <= 256 {
		return v
	}
	return ""
}
