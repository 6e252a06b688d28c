package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"testing"

	"slipway/agent/wire"
	"slipway/fleet"
)

// addFile adds a file as a new version by command line.
func (r *running) addFile(name, purpose, path string, more ...string) (v fleet.ContentVersion) {
	r.t.Helper()
	out := r.must("", append([]string{"content", "add", name, path, "--purpose", purpose, "--json"}, more...)...)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		r.t.Fatal(err)
	}
	return v
}

// send sends raw bytes as the device.
func (b *booted) send(method, path string, data []byte, out any) int {
	b.t.Helper()
	req, err := http.NewRequest(method, "https://"+b.https+"/api/v1"+path, bytes.NewReader(data))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.token)
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && out != nil {
		err = json.Unmarshal(body, out)
	}
	if err != nil {
		b.t.Fatal(err, string(body))
	}
	return resp.StatusCode
}

// TestADeviceReachesOnlyTheContentOfItsDeployment: what the sequence names and what
// was answered to a query, nothing else; the answer stays the same.
func TestADeviceReachesOnlyTheContentOfItsDeployment(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	r.must("slipway-lab\n", "passcode", "set")
	file := filepath.Join(dir, "f.deb")
	put(t, file, []byte("first"), 0o644)
	named := r.addFile("Tools", "other", file)
	asked := r.addFile("Editor", "application", file)
	hidden := r.addFile("Hidden", "other", file)
	pack := r.addFile("Drivers", "driverpack", file, "--manufacturer", "QEMU", "--model", "standard pc")
	r.must(fmt.Sprintf(`{"id":"with-content","name":"With content","status":"active","steps":[{"id":"run","name":"Run","definition":"run-command-line","settings":{"Command":"true","Content":%q}}]}`, named.Item), "sequence", "import", "-")

	b := r.boot(testDevice)
	if code := b.signIn("slipway-lab"); code != http.StatusOK {
		t.Fatalf("sign-in answers %d", code)
	}
	path := func(v fleet.ContentVersion) string { return fmt.Sprintf("/content/%s/%d", v.Item, v.Version) }
	if code := b.call("GET", path(named), nil, nil); code != http.StatusNotFound {
		t.Errorf("before the deployment: %d", code)
	}
	d := b.start("with-content")
	for what, c := range map[string]struct {
		v    fleet.ContentVersion
		want int
	}{"named": {named, 200}, "not named": {hidden, 404}, "not asked yet": {asked, 404}} {
		if code := b.call("GET", path(c.v), nil, nil); code != c.want {
			t.Errorf("%s: %d, want %d", what, code, c.want)
		}
	}
	query := func(q wire.ContentQuery, want int) (out wire.ContentAnswer) {
		t.Helper()
		if code := b.call("POST", "/deployments/"+d.ID+"/content", q, &out); code != want {
			t.Errorf("%+v answers %d, want %d", q, code, want)
		}
		return out
	}
	apps := wire.ContentQuery{Items: []string{"editor", asked.Item + ":1"}, Purpose: "application"}
	if out := query(apps, 200); len(out.Content) != 2 || out.Content[0].Item != asked.Item || out.Content[1].Version != 1 {
		t.Errorf("answer %+v", out)
	}
	if code := b.call("GET", path(asked), nil, nil); code != http.StatusOK {
		t.Errorf("what was asked for: %d", code)
	}
	if out := query(wire.ContentQuery{Drivers: &wire.DriverQuery{Make: "Qemu", Model: "Standard PC", SystemAlias: "x"}}, 200); len(out.Content) != 1 || out.Content[0].Item != pack.Item {
		t.Errorf("drivers %+v", out)
	}
	query(wire.ContentQuery{Items: []string{"Hidden"}, Purpose: "application"}, http.StatusUnprocessableEntity)
	query(wire.ContentQuery{}, http.StatusUnprocessableEntity)
	// A newer version changes nothing for this deployment.
	put(t, file, []byte("second"), 0o644)
	if v := r.addFile("Editor", "application", file); v.Version != 2 {
		t.Errorf("second version %+v", v)
	}
	if out := query(apps, 200); out.Content[0].Version != 1 {
		t.Errorf("the same query gets %+v", out)
	}
	if code := b.call("POST", "/deployments/"+d.ID+"/events", finishedEvent(d), nil); code != http.StatusOK {
		t.Fatalf("end: %d", code)
	}
	if code := b.call("GET", path(named), nil, nil); code != http.StatusUnauthorized {
		t.Errorf("after the end: %d", code)
	}
	r.stop()
}

