package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/api"
)

// lockedBuffer is a writer that a test reads while the appliance writes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// patience is how long anything may take that must come: beside virtual machines on
// two cores it takes ten times as long as alone.
const patience = 90 * time.Second

// running is an appliance that runs in this process.
type running struct {
	t           *testing.T
	config      string
	http, https string
	out, log    *lockedBuffer
	stop        func()
	ended       chan int
}

// freePorts returns n TCP ports of loopback that nobody used a moment ago.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// start runs `slipway serve` with its data in dir and waits until it is ready.
func start(t *testing.T, dir string) *running {
	t.Helper()
	return startWith(t, dir, "")
}

// startWith is start with more lines of configuration. When another program takes a
// port before the appliance does, it starts once more with others.
func startWith(t *testing.T, dir, more string) *running {
	t.Helper()
	return startUntil(t, dir, more, "/readyz")
}

// startUntil is startWith that waits until a path answers 200.
func startUntil(t *testing.T, dir, more, path string) *running {
	t.Helper()
	for {
		r, err := startOnce(t, dir, more, path)
		if err == nil {
			return r
		}
		if !strings.Contains(r.log.String(), "is in use by another program") {
			t.Fatalf("not ready: %v; log: %s", err, r.log)
		}
	}
}

func startOnce(t *testing.T, dir, more, path string) (*running, error) {
	t.Helper()
	p := freePorts(t, 3)
	r := &running{t: t, config: filepath.Join(dir, "slipway.yaml"), out: &lockedBuffer{}, log: &lockedBuffer{}, ended: make(chan int, 1),
		http: fmt.Sprintf("127.0.0.1:%d", p[0]), https: fmt.Sprintf("127.0.0.1:%d", p[1])}
	body := fmt.Sprintf("dhcp: {mode: 'off'}\ntftp: {listen: '127.0.0.1:%d'}\nhttp: {listen: '%s'}\nhttps: {listen: '%s'}\n", p[2], r.http, r.https) + more
	if err := os.WriteFile(r.config, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		r.ended <- run(ctx, []string{"serve", "--config", r.config}, streams{in: strings.NewReader(""), out: r.out, err: r.log})
	}()
	r.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case code := <-r.ended:
			if code != 0 {
				t.Errorf("serve ended with %d: %s", code, r.log)
			}
		case <-time.After(patience):
			t.Errorf("serve did not stop")
		}
	})
	client := insecure(nil, "")
	for deadline := time.Now().Add(patience); ; {
		resp, err := client.Get("https://" + r.https + path)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				t.Cleanup(r.stop)
				return r, nil
			}
		}
		select {
		case code := <-r.ended:
			cancel()
			return r, fmt.Errorf("it ended with %d", code)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Cleanup(r.stop)
			return r, err
		}
	}
}

// cli runs a command against the running appliance.
func (r *running) cli(stdin string, args ...string) (code int, out, errText string) {
	var o, e bytes.Buffer
	code = run(context.Background(), append(args, "--config", r.config), streams{in: strings.NewReader(stdin), out: &o, err: &e})
	return code, o.String(), e.String()
}

func (r *running) must(stdin string, args ...string) string {
	r.t.Helper()
	code, out, errText := r.cli(stdin, args...)
	if code != 0 {
		r.t.Fatalf("slipway %s: exit %d: %s", strings.Join(args, " "), code, errText)
	}
	return out
}

