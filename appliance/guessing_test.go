package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slipway/agent/wire"
)

// guesser is a client with an address of its own, over one connection that it keeps.
func guesser(name, address string, cert *tls.Certificate) *http.Client {
	c := insecure(cert, name)
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 20 * time.Second}
	c.Transport.(*http.Transport).DialContext = from.DialContext
	return c
}

// guess sends one passcode; the code is 0 when there was no answer.
func guess(ctx context.Context, c *http.Client, https, passcode, serial string) (code int, problem wire.Problem) {
	body, err := json.Marshal(wire.PasscodeSignIn{Passcode: passcode, Device: wire.Device{Serial: serial}, Environment: wire.LinuxPE})
	if err != nil {
		return 0, problem
	}
	req, err := http.NewRequestWithContext(ctx, "POST", "https://"+https+"/api/v1/auth/passcode", bytes.NewReader(body))
	if err != nil {
		return 0, problem
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.Do(req)
	if err != nil {
		return 0, problem
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK && json.Unmarshal(data, &problem) != nil {
		return 0, problem
	}
	return res.StatusCode, problem
}

// 200 wrong guesses a second from 250 addresses of one segment, each as another device,
// over TLS and with the costs of the product: a technician in another segment signs in,
// and one in the same after release. With SLIPWAY_SOAK set it takes the whole minute, on
// a machine that does nothing else, and they must be in within 5 s.
func TestAttackGuessingOverTheWire(t *testing.T) {
	const rate, addresses = 200, 250
	length, alone := 10*time.Second, os.Getenv("SLIPWAY_SOAK") != ""
	if alone {
		length = time.Minute
	}
	v := newVictim(t)
	admin := strings.TrimSpace(v.must("", "token", "add", "helpdesk", "--role", "technician"))

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var crowd sync.WaitGroup
	var sent, refused, throttled, lost, accepted atomic.Int64
	start := time.Now()
	for i := range addresses {
		crowd.Go(func() {
			c := guesser(v.name, fmt.Sprintf("127.0.2.%d", i+1), v.cert)
			defer c.CloseIdleConnections()
			tick := time.NewTicker(addresses * time.Second / rate)
			defer tick.Stop()
			for n := 0; ; n++ {
				sent.Add(1)
				switch code, _ := guess(ctx, c, v.https, fmt.Sprintf("guess-%d-%d", i, n), fmt.Sprintf("%d-%d", i, n)); {
				case ctx.Err() != nil:
					return
				case code == http.StatusUnauthorized:
					refused.Add(1)
				case code == http.StatusTooManyRequests:
					throttled.Add(1)
				case code == http.StatusOK:
					accepted.Add(1)
				default:
					lost.Add(1)
				}
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
			}
		})
	}
	var took []time.Duration
	technician := guesser(v.name, "127.0.9.9", v.cert)
	for time.Since(start) < length {
		time.Sleep(length / 20) // the pace of technicians
		began := time.Now()
		if code, problem := guess(t.Context(), technician, v.https, attackerPasscode, "elsewhere"); code != http.StatusOK {
			t.Errorf("in another segment, %v after the start: %d %+v", began.Sub(start).Round(time.Second), code, problem)
		}
		took = append(took, time.Since(began))
	}
	// In the segment itself the right passcode is held back, with a code to be released by.
	mine := guesser(v.name, "127.0.2.254", v.cert)
	code, problem := guess(t.Context(), mine, v.https, attackerPasscode, "mine")
	if code != http.StatusTooManyRequests || problem.HoldCode == "" {
		t.Fatalf("in the segment: %d %+v", code, problem)
	}
	began := time.Now()
	if code := v.request(insecure(nil, ""), "POST", "/api/v1/admin/held/"+problem.HoldCode+"/release", admin, nil, nil); code/100 != 2 {
		t.Fatalf("release answers %d", code)
	}
	if code, problem := guess(t.Context(), mine, v.https, attackerPasscode, "mine"); code != http.StatusOK {
		t.Errorf("in the segment, after release: %d %+v", code, problem)
	}
	took = append(took, time.Since(began))
	stop()
	crowd.Wait()

	slices.Sort(took)
	t.Logf("%d guesses: %d looked at, %d throttled, %d without an answer; sign-ins took %v to %v, half of them under %v",
		sent.Load(), refused.Load(), throttled.Load(), lost.Load(), took[0].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), took[len(took)/2].Round(time.Millisecond))
	if accepted.Load() > 0 || refused.Load() > 250 {
		t.Errorf("%d guesses were accepted, %d looked at", accepted.Load(), refused.Load())
	}
	if got := throttled.Load(); got < 250 {
		t.Errorf("%d guesses were throttled: this was no attack", got)
	}
	if alone && (took[len(took)-1] > 5*time.Second || lost.Load() > 0 || sent.Load() < rate*60*95/100) { // the first second goes by with connecting
		t.Errorf("sign-ins took up to %v; %d of %d guesses had no answer", took[len(took)-1], lost.Load(), sent.Load())
	}
	if entries := v.audit(t, "passcode.refused"); len(entries) == 0 || len(entries) > 2000 {
		t.Errorf("%d entries for %d guesses", len(entries), sent.Load())
	}
}
