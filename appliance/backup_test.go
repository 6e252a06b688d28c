package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/api"
	"slipway/fleet"
	"slipway/lab/mounttest"
)

const recovery = "sextant plywood oregano umbrella quartz"

// consoleCookie signs in at the console and returns the session's cookie; empty when
// it is refused.
func (r *running) consoleCookie(name, password string) string {
	r.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	browser := insecure(nil, "")
	browser.Jar = jar
	login := "https://" + r.https + "/login"
	field := regexp.MustCompile(`name="csrf" value="([^"]+)"`).FindStringSubmatch(getPage(r.t, browser, login))
	if field == nil {
		r.t.Fatal("no form on the sign-in page")
	}
	resp, err := browser.PostForm(login, url.Values{"csrf": {field[1]}, "name": {name}, "password": {password}})
	if err != nil {
		r.t.Fatal(err)
	}
	resp.Body.Close()
	for _, c := range resp.Cookies() {
		if c.Name == "__Host-slipway-session" && resp.StatusCode == http.StatusSeeOther {
			return c.Value
		}
	}
	return ""
}

// showsPage reports whether the console shows a page to a cookie.
func (r *running) showsPage(cookie string) bool {
	r.t.Helper()
	resp, _ := r.fetchPage("/audit", cookie)
	return resp.StatusCode == http.StatusOK
}

// fetchPage gets a page of the console.
func (r *running) fetchPage(path, cookie string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequest("GET", "https://"+r.https+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Cookie", "__Host-slipway-session="+cookie)
	resp, err := insecure(nil, "").Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, string(body)
}

// pinned is a device's client as its boot media make it: it trusts the CA set of then
// under the name of then.
func pinned(t *testing.T, cert *tls.Certificate, cas, installation string) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(cas)) {
		t.Fatalf("no CA in %q", cas)
	}
	c := &tls.Config{RootCAs: pool, ServerName: wire.ServerName(installation), Certificates: []tls.Certificate{*cert}}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}, Timeout: patience}
}

