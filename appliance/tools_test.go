package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// ask sends a request of a device that runs a boot image and reads the answer whole.
func (b *booted) ask(method, path, image string, body any, headers ...string) (*http.Response, []byte) {
	b.t.Helper()
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			b.t.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, "https://"+b.https+"/api/v1"+path, in)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.token)
	req.Header.Set(wire.HeaderImage, image)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp, text
}

// TestToolsOfABootImage: a machine that was booted by a medium of an image that is no
// longer the served one gets the tools of its own image, and counts as using it; who
// may have them, in parts too, and what is said when there are none.
func TestToolsOfABootImage(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	r.must("slipway-lab\n", "passcode", "set")
	r.stop()
	pack := bytesOf(31, 300_000)
	sum := sha256.Sum256(pack)
	hash := hex.EncodeToString(sum[:])
	old, served, bare, gone := strings.Repeat("a", 32), strings.Repeat("b", 32), strings.Repeat("c", 32), strings.Repeat("d", 32)
	put(t, filepath.Join(dir, "data", "boot", old, "tools.zst"), pack, 0o600)
	put(t, filepath.Join(dir, "data", "boot", served, "tools.zst"), []byte("others"), 0o600)
	store, err := state.Open(t.Context(), state.Options{Dir: filepath.Join(dir, "data", "state"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	err = store.Update(t.Context(), func(tx *state.Tx) error {
		for id, files := range map[string][]fleet.ImageFile{
			old:    {{Name: "tools.zst", Size: int64(len(pack)), SHA256: hash}},
			served: {{Name: "tools.zst", Size: 6, SHA256: strings.Repeat("0", 64)}},
			bare:   {{Name: "vmlinuz", Size: 1, SHA256: strings.Repeat("0", 64)}},
		} {
			if err := tx.Images().Put(fleet.BootImage{ID: id, Kind: "linux", Architecture: "x64", Files: files, Served: id == served, BuiltAt: time.Now()}); err != nil {
				return err
			}
			// A collection at the start would take what nobody uses yet.
			if err := tx.Media().Put(fleet.Medium{ID: "medium of " + id, Kind: "iso", Image: id, MadeAt: time.Now()}); err != nil {
				return err
			}
		}
		return nil
	})
	if err = joinClose(err, store); err != nil {
		t.Fatal(err)
	}
	r = start(t, dir)
	viewer := strings.TrimSpace(r.must("", "token", "add", "v", "--role", "administrator"))
	b := r.boot(testDevice)
	if code := b.signIn("slipway-lab"); code != http.StatusOK {
		t.Fatalf("sign-in answers %d", code)
	}
	path := "/tools/" + old
	resp, body := b.ask("GET", path, old, nil)
	if resp.StatusCode != http.StatusOK || !bytes.Equal(body, pack) || resp.Header.Get("ETag") != `"`+hash+`"` {
		t.Errorf("%d, %d bytes, ETag %s", resp.StatusCode, len(body), resp.Header.Get("ETag"))
	}
	resp, body = b.ask("GET", path, old, nil, "Range", "bytes=299990-", "If-Range", `"`+hash+`"`)
	if resp.StatusCode != http.StatusPartialContent || !bytes.Equal(body, pack[299990:]) {
		t.Errorf("a part: %d, %d bytes", resp.StatusCode, len(body))
	}
	resp, body = b.ask("GET", path, old, nil, "Range", "bytes=10-", "If-Range", `"another"`)
	if resp.StatusCode != http.StatusOK || len(body) != len(pack) {
		t.Errorf("a part of another pack: %d, %d bytes", resp.StatusCode, len(body))
	}
	if resp, _ = b.ask("GET", path, old, nil, "If-None-Match", `"`+hash+`"`); resp.StatusCode != http.StatusNotModified {
		t.Errorf("known already: %d", resp.StatusCode)
	}
	for image, want := range map[string]string{gone: "not kept", bare: "built without tools", "..": "not kept", old + "%2f..": "not kept"} {
		resp, body := b.ask("GET", "/tools/"+image, old, nil)
		var p wire.Problem
		if json.Unmarshal(body, &p) != nil || resp.StatusCode != http.StatusNotFound || !strings.Contains(p.Detail, want) {
			t.Errorf("tools of %s: %d %s", image, resp.StatusCode, body)
		}
	}
	if resp, _ := r.fetch("GET", "/api/v1"+path, ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %d", resp.StatusCode)
	}
	if resp, _ := r.fetch("GET", "/api/v1"+path, viewer); resp.StatusCode != http.StatusForbidden {
		t.Errorf("with a script's token: %d", resp.StatusCode)
	}
	if resp, _ := r.fetch("GET", "/api/v1"+path, b.token); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("with a stolen token: %d", resp.StatusCode)
	}
	// The record says which image the device and its deployment run.
	var choices wire.TaskSequences
	b.call("GET", "/task-sequences", nil, &choices)
	resp, body = b.ask("POST", "/deployments", old, wire.StartDeployment{Sequence: choices.TaskSequences[0].ID})
	var d wire.Deployment
	if json.Unmarshal(body, &d) != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("start: %d %s", resp.StatusCode, body)
	}
	if shown := r.must("", "deployment", "show", d.ID, "--json"); !strings.Contains(shown, old) {
		t.Errorf("the deployment does not name its image: %s", shown)
	}
	if list := r.must("", "device", "list", "--json"); !strings.Contains(list, old) {
		t.Errorf("the device does not name its image: %s", list)
	}
	r.stop()
}

func joinClose(err error, c io.Closer) error {
	if e := c.Close(); err == nil {
		err = e
	}
	return err
}
