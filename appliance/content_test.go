package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/wire"
	"slipway/appliance/internal/api"
	"slipway/fleet"
)

// bytesOf are the same for the same seed.
func bytesOf(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 7))
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return out
}

func put(t *testing.T, path string, data []byte, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

// fetch sends a request with headers and returns the answer and its body.
func (r *running) fetch(method, path, token string, headers ...string) (*http.Response, []byte) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, "https://"+r.https+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := insecure(nil, "").Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, body
}

// TestContent adds a folder by command line and fetches it as a script does.
func TestContent(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	token := strings.TrimSpace(r.must("", "token", "add", "script", "--role", "viewer"))
	big := bytesOf(1, 2*wire.ChunkSize+77)
	src := filepath.Join(dir, "src")
	put(t, filepath.Join(src, "setup.sh"), []byte("#!/bin/sh\n"), 0o755)
	put(t, filepath.Join(src, "data", "with blank & ü.bin"), big, 0o640)

	var v fleet.ContentVersion
	if err := json.Unmarshal([]byte(r.must("", "content", "add", "Editor", src, "--purpose", "application", "--command", "sh setup.sh", "--tag", "tools", "--json")), &v); err != nil {
		t.Fatal(err)
	}
	if v.Version != 1 || v.Files != 2 || v.Status != "active" || v.Kind != "folder" {
		t.Errorf("made %+v", v)
	}
	base := fmt.Sprintf("/api/v1/content/%s/1", v.Item)
	var m wire.ContentManifest
	if _, body := r.fetch("GET", base, token); json.Unmarshal(body, &m) != nil || m.Check() != nil || m.Command != "sh setup.sh" || m.Purpose != "application" {
		t.Fatalf("manifest %s", body)
	}
	if f := m.Files[0]; f.Path != "data/with blank & ü.bin" || f.Mode != 0o640 || len(f.Chunks) != 3 || m.Files[1].Mode != 0o755 {
		t.Errorf("files %+v", m.Files)
	}
	file := base + "/data/with%20blank%20&%20%C3%BC.bin"
	sum := sha256.Sum256(big)
	etag := `"` + hex.EncodeToString(sum[:]) + `"`
	resp, body := r.fetch("GET", file, token)
	if resp.StatusCode != 200 || !bytes.Equal(body, big) || resp.Header.Get("ETag") != etag {
		t.Errorf("whole: %d, %d bytes, ETag %s", resp.StatusCode, len(body), resp.Header.Get("ETag"))
	}
	resp, body = r.fetch("GET", file, token, "Range", "bytes=4194300-4194309", "If-Range", etag)
	if resp.StatusCode != http.StatusPartialContent || !bytes.Equal(body, big[4194300:4194310]) {
		t.Errorf("range: %d, %d bytes", resp.StatusCode, len(body))
	}
	resp, body = r.fetch("HEAD", file, token)
	if resp.StatusCode != 200 || resp.ContentLength != int64(len(big)) || len(body) != 0 {
		t.Errorf("HEAD: %d, %d", resp.StatusCode, resp.ContentLength)
	}
	if resp, _ = r.fetch("GET", file, token, "If-None-Match", etag); resp.StatusCode != http.StatusNotModified {
		t.Errorf("known already: %d", resp.StatusCode)
	}
	for path, want := range map[string]int{base + "/none": 404, "/api/v1/content/none/1": 404, base + "/../1": 404, fmt.Sprintf("/api/v1/content/%s/2", v.Item): 404, fmt.Sprintf("/api/v1/content/%s/x", v.Item): 400} {
		if resp, body := r.fetch("GET", path, token); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d: %s", path, resp.StatusCode, want, body)
		}
	}
	if resp, _ := r.fetch("GET", file, "wrong"); resp.StatusCode != 401 {
		t.Errorf("without a token: %d", resp.StatusCode)
	}
	if code := r.request(insecure(nil, ""), "POST", "/api/v1/admin/content", strings.TrimSpace(r.must("", "token", "add", "t", "--role", "administrator")),
		api.AddContent{Name: "x", Purpose: "other", Path: "/etc/passwd"}, nil); code != http.StatusForbidden {
		t.Errorf("a path named from afar: %d", code)
	}
	if out := r.must("", "content", "list"); !strings.Contains(out, "Editor") || !strings.Contains(out, v.Item) {
		t.Errorf("list: %s", out)
	}
	if out := r.must("", "content", "show", "editor:1"); !strings.Contains(out, "setup.sh") {
		t.Errorf("show: %s", out)
	}
	r.must("", "content", "status", "Editor:1", "deprecated")
	r.must("", "content", "verify")

	// Damage at rest is found, and is not handed out.
	blob := filepath.Join(dir, "data", "content", "blobs", etag[1:3], strings.Trim(etag, `"`))
	if err := os.Chmod(blob, 0o600); err != nil {
		t.Fatal(err)
	}
	spoilt := bytes.Clone(big)
	spoilt[wire.ChunkSize+5] ^= 1
	put(t, blob, spoilt, 0o600)
	if code, out, _ := r.cli("", "content", "verify", "Editor"); code == 0 || !strings.Contains(out, "with blank") {
		t.Errorf("verify of damaged content: %d %s", code, out)
	}
	resp, body = r.fetch("GET", file, token, "Range", "bytes=4194304-")
	if resp.StatusCode != http.StatusConflict || !strings.Contains(string(body), "damaged") {
		t.Errorf("damaged content: %d %s", resp.StatusCode, body)
	}
	// The same bytes again mend it.
	r.must("", "content", "add", "Editor", src)
	r.must("", "content", "verify")
	r.stop()
}

// A file's name steers no terminal.
func TestContentNamesSteerNoTerminal(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "made", "a\x1b[2J.wim"), []byte("MSWIM\x00\x00\x00 and nothing more"), 0o600)
	r := start(t, dir)
	code, added, said := r.cli("", "content", "add", "made", filepath.Join(dir, "made"), "--purpose", "other")
	if code != 0 {
		t.Fatalf("exit %d, %s", code, said)
	}
	show := r.must("", "content", "show", "made:1")
	if strings.Contains(added+said+show, "\x1b") || !strings.Contains(show, "a.[2J.wim cannot be read") {
		t.Errorf("%q", added+said+show)
	}
}
