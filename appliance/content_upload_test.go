package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/api"
	"slipway/appliance/internal/content"
	"slipway/fleet"
	"slipway/lab/mounttest"
)

// tus sends a request of the protocol and returns status and headers.
func (r *running) tus(method, url, token string, body []byte, headers ...string) (int, http.Header) {
	r.t.Helper()
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := insecure(nil, "").Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header
}

// TestAnUploadGoesOnAfterARestart, by the tus protocol, and belongs to who began it.
func TestAnUploadGoesOnAfterARestart(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	token := strings.TrimSpace(r.must("", "token", "add", "one", "--role", "technician"))
	other := strings.TrimSpace(r.must("", "token", "add", "two", "--role", "technician"))
	viewer := strings.TrimSpace(r.must("", "token", "add", "three", "--role", "viewer"))
	data := bytesOf(9, 5<<20)
	half := len(data) / 2
	begin := []string{"Upload-Length", fmt.Sprint(len(data)), "Upload-Metadata", "filename " + base64.StdEncoding.EncodeToString([]byte("big.bin"))}
	where := "https://" + r.https + "/api/v1/admin/content-uploads"
	if code, _ := r.tus("POST", where, viewer, nil, begin...); code != http.StatusForbidden {
		t.Errorf("a viewer begins: %d", code)
	}
	code, h := r.tus("POST", where, token, nil, begin...)
	if code != http.StatusCreated {
		t.Fatalf("begin: %d", code)
	}
	id := filepath.Base(h.Get("Location"))
	piece := func(r *running, at int, data []byte) int {
		t.Helper()
		code, _ := r.tus("PATCH", "https://"+r.https+"/api/v1/admin/content-uploads/"+id, token, data, "Upload-Offset", fmt.Sprint(at), "Content-Type", "application/offset+octet-stream")
		return code
	}
	if code := piece(r, 0, data[:half]); code != http.StatusNoContent {
		t.Fatalf("first half: %d", code)
	}
	if code, _ := r.tus("HEAD", where+"/"+id, other, nil); code != http.StatusNotFound {
		t.Errorf("somebody else looks: %d", code)
	}
	r.stop()
	r = start(t, dir)
	where = "https://" + r.https + "/api/v1/admin/content-uploads"
	if code, h := r.tus("HEAD", where+"/"+id, token, nil); code != http.StatusOK || h.Get("Upload-Offset") != fmt.Sprint(half) {
		t.Errorf("after a restart: %d, offset %s", code, h.Get("Upload-Offset"))
	}
	client := insecure(nil, "")
	add := api.AddContent{Name: "Big", Purpose: "other", Uploads: []api.UploadedContent{{ID: id, Path: "big.bin"}}}
	follow := func(token string) content.Job {
		t.Helper()
		var job content.Job
		if code := r.request(client, "POST", "/api/v1/admin/content", token, add, &job); code != http.StatusAccepted {
			t.Fatalf("add: %d", code)
		}
		for deadline := time.Now().Add(patience); job.Status == content.JobRunning && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			r.request(client, "GET", "/api/v1/admin/content-jobs/"+job.ID, token, nil, &job)
		}
		return job
	}
	if job := follow(token); job.Status != content.JobFailed || !strings.Contains(job.Error, "not complete") {
		t.Errorf("half a file: %+v", job)
	}
	if code := piece(r, half, data[half:]); code != http.StatusNoContent {
		t.Errorf("second half: %d", code)
	}
	if job := follow(other); job.Status != content.JobFailed {
		t.Errorf("somebody else's upload: %+v", job)
	}
	job := follow(token)
	if job.Status != content.JobDone {
		t.Fatalf("%+v", job)
	}
	if _, body := r.fetch("GET", fmt.Sprintf("/api/v1/content/%s/1/big.bin", job.Version.Item), viewer); !bytes.Equal(body, data) {
		t.Errorf("%d bytes came back", len(body))
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "data", "content", "tus", "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	out := filepath.Join(dir, "out")
	r.must("", "content", "export", "Big:1", out)
	r.must("", "content", "delete", "Big")
	if left, _ := filepath.Glob(filepath.Join(dir, "data", "content", "blobs", "*", "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	r.stop()
}

// TestContentOnAFullDisk: a clear answer, nothing half-written, and it goes on when
// there is space again.
func TestContentOnAFullDisk(t *testing.T) {
	dir := mounttest.Small(t, "300m")
	r := start(t, dir)
	r.must("slipway-lab\n", "passcode", "set")
	r.must(`{"id":"s","name":"S","status":"active","steps":[{"id":"w","name":"W","definition":"reboot"}]}`, "sequence", "import", "-")
	token := strings.TrimSpace(r.must("", "token", "add", "one", "--role", "technician"))
	b := r.boot(testDevice)
	b.signIn("slipway-lab")
	d := b.start("s")
	big := filepath.Join(t.TempDir(), "big")
	put(t, big, bytesOf(4, 8<<20), 0o644)
	if err := os.Truncate(big, 400<<20); err != nil {
		t.Fatal(err)
	}
	code, _, text := r.cli("", "content", "add", "Big", big, "--purpose", "other")
	if code == 0 || !strings.Contains(text, "the disk is full") {
		t.Errorf("add: %d %s", code, text)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "data", "content", "*", "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if code, _ := r.tus("POST", "https://"+r.https+"/api/v1/admin/content-uploads", token, nil, "Upload-Length", fmt.Sprint(400<<20)); code != http.StatusInsufficientStorage {
		t.Errorf("an upload that cannot fit: %d", code)
	}
	r.uploadsOverAFullDisk(dir, token)
	base := "/deployments/" + d.ID + "/uploads"
	var u wire.UploadState
	if code := b.call("POST", base, wire.ContentUpload{Key: "k", Name: "C", Purpose: "other", File: "f"}, &u); code != http.StatusOK {
		t.Fatalf("begin: %d", code)
	}
	piece := make([]byte, 16<<20)
	kept := int64(0)
	for code = http.StatusOK; code == http.StatusOK && kept < 400<<20; {
		if code = b.send("PATCH", fmt.Sprintf("%s/%s?offset=%d", base, u.Upload, kept), piece, nil); code == http.StatusOK {
			kept += int64(len(piece))
		}
	}
	if code != http.StatusInsufficientStorage {
		t.Errorf("a device's upload: %d after %d bytes", code, kept)
	}
	if b.call("GET", base+"/"+u.Upload, nil, &u); u.Offset != kept {
		t.Errorf("kept %d bytes, said %d", u.Offset, kept)
	}
	if code := b.call("DELETE", base+"/"+u.Upload, nil, nil); code != http.StatusNoContent {
		t.Errorf("drop: %d", code)
	}
	put(t, big, bytesOf(4, 1<<20), 0o644)
	var v fleet.ContentVersion
	if err := json.Unmarshal([]byte(r.must("", "content", "add", "Big", big, "--purpose", "other", "--json")), &v); err != nil || v.Version != 1 {
		t.Errorf("with space again: %+v, %v", v, err)
	}
	r.stop()
}

// uploadsOverAFullDisk: a person's upload meets the full disk in a piece, and goes on.
func (r *running) uploadsOverAFullDisk(dir, token string) {
	r.t.Helper()
	where := "https://" + r.https + "/api/v1/admin/content-uploads"
	data := bytesOf(6, 20<<20)
	code, h := r.tus("POST", where, token, nil, "Upload-Length", fmt.Sprint(len(data)))
	if code != http.StatusCreated {
		r.t.Fatalf("begin: %d", code)
	}
	id := where + "/" + filepath.Base(h.Get("Location"))
	piece := func(at, end int) int {
		code, _ := r.tus("PATCH", id, token, data[at:end], "Upload-Offset", fmt.Sprint(at), "Content-Type", "application/offset+octet-stream")
		return code
	}
	at := 5 << 20
	if code := piece(0, at); code != http.StatusNoContent {
		r.t.Fatalf("the first piece: %d", code)
	}
	ballast := fill(r.t, dir)
	if code := piece(at, len(data)); code != http.StatusInsufficientStorage {
		r.t.Errorf("a piece on a full disk: %d, want 507", code)
	}
	if err := os.Remove(ballast); err != nil {
		r.t.Fatal(err)
	}
	if code, h := r.tus("HEAD", id, token, nil); code != http.StatusOK || h.Get("Upload-Offset") != fmt.Sprint(at) {
		r.t.Errorf("after the full disk: %d, %s bytes are kept", code, h.Get("Upload-Offset"))
	}
	if code := piece(at, len(data)); code != http.StatusNoContent {
		r.t.Errorf("with room again: %d", code)
	}
	if code, _ := r.tus("DELETE", id, token, nil); code != http.StatusNoContent {
		r.t.Errorf("drop: %d", code)
	}
}
