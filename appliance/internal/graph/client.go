package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Bounds of one call.
const (
	callTime   = 20 * time.Second
	maxAnswer  = 8 << 20 // bytes; a page of devices has some hundred KiB
	maxPages   = 500     // of one list
	attempts   = 3       // of a call, before it is given up
	patience   = 5 * time.Second
	longestAsk = 10 * time.Minute // longer waits that the service asks for are cut
)

// client makes calls with one set of settings.
type client struct {
	endpoint string // "https://graph.microsoft.com"
	tokens   *tokens
	http     *http.Client
}

// newHTTPClient uses the system's authorities, and a proxy from the environment.
func newHTTPClient() *http.Client {
	return &http.Client{
		Timeout: callTime,
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: callTime}).DialContext,
			TLSHandshakeTimeout:    callTime,
			ForceAttemptHTTP2:      true,
			MaxConnsPerHost:        8,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// call makes one call and decodes the answer into out (nil: ignored). A read is tried
// again after an answer that says the service is in trouble; what changes something
// only after one that says it was not looked at (429). Errors: *ThrottledError,
// *ResponseError, ErrUnavailable, ErrSignIn.
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	target, err := c.url(path)
	if err != nil {
		return err
	}
	renewed := false
	for n := 1; ; n++ {
		err := c.once(ctx, method, target, in, out)
		var throttled *ThrottledError
		var answer *ResponseError
		wait := time.Second
		switch {
		case err == nil || n == attempts:
			return err
		case errors.As(err, &throttled):
			if wait = throttled.After; wait > patience {
				return err
			}
		case errors.As(err, &answer) && answer.Status == http.StatusUnauthorized && !renewed:
			c.tokens.forget() // e.g. revoked
			wait, renewed = 0, true
		case method == http.MethodGet && errors.Is(err, ErrUnavailable):
		default:
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// url is a path of the service, or the address of a list's next page, which must be
// the service's own: the token goes there.
func (c *client) url(path string) (string, error) {
	if strings.HasPrefix(path, "/") {
		return c.endpoint + path, nil
	}
	u, err := url.Parse(path)
	home, homeErr := url.Parse(c.endpoint)
	if err != nil || homeErr != nil || u.Scheme != home.Scheme || u.Host != home.Host {
		return "", fmt.Errorf("%w: the next page of a list lies at another address", ErrUnavailable)
	}
	return path, nil
}

func (c *client) once(ctx context.Context, method, target string, in, out any) error {
	token, err := c.tokens.token(ctx)
	if err != nil {
		return err
	}
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode a request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("%w: read the answer: %w", ErrUnavailable, err)
	case len(text) > maxAnswer:
		return fmt.Errorf("%w: the answer is larger than %d MiB", ErrUnavailable, maxAnswer>>20)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return refusal(resp, text)
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%w: the answer is not understood: %w", ErrUnavailable, err)
	}
	return nil
}

// refusal is an answer that says no: throttling with the time to wait (429; also 503
// with Retry-After), or Graph's error document.
func refusal(resp *http.Response, text []byte) error {
	after, said := retryAfter(resp.Header)
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable && said {
		return &ThrottledError{after}
	}
	var doc struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	_ = json.Unmarshal(text, &doc) // something between us and the service may answer
	answer := &ResponseError{Status: resp.StatusCode, Code: plain(doc.Error.Code), Message: plain(message(doc.Error.Message))}
	if known := answer.sentinel(); known != nil {
		return fmt.Errorf("%w: %w", known, answer)
	}
	return answer
}

// message is Intune's own text, which comes as JSON within the message.
func message(text string) string {
	var inner struct {
		Message string `json:"Message"`
	}
	if json.Unmarshal([]byte(text), &inner) == nil && inner.Message != "" {
		return inner.Message
	}
	return text
}

// retryAfter is how long a service asks to wait: seconds, or a date.
func retryAfter(h http.Header) (time.Duration, bool) {
	text := h.Get("Retry-After")
	if n, err := strconv.Atoi(text); err == nil && n >= 0 {
		return min(time.Duration(min(n, 1<<20))*time.Second, longestAsk), true
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(time.Until(at), time.Second), longestAsk), true
	}
	return 30 * time.Second, false
}

// list walks all pages of a list, until each answers false.
func list[T any](ctx context.Context, c *client, path string, each func(T) bool) error {
	for n := 0; path != ""; n++ {
		if n == maxPages {
			return fmt.Errorf("%w: a list has more than %d pages", ErrUnavailable, maxPages)
		}
		var page struct {
			Value []T    `json:"value"`
			Next  string `json:"@odata.nextLink"`
		}
		if err := c.call(ctx, http.MethodGet, path, nil, &page); err != nil {
			return err
		}
		for _, v := range page.Value {
			if !each(v) {
				return nil
			}
		}
		path = page.Next
	}
	return nil
}