// insecure is a client that does not check the chain: the tests of trust are pki's.
func insecure(cert *tls.Certificate, name string) *http.Client {
	c := &tls.Config{InsecureSkipVerify: true, ServerName: name}
	if cert != nil {
		c.Certificates = []tls.Certificate{*cert}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func deviceCertificate(t *testing.T) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// request sends JSON and decodes the answer.
func (r *running) request(c *http.Client, method, path, token string, in, out any) int {
	r.t.Helper()
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			r.t.Fatal(err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequest(method, "https://"+r.https+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if out != nil {
		if err := json.Unmarshal(data, out); err != nil {
			r.t.Fatalf("%s %s: %d %s: %v", method, path, resp.StatusCode, data, err)
		}
	}
	return resp.StatusCode
}

var testDevice = wire.Device{UUID: "0b9f3c5e-12ab-4cde-8f01-23456789abcd", MAC: []string{"52:54:00:aa:bb:01"}, Serial: "S-1", Manufacturer: "QEMU", Model: "Standard PC"}

// TestADeviceFromSignInToSucceeded walks the whole conversation of a device, a
// restart of the appliance in the middle included.
func TestADeviceFromSignInToSucceeded(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	if !strings.Contains(r.out.String(), "Setup code:") {
		t.Errorf("a fresh appliance does not print the setup code: %s", r.out)
	}
	client := insecure(nil, "")
	signIn := wire.PasscodeSignIn{Passcode: "slipway-lab", Device: testDevice, Environment: wire.LinuxPE}
	if code := r.request(client, "POST", "/api/v1/auth/passcode", "", signIn, nil); code != http.StatusUnauthorized {
		t.Errorf("with no passcode set the answer is %d", code)
	}
	r.must("slipway-lab\n", "passcode", "set")

	cert := deviceCertificate(t)
	installation := installationOf(t, r)
	bound := insecure(cert, wire.ServerName(installation))
	var token wire.Token
	if code := r.request(bound, "POST", "/api/v1/auth/passcode", "", signIn, &token); code != http.StatusOK || token.Token == "" {
		t.Fatalf("sign-in answers %d", code)
	}
	if code := r.request(client, "GET", "/api/v1/task-sequences", token.Token, nil, nil); code != http.StatusUnauthorized {
		t.Errorf("a copied token without its key answers %d, want 401", code)
	}
	var choices wire.TaskSequences
	r.request(bound, "GET", "/api/v1/task-sequences", token.Token, nil, &choices)
	if len(choices.TaskSequences) != 1 || choices.TaskSequences[0].Name != "Hello from Slipway" {
		t.Fatalf("choices are %+v", choices)
	}
	var d wire.Deployment
	if code := r.request(bound, "POST", "/api/v1/deployments", token.Token, wire.StartDeployment{Sequence: choices.TaskSequences[0].ID}, &d); code != http.StatusCreated {
		t.Fatalf("start answers %d", code)
	}

	r.stop()
	r = start(t, dir)
	bound = insecure(cert, wire.ServerName(installation))
	finished := wire.EventBatch{Epoch: d.Epoch, Events: []wire.Event{{Number: 1, Time: time.Now(), Kind: wire.EventFinished, Status: "succeeded"}}}
	var answer wire.EventAnswer
	path := "/api/v1/deployments/" + d.ID
	for range 2 { // the same number again changes nothing
		if code := r.request(bound, "POST", path+"/events", token.Token, finished, &answer); code != http.StatusOK || answer.Kept != 1 {
			t.Fatalf("events answer %d, kept %d", code, answer.Kept)
		}
	}
	var shown api.DeploymentDetail
	if err := json.Unmarshal([]byte(r.must("", "deployment", "show", d.ID, "--json")), &shown); err != nil || shown.Deployment.Status != "succeeded" {
		t.Errorf("the command line shows %+v, %v", shown.Deployment, err)
	}
	if list := r.must("", "device", "list"); !strings.Contains(list, "52:54:00:aa:bb:01") {
		t.Errorf("the device is not listed: %s", list)
	}
	viewer := strings.TrimSpace(r.must("", "token", "add", "viewer", "--role", "viewer"))
	for _, tok := range []string{viewer, token.Token} {
		var seen wire.Deployment
		if code := r.request(bound, "GET", path, tok, nil, &seen); code != http.StatusOK || seen.Status != "succeeded" {
			t.Errorf("looking at the deployment answers %d %q", code, seen.Status)
		}
	}
	for _, want := range []string{"passcode.refused", "passcode.accepted", "passcode.set"} {
		if log := r.must("", "audit", "list"); !strings.Contains(log, want) || strings.Contains(log, "slipway-lab") {
			t.Errorf("the audit log lacks %s or holds the passcode:\n%s", want, log)
		}
	}
}

// installationOf reads the installation id off the log, as the device's image carries it.
func installationOf(t *testing.T, r *running) string {
	t.Helper()
	_, rest, ok := strings.Cut(r.log.String(), "installation=")
	if !ok {
		t.Fatalf("the log does not tell the installation: %s", r.log)
	}
	return strings.Fields(rest)[0]
}

func TestNoRouteWithoutATokenButThePublicOnes(t *testing.T) {
	r := start(t, t.TempDir())
	var doc struct {
		Paths map[string]map[string]struct {
			Security []any `json:"security"`
		} `json:"paths"`
	}
	client := insecure(nil, "")
	if code := r.request(client, "GET", "/api/v1/openapi.json", "", nil, &doc); code != http.StatusOK || len(doc.Paths) < 20 {
		t.Fatalf("the OpenAPI document answers %d with %d paths", code, len(doc.Paths))
	}
	public := map[string]bool{"/healthz": true, "/readyz": true, "/api/v1/openapi.json": true}
	for path, methods := range doc.Paths {
		for method := range methods {
			where := strings.NewReplacer("{", "", "}", "").Replace(path)
			code := r.request(client, strings.ToUpper(method), where, "", nil, nil)
			open := public[path] || (strings.HasPrefix(path, "/api/v1/auth/") && path != "/api/v1/auth/renew")
			if (code != http.StatusUnauthorized) != open && !(open && code == http.StatusBadRequest) {
				t.Errorf("%s %s without a token answers %d", method, path, code)
			}
		}
	}
}

func TestAPITokensDoWhatTheirRoleMay(t *testing.T) {
	r := start(t, t.TempDir())
	client := insecure(nil, "")
	if pem := r.must("", "ca", "show"); !strings.HasPrefix(pem, "-----BEGIN CERTIFICATE-----") || strings.Contains(pem, "PRIVATE") {
		t.Errorf("ca show prints %q", pem)
	}
	token := func(role string) string {
		return strings.TrimSpace(r.must("", "token", "add", "script-"+role, "--role", role))
	}
	viewer, technician, administrator := token("viewer"), token("technician"), token("administrator")
	for _, c := range []struct {
		method, path, token string
		want                int
	}{
		{"GET", "/api/v1/admin/devices", viewer, 200},
		{"GET", "/metrics", viewer, 200},
		{"POST", "/api/v1/admin/sequences", viewer, 403},
		{"POST", "/api/v1/admin/sequences", technician, 403},
		{"POST", "/api/v1/admin/templates", technician, 403},
		{"GET", "/api/v1/admin/held", technician, 200},
		{"GET", "/api/v1/admin/accounts", technician, 403},
		{"GET", "/api/v1/admin/accounts", administrator, 200},
		{"GET", "/api/v1/task-sequences", administrator, 403},
		{"GET", "/api/v1/admin/devices", viewer + "x", 401},
		{"GET", "/api/v1/admin/nothing", administrator, 404},
	} {
		if code := r.request(client, c.method, c.path, c.token, nil, nil); code != c.want {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, code, c.want)
		}
	}
	for _, body := range []api.BuildImage{{Kind: "linux", Firmware: "/etc"}, {Kind: "linux", Overlay: "/root"}, {Kind: "linux", Packages: "/"}, {Kind: "linux", AllowSecrets: true},
		{Kind: "winpe", Source: "/etc/passwd"}, {Kind: "winpe", Drivers: "/"}, {Kind: "winpe", Hooks: "/"}, {Kind: "winpe", RootCertificates: "/"}, {Kind: "winpe", Wallpaper: "/x.jpg"}} {
		if code := r.request(client, "POST", "/api/v1/admin/images/builds", administrator, body, nil); code != http.StatusForbidden {
			t.Errorf("a remote build from %+v answers %d, want 403", body, code)
		}
	}
	var list api.Tokens
	if err := json.Unmarshal([]byte(r.must("", "token", "list", "--json")), &list); err != nil || len(list.Tokens) != 3 {
		t.Fatalf("token list: %+v, %v", list, err)
	}
	for _, x := range list.Tokens {
		r.must("", "token", "revoke", x.ID)
	}
	if code := r.request(client, "GET", "/api/v1/admin/devices", viewer, nil, nil); code != http.StatusUnauthorized {
		t.Errorf("a revoked token answers %d", code)
	}
}

func TestBodiesAreStrict(t *testing.T) {
	r := start(t, t.TempDir())
	client := insecure(nil, "")
	send := func(body string) (int, wire.Problem) {
		resp, err := client.Post("https://"+r.https+"/api/v1/auth/passcode", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var p wire.Problem
		if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
			t.Fatal(err)
		}
		if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
			t.Errorf("content type %q", got)
		}
		return resp.StatusCode, p
	}
	for _, c := range []struct {
		name, body string
		want       int
	}{
		{"unknown field", `{"passcode":"x","admin":true}`, 400},
		{"two values", `{"passcode":"x"}{}`, 400},
		{"empty", ``, 400},
		{"wrong type", `{"passcode":["x"]}`, 400},
		{"deep", strings.Repeat("[", 5000), 400},
		{"large", `{"passcode":"` + strings.Repeat("x", 20<<10) + `"}`, 413},
	} {
		code, p := send(c.body)
		if code != c.want || p.Status != c.want || p.Detail == "" || strings.Contains(p.Detail, "x\"") {
			t.Errorf("%s: %d %+v", c.name, code, p)
		}
	}
}

func TestPlainHTTPServesBootFilesOnly(t *testing.T) {
	r := start(t, t.TempDir())
	for _, path := range []string{"/api/v1/auth/mechanisms", "/healthz", "/metrics", "/login", "/boot/../slipway.yaml"} {
		resp, err := http.Get("http://" + r.http + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("plain %s answers %d", path, resp.StatusCode)
		}
	}
}

func TestOldProtocolsAreToldOnTheirScreen(t *testing.T) {
	r := start(t, t.TempDir())
	req, _ := http.NewRequest("GET", "https://"+r.https+"/api/v1/auth/mechanisms", nil)
	req.Header.Set(wire.HeaderProtocol, "99")
	resp, err := insecure(nil, "").Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("a newer protocol answers %d", resp.StatusCode)
	}
}
