// Package socket is the local socket in the data folder, by which the commands of
// the appliance's own machine reach the running appliance. Who may open it (mode
// 0600, the owner of the data folder) is an administrator; nothing else is asked.
package socket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"

	"slipway/agent/wire"
)

// ErrNotRunning means that no appliance answers on the socket.
var ErrNotRunning = errors.New("no appliance is running with this data folder; start it with: slipway serve")

// Listen opens the socket. The caller holds the lock of the data folder, so an
// old socket file belongs to nobody and is replaced.
func Listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("local socket: %w", err)
	}
	// The mask closes the moment between bind and chmod.
	old := syscall.Umask(0o177)
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("local socket: %w", err)
	}
	return l, nil
}

// Client calls the admin API of the running appliance.
type Client struct {
	path string
	http *http.Client
}

// NewClient returns a client for the socket at path.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return &Client{path: path, http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// ProblemError is an error answer of the appliance.
type ProblemError struct{ wire.Problem }

// Error is the detail, with the offending fields.
func (e *ProblemError) Error() string {
	text := e.Detail
	if text == "" {
		text = e.Title
	}
	for _, f := range e.Errors {
		if f.Detail == e.Detail {
			continue // said already
		}
		text += "\n  " + f.Field + ": " + f.Detail
	}
	return text
}

// Do calls method path with in as JSON (nil: no body; []byte: as it is) and
// decodes the answer into out (nil: ignored; *[]byte: as it is).
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	body, err := encode(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://slipway"+path, body)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.explain(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("the appliance's answer broke off: %w", err)
	}
	if resp.StatusCode >= 400 {
		return problem(resp, data)
	}
	return decode(data, out)
}

func encode(in any) (io.Reader, error) {
	switch v := in.(type) {
	case nil:
		return nil, nil
	case []byte:
		return bytes.NewReader(v), nil
	}
	data, err := json.Marshal(in)
	return bytes.NewReader(data), err
}

func decode(data []byte, out any) error {
	switch v := out.(type) {
	case nil:
		return nil
	case *[]byte:
		*v = data
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("the appliance's answer is not understood (is it another version?): %w", err)
	}
	return nil
}

func problem(resp *http.Response, data []byte) error {
	var p ProblemError
	if err := json.Unmarshal(data, &p.Problem); err != nil || p.Status == 0 {
		return fmt.Errorf("the appliance answered %s", resp.Status)
	}
	return &p
}

// explain turns a failed dial into what to do.
func (c *Client) explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w (socket %s)", ErrNotRunning, c.path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("not allowed to use %s: run this command as the user that runs the appliance (usually root)", c.path)
	}
	var named *url.Error // by an address that is none
	if errors.As(err, &named) {
		err = named.Err
	}
	return fmt.Errorf("local socket: %w", err)
}