// TestARestoredApplianceIsTheSame: what was set up on one appliance works on another
// machine after a restore; media made before trust it; sessions and the devices'
// tokens do not come back.
func TestARestoredApplianceIsTheSame(t *testing.T) {
	a := start(t, t.TempDir())
	const password = "quartz-Lantern 88 moss"
	a.must("slipway-lab\n", "passcode", "set")
	a.must(password+"\n", "account", "add", "ada", "--role", "administrator")
	a.must("the-entra-secret-7\n", "auth", "set", "entra.client_secret=@-")
	apiToken := strings.TrimSpace(a.must("", "token", "add", "script", "--role", "viewer"))
	cookie := a.consoleCookie("ada", password)
	if !a.showsPage(cookie) {
		t.Fatal("the console session does not work before the backup")
	}
	list := filepath.Join(t.TempDir(), "own.json")
	if err := os.WriteFile(list, []byte(`{"format":1,"name":"ours","entries":[{"kind":"operatingsystem","name":"Our Windows","url":"https://files.example.com/our.wim","os":"Windows 11","architecture":"x64"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	a.must("", "catalogue", "import", "--own", list)
	lists := a.must("", "catalogue", "list")
	installation, cas := installationOf(t, a), a.must("", "ca", "show")
	cert := deviceCertificate(t)
	media := pinned(t, cert, cas, installation)
	signIn := wire.PasscodeSignIn{Passcode: "slipway-lab", Device: testDevice, Environment: wire.LinuxPE}
	var token wire.Token
	if code := a.request(media, "POST", "/api/v1/auth/passcode", "", signIn, &token); code != http.StatusOK {
		t.Fatalf("sign-in answers %d", code)
	}
	var choices wire.TaskSequences
	a.request(media, "GET", "/api/v1/task-sequences", token.Token, nil, &choices)
	var d wire.Deployment
	secret := wire.StartDeployment{Sequence: choices.TaskSequences[0].ID, Variables: []wire.Variable{{Name: "AdminPassword", Value: json.RawMessage(`"pine-cone-4711"`), Secret: true}}}
	if code := a.request(media, "POST", "/api/v1/deployments", token.Token, secret, &d); code != http.StatusCreated {
		t.Fatalf("start answers %d", code)
	}

	file := filepath.Join(t.TempDir(), "slipway.backup")
	if out := a.must(recovery+"\n", "backup", file); !strings.Contains(out, file) {
		t.Errorf("backup prints %q", out)
	}
	a.must(password+"\n", "account", "add", "late", "--role", "viewer") // is not in it
	a.stop()

	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "slipway.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b := &running{t: t, config: filepath.Join(dir, "slipway.yaml")}
	out := b.must(recovery+"\n", "restore", file)
	for _, want := range []string{installation, "image build linux", "revoked"} {
		if !strings.Contains(out, want) {
			t.Errorf("restore does not tell %q: %s", want, out)
		}
	}
	kept, err := os.ReadFile(filepath.Join(dir, "data", "slipway.yaml"))
	if err != nil || !bytes.Contains(kept, []byte(a.https)) {
		t.Errorf("the configuration of then: %q, %v", kept, err)
	}
	b = start(t, dir)
	if now := installationOf(t, b); now != installation {
		t.Errorf("the installation was %s, is %s", installation, now)
	}
	if now := b.must("", "ca", "show"); now != cas {
		t.Error("the CA set is another")
	}
	if now := b.must("", "catalogue", "list"); now != lists {
		t.Errorf("the catalogues were\n%sand are\n%s", lists, now)
	}
	if strings.Contains(b.out.String(), "Setup code:") {
		t.Error("the restored appliance wants to be set up")
	}
	if code := b.request(media, "GET", "/api/v1/deployments/current", token.Token, nil, nil); code != http.StatusUnauthorized {
		t.Errorf("a device's token of before answers %d", code)
	}
	if b.showsPage(cookie) {
		t.Error("a session of before still works")
	}
	if b.consoleCookie("ada", password) == "" {
		t.Error("the account does not sign in")
	}
	if list := b.must("", "account", "list"); strings.Contains(list, "late") {
		t.Errorf("an account made after the backup is there: %s", list)
	}
	if code := b.request(insecure(nil, ""), "GET", "/api/v1/admin/devices", apiToken, nil, nil); code != http.StatusOK {
		t.Errorf("the API token answers %d", code)
	}
	if code := b.request(media, "POST", "/api/v1/auth/passcode", "", signIn, &token); code != http.StatusOK {
		t.Fatalf("sign-in at the restored appliance answers %d", code)
	}
	var going wire.Deployment
	if code := b.request(media, "GET", "/api/v1/deployments/current", token.Token, nil, &going); code != http.StatusOK || going.ID != d.ID {
		t.Fatalf("the deployment under way: %d %+v", code, going)
	}
	if code := b.request(media, "POST", "/api/v1/deployments/"+d.ID+"/resume", token.Token, struct{}{}, &going); code != http.StatusOK {
		t.Fatalf("continuing answers %d", code)
	}
	opened := false
	for _, v := range going.Variables {
		opened = opened || v.Name == "AdminPassword" && string(v.Value) == `"pine-cone-4711"`
	}
	if !opened {
		t.Errorf("the secret variable does not open: %+v", going.Variables)
	}
	finished := wire.EventBatch{Epoch: going.Epoch, Events: []wire.Event{{Number: 1, Time: time.Now(), Kind: wire.EventFinished, Status: "succeeded"}}}
	if code := b.request(media, "POST", "/api/v1/deployments/"+d.ID+"/events", token.Token, finished, nil); code != http.StatusOK {
		t.Errorf("events answer %d", code)
	}
	if shown := b.must("", "deployment", "show", d.ID); !strings.Contains(shown, "succeeded") {
		t.Errorf("the deployment is shown as: %s", shown)
	}
	if set := b.must("", "auth", "show", "--json"); !strings.Contains(set, "entra.client_secret") || strings.Contains(set, "the-entra-secret-7") {
		t.Errorf("auth show: %s", set)
	}
	log := b.must("", "audit", "list")
	for _, want := range []string{"backup.restored", "passcode.set", "passcode.accepted"} {
		if !strings.Contains(log, want) {
			t.Errorf("the audit log lacks %s:\n%s", want, log)
		}
	}
	b.stop()
}

// TestContentComesBack: with --content the bytes are handed out by the restored
// appliance; damage is told by name, with nothing written; without --content the
// restore says what to do.
func TestContentComesBack(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	big := bytesOf(21, 9<<20)
	source := filepath.Join(dir, "big.bin")
	put(t, source, big, 0o644)
	var v fleet.ContentVersion
	if err := json.Unmarshal([]byte(r.must("", "content", "add", "Big", source, "--purpose", "other", "--json")), &v); err != nil {
		t.Fatal(err)
	}
	with, without := filepath.Join(dir, "with"), filepath.Join(dir, "without")
	if out := r.must(recovery+"\n", "backup", "--content", with); strings.Contains(out, "--content") {
		t.Errorf("backup prints %q", out)
	}
	if out := r.must(recovery+"\n", "backup", without); !strings.Contains(out, "--content") {
		t.Errorf("backup prints %q", out)
	}
	sum := sha256.Sum256(big)
	hash := hex.EncodeToString(sum[:])
	blob := filepath.Join(dir, "data", "content", "blobs", hash[:2], hash)
	if err := os.Chmod(blob, 0o600); err != nil {
		t.Fatal(err)
	}
	put(t, blob, append([]byte{^big[0]}, big[1:]...), 0o600)
	code, _, text := r.cli(recovery+"\n", "backup", "--content", filepath.Join(dir, "bad"))
	if code == 0 || strings.Count(text, "\n") != 1 || !strings.Contains(text, `"Big", version 1`) || !strings.Contains(text, "damaged") {
		t.Errorf("a backup of damaged content: %d %q", code, text)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*bad*")); len(left) != 0 {
		t.Errorf("left behind %v", left)
	}
	r.stop()
	for file, whole := range map[string]bool{with: true, without: false} {
		fresh := t.TempDir()
		put(t, filepath.Join(fresh, "slipway.yaml"), nil, 0o600)
		b := &running{t: t, config: filepath.Join(fresh, "slipway.yaml")}
		how := []string{"restore", file}
		if whole {
			how = append(how, "--content")
		} else if code, out, text := b.cli(recovery+"\n", "restore", file, "--content"); code != exitFailed || out != "" || !strings.Contains(text, "holds no bytes of content") || strings.Count(text, "\n") != 1 {
			t.Errorf("content from a backup without: %d %q %q", code, out, text)
		} else if exists(filepath.Join(fresh, "data")) {
			t.Error("it left a data folder")
		}
		if out := b.must(recovery+"\n", how...); strings.Contains(out, "content verify") == whole {
			t.Errorf("restore prints %q", out)
		}
		b = start(t, fresh)
		if code, out, _ := b.cli("", "content", "verify"); (code == 0) != whole {
			t.Errorf("verify: %d %s", code, out)
		}
		if !whole {
			b.must("", "content", "add", "Big", source) // mends it
			b.must("", "content", "verify")
		}
		viewer := strings.TrimSpace(b.must("", "token", "add", "v", "--role", "viewer"))
		if resp, body := b.fetch("GET", "/api/v1/content/"+v.Item+"/1/big.bin", viewer); resp.StatusCode != http.StatusOK || !bytes.Equal(body, big) {
			t.Errorf("%d, %d bytes", resp.StatusCode, len(body))
		}
		b.stop()
	}
}

// What a backup or a restore refuses is one clear line, and changes nothing.
func TestBackupAndRestoreRefuse(t *testing.T) {
	r := start(t, t.TempDir())
	dir := t.TempDir()
	file := filepath.Join(dir, "b")
	fails := func(stdin, want string, args ...string) {
		t.Helper()
		code, _, errText := r.cli(stdin, args...)
		if code == 0 || strings.Count(errText, "\n") != 1 || !strings.Contains(errText, want) {
			t.Errorf("slipway %s: exit %d, %q; want %q", strings.Join(args, " "), code, errText, want)
		}
	}
	fails("password\n", "too easy to guess", "backup", file)
	fails(recovery+"\n", "no such file", "backup", filepath.Join(dir, "no", "folder"))
	if list, _ := os.ReadDir(dir); len(list) != 0 {
		t.Errorf("left behind: %v", list)
	}
	r.must(recovery+"\n", "backup", file)
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	first, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	fails(recovery+"\n", "--force", "backup", file)
	if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, first) {
		t.Error("the file was replaced without --force")
	}
	r.must(recovery+"\n", "backup", "--force", file)
	if now, err := os.ReadFile(file); err != nil || bytes.Equal(now, first) {
		t.Error("the file was not replaced with --force")
	}
	small := mounttest.Small(t, "8k")
	fails(recovery+"\n", "no room", "backup", filepath.Join(small, "b"))
	if list, _ := os.ReadDir(small); len(list) != 0 {
		t.Errorf("left on the full disk: %v", list)
	}
	fails(recovery+"\n", "appliance is running with this data folder", "restore", file)
	if code := r.request(insecure(nil, ""), "POST", "/api/v1/admin/backup", strings.TrimSpace(r.must("", "token", "add", "root", "--role", "administrator")),
		api.WriteBackup{Passphrase: recovery}, nil); code != http.StatusForbidden {
		t.Errorf("a backup from outside answers %d", code)
	}
	r.stop()
	fails(recovery+"\n", "slipway serve", "backup", filepath.Join(dir, "c"))
	fails(recovery+"\n", "not empty", "restore", file)
	r.config = filepath.Join(dir, "empty.yaml")
	if err := os.WriteFile(r.config, []byte("data: "+filepath.Join(dir, "fresh")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fails("sextant plywood oregano umbrella quart\n", "not the recovery passphrase", "restore", file)
	fails(recovery+"\n", "not a backup", "restore", r.config)
	cut := filepath.Join(dir, "cut")
	if err := os.WriteFile(cut, first[:len(first)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	fails(recovery+"\n", "damaged or incomplete", "restore", cut)
	if _, err := os.Stat(filepath.Join(dir, "fresh")); !os.IsNotExist(err) {
		t.Errorf("a refused restore left a data folder: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "fresh", "restore.unfinished"), 0o700); err != nil {
		t.Fatal(err)
	}
	fails("", "cut short", "serve")
	r.must(recovery+"\n", "restore", file)
}

// The key is rotated while the appliance runs: what was sealed before opens, here and
// after a restart, and only from the machine itself.
func TestTheKeyIsRotated(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	keyFile := filepath.Join(dir, "data", "secret.key")
	before, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	cas := r.must("", "ca", "show")
	administrator := strings.TrimSpace(r.must("", "token", "add", "root", "--role", "administrator"))
	if code := r.request(insecure(nil, ""), "POST", "/api/v1/admin/secret/rotate", administrator, nil, nil); code != http.StatusForbidden {
		t.Errorf("a rotation from outside answers %d", code)
	}
	if out := r.must("", "secret", "rotate"); !strings.Contains(out, "anew: 1.") {
		t.Errorf("rotate prints %q", out)
	}
	after, err := os.ReadFile(keyFile)
	if err != nil || bytes.Equal(after, before) {
		t.Errorf("the key file is the same: %v", err)
	}
	if log := r.must("", "audit", "list"); !strings.Contains(log, "secret.rotated") {
		t.Errorf("the audit log does not tell: %s", log)
	}
	r.must("another-secret\n", "auth", "set", "entra.client_secret=@-")
	r.stop()
	r = start(t, dir)
	if r.must("", "ca", "show") != cas {
		t.Error("the CA changed")
	}
	r.stop()
	if err := os.WriteFile(keyFile, before, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errText := r.cli("", "serve")
	if code == 0 || !strings.Contains(errText, "does not belong to this state") {
		t.Errorf("the old key file still starts it: %d %s", code, errText)
	}
}
