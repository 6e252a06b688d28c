//go:build lab

package boottest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/lab"
)

// insecure returns a client that speaks from the segment and takes any
// certificate: what the tests say is no secret.
func insecure(net *lab.Network) *http.Client {
	t := net.Bridge.Transport()
	t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	return &http.Client{Transport: t, Timeout: lab.Timeout(15 * time.Second)}
}

// device is a machine that exists only as API calls.
type device struct {
	http  *http.Client
	base  string
	claim wire.Device
	token string
}

// call does one API call; a status of 400 or more is an error.
func (d *device) call(ctx context.Context, method, path string, body, result any) error {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, d.base+"/api/v1"+path, in)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if d.token != "" {
		req.Header.Set("Authorization", "Bearer "+d.token)
	}
	resp, err := d.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode >= 400 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, b)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(b, result)
}

func (d *device) signIn(ctx context.Context) error {
	var token wire.Token
	err := d.call(ctx, http.MethodPost, "/auth/passcode",
		wire.PasscodeSignIn{Passcode: lab.Passcode, Device: d.claim, Environment: wire.LinuxPE}, &token)
	d.token = token.Token
	return err
}

// sample returns the id of the sample sequence.
func (d *device) sample(ctx context.Context) (string, error) {
	var list wire.TaskSequences
	if err := d.call(ctx, http.MethodGet, "/task-sequences", nil, &list); err != nil {
		return "", err
	}
	for _, s := range list.TaskSequences {
		if s.Name == "Hello from Slipway" {
			return s.ID, nil
		}
	}
	return "", fmt.Errorf("no sample sequence among %v", list.TaskSequences)
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}
