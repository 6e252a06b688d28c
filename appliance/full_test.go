package main

import (
	"crypto/rand"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/appliance/internal/api"
	"slipway/lab/mounttest"
)

// fill takes all the space there is.
func fill(t *testing.T, dir string) (ballast string) {
	t.Helper()
	ballast = filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := 1 << 20; block >= 1; block /= 2 {
		for {
			if _, err := f.Write(make([]byte, block)); err != nil {
				break
			}
		}
	}
	return ballast
}

// TestAFullDisk: boot files are served, writes answer 507, reads go on, and all
// resumes by itself when there is space again.
func TestAFullDisk(t *testing.T) {
	dir := mounttest.Small(t, "400m")
	r := start(t, dir)
	r.must("slipway-lab\n", "passcode", "set")
	token := r.must("", "token", "add", "script", "--role", "administrator")
	token = token[:len(token)-1]
	boot := filepath.Join(dir, "data", "boot", "loaders")
	if err := os.MkdirAll(boot, 0o700); err != nil {
		t.Fatal(err)
	}
	// A name that the appliance does not bring itself, as it does with its loaders.
	content := make([]byte, 70<<10)
	if _, err := rand.Read(content); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(boot, "another.kpxe"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	ballast := fill(t, dir)

	client := insecure(nil, "")
	body := api.SetPasscode{Passcode: "another-lab-code-7"}
	if code := r.request(client, "PUT", "/api/v1/admin/passcode", token, body, nil); code != http.StatusInsufficientStorage {
		t.Errorf("a write on a full disk answers %d, want 507", code)
	}
	if code := r.request(client, "GET", "/api/v1/admin/devices", token, nil, nil); code != http.StatusOK {
		t.Errorf("a read on a full disk answers %d", code)
	}
	resp, err := http.Get("http://" + r.http + "/boot/loaders/another.kpxe")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || len(got) != len(content) {
		t.Errorf("a boot file on a full disk: %d bytes of %d, %v", len(got), len(content), err)
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for r.request(client, "PUT", "/api/v1/admin/passcode", token, body, nil) != http.StatusNoContent {
		if time.Now().After(deadline) {
			t.Fatalf("writes did not resume; log: %s", r.log)
		}
		time.Sleep(100 * time.Millisecond)
	}
	r.stop()
	r = start(t, dir)
	if code := r.request(client, "GET", "/api/v1/admin/devices", token, nil, nil); code != http.StatusOK {
		t.Errorf("after a restart the token answers %d", code)
	}
	r.stop()
}

// TestTheSetupCodeComesWhenThereIsSpace: an appliance without an account that was started
// on a full disk makes its setup code by itself when it can.
func TestTheSetupCodeComesWhenThereIsSpace(t *testing.T) {
	dir := mounttest.Small(t, "400m")
	start(t, dir).stop()
	ballast := fill(t, dir)
	r := startUntil(t, dir, "", "/healthz") // not ready: it says so of a full disk
	r.until(r.log, "no setup code could be made; it is tried again")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	r.until(r.out, "Setup code:")
	if n := strings.Count(r.log.String(), "no setup code"); n != 1 {
		t.Errorf("the log tells of it %d times: %s", n, r.log)
	}
	if code := r.out.String(); !setupCode.MatchString(code) {
		t.Errorf("what came is %q", code)
	}
	r.stop()
}

// until waits for words in what the appliance says.
func (r *running) until(where *lockedBuffer, words string) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(where.String(), words); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("%q did not come; out: %s; log: %s", words, r.out, r.log)
		}
	}
}