// TestADeviceUploadsWhatItCaptured, over a restart of the appliance.
func TestADeviceUploadsWhatItCaptured(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	r.must("slipway-lab\n", "passcode", "set")
	r.must(`{"id":"s","name":"S","status":"active","steps":[{"id":"w","name":"W","definition":"reboot"}]}`, "sequence", "import", "-")
	b := r.boot(testDevice)
	b.signIn("slipway-lab")
	d := b.start("s")
	data := bytesOf(3, 6<<20)
	base := "/deployments/" + d.ID + "/uploads"
	begin := wire.ContentUpload{Key: "step-1", Name: "Captured", Purpose: "operatingsystem", File: "root.tar.zst"}
	var u wire.UploadState
	if code := b.call("POST", base, begin, &u); code != http.StatusOK || u.Offset != 0 {
		t.Fatalf("begin: %d %+v", code, u)
	}
	half := len(data) / 2
	if code := b.send("PATCH", base+"/"+u.Upload+"?offset=0", data[:half], &u); code != http.StatusOK || u.Offset != int64(half) {
		t.Fatalf("first half: %d %+v", code, u)
	}
	if code := b.send("PATCH", fmt.Sprintf("%s/%s?offset=%d", base, u.Upload, half+1), data[half+1:], nil); code != http.StatusConflict {
		t.Errorf("a gap: %d", code)
	}
	r.stop()
	r2 := start(t, dir)
	b.running = r2
	var again wire.UploadState
	if code := b.call("POST", base, begin, &again); code != http.StatusOK || again != u {
		t.Errorf("after a restart: %d %+v, was %+v", code, again, u)
	}
	// The last piece is sent twice, as after a lost answer.
	for range 2 {
		if code := b.send("PATCH", fmt.Sprintf("%s/%s?offset=%d", base, u.Upload, half), data[half:], &again); code != http.StatusOK || again.Offset != int64(len(data)) {
			t.Errorf("second half: %d %+v", code, again)
		}
	}
	sum := sha256.Sum256(data)
	good := wire.UploadCommit{Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}
	bad := good
	bad.SHA256 = hex.EncodeToString(make([]byte, 32))
	if code := b.call("POST", base+"/"+u.Upload+"/commit", bad, nil); code != http.StatusUnprocessableEntity {
		t.Errorf("a wrong hash: %d", code)
	}
	var v, twice wire.ContentVersion
	if code := b.call("POST", base+"/"+u.Upload+"/commit", good, &v); code != http.StatusOK || v.Size != int64(len(data)) || v.Version != 1 {
		t.Errorf("commit: %d %+v", code, v)
	}
	if code := b.call("POST", base+"/"+u.Upload+"/commit", good, &twice); code != http.StatusOK || twice != v {
		t.Errorf("commit again: %d %+v", code, twice)
	}
	// It is not taken by anybody by itself, and its bytes are what was sent.
	var item struct{ Versions []fleet.ContentVersion }
	if err := json.Unmarshal([]byte(r2.must("", "content", "show", "Captured", "--json")), &item); err != nil || item.Versions[0].Status != fleet.ContentInDevelopment {
		t.Errorf("item %+v, %v", item, err)
	}
	script := r2.must("", "token", "add", "script", "--role", "viewer")
	if _, body := r2.fetch("GET", fmt.Sprintf("/api/v1/content/%s/1/root.tar.zst", v.Item), script[:len(script)-1]); !bytes.Equal(body, data) {
		t.Errorf("%d bytes came back", len(body))
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "data", "content", "uploads", "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	r2.stop()
}
