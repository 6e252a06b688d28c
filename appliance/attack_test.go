package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"slipway/agent/wire"
	"slipway/fleet"
)

// The tests of this file attack a whole appliance from outside. Guessing and its
// throttling are attacked in package auth, forms of the console in package ui.

const (
	attackerPasscode  = "slipway-lab"
	sessionCookieName = "__Host-slipway-session"
)

// victim is an appliance with a passcode, and a device that is signed in.
type victim struct {
	*running
	cert  *tls.Certificate
	name  string // the TLS name of devices
	token string
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	v := &victim{running: start(t, t.TempDir()), cert: deviceCertificate(t)}
	v.name = wire.ServerName(installationOf(t, v.running))
	v.must(attackerPasscode+"\n", "passcode", "set", "--force")
	v.token = v.signIn(t, v.cert, testDevice)
	return v
}

func (v *victim) signIn(t *testing.T, cert *tls.Certificate, device wire.Device) string {
	t.Helper()
	var token wire.Token
	in := wire.PasscodeSignIn{Passcode: attackerPasscode, Device: device, Environment: wire.LinuxPE}
	if code := v.request(insecure(cert, v.name), "POST", "/api/v1/auth/passcode", "", in, &token); code != http.StatusOK {
		t.Fatalf("sign-in answers %d", code)
	}
	return token.Token
}

func (v *victim) audit(t *testing.T, action string) []fleet.AuditEntry {
	t.Helper()
	var page struct {
		Entries []fleet.AuditEntry `json:"entries"`
	}
	if err := json.Unmarshal([]byte(v.must("", "audit", "list", "--json", "--action", action)), &page); err != nil {
		t.Fatal(err)
	}
	return page.Entries
}

// A token that was copied from a device is worth nothing without the device's key,
// from the same address and with the same device ids.
func TestAttackStolenToken(t *testing.T) {
	v := newVictim(t)
	thief := deviceCertificate(t)
	for name, client := range map[string]*http.Client{
		"no key": insecure(nil, v.name), "another key": insecure(thief, v.name), "not under the devices' name": insecure(v.cert, "localhost"),
	} {
		for _, call := range []string{"GET /api/v1/task-sequences", "POST /api/v1/auth/renew", "GET /api/v1/deployments/current"} {
			method, path, _ := strings.Cut(call, " ")
			if code := v.request(client, method, path, v.token, nil, nil); code != http.StatusUnauthorized {
				t.Errorf("%s, %s: %d", name, call, code)
			}
		}
	}
	if code := v.request(insecure(v.cert, v.name), "GET", "/api/v1/task-sequences", v.token, nil, nil); code != http.StatusOK {
		t.Errorf("the device itself: %d", code)
	}
	if list := v.audit(t, "token.refused"); len(list) == 0 {
		t.Error("the attempts are not in the audit log")
	}
}

// A device learns nothing of another one's deployments, not even whether they exist.
func TestAttackEnumeration(t *testing.T) {
	v := newVictim(t)
	device := insecure(v.cert, v.name)
	var choices wire.TaskSequences
	v.request(device, "GET", "/api/v1/task-sequences", v.token, nil, &choices)
	var d wire.Deployment
	if code := v.request(device, "POST", "/api/v1/deployments", v.token, wire.StartDeployment{Sequence: choices.TaskSequences[0].ID}, &d); code != http.StatusCreated {
		t.Fatalf("start answers %d", code)
	}
	other := deviceCertificate(t)
	otherToken := v.signIn(t, other, wire.Device{UUID: "1b9f3c5e-12ab-4cde-8f01-23456789abce", Serial: "S-2", Model: "Standard PC"})
	answers := func(client *http.Client, token, method, path string, in any) string {
		var p wire.Problem
		code := v.request(client, method, path, token, in, &p)
		return fmt.Sprint(code, " ", p.Type, " ", p.Detail)
	}
	stranger := insecure(nil, "")
	for _, call := range []struct {
		method, rest string
		in           any
	}{{"GET", "", nil}, {"POST", "/events", wire.EventBatch{Epoch: 1}}, {"POST", "/logs", wire.LogBatch{Epoch: 1}}, {"POST", "/resume", nil}} {
		there, missing := "/api/v1/deployments/"+d.ID+call.rest, "/api/v1/deployments/"+strings.Repeat("a", len(d.ID))+call.rest
		if a, b := answers(insecure(other, v.name), otherToken, call.method, there, call.in), answers(insecure(other, v.name), otherToken, call.method, missing, call.in); a != b || strings.HasPrefix(a, "200") {
			t.Errorf("%s %s of another device: %q, of none: %q", call.method, call.rest, a, b)
		}
		if a, b := answers(stranger, "", call.method, there, call.in), answers(stranger, "", call.method, missing, call.in); a != b || !strings.HasPrefix(a, "401") {
			t.Errorf("%s %s of a stranger: %q, of none: %q", call.method, call.rest, a, b)
		}
	}
	for _, path := range []string{"/api/v1/content/a/1/b", "/api/v1/content/..%2f..%2fsecret.key/1/b", "/api/v1/task-sequences", "/api/v1/admin/devices/x"} {
		if a := answers(stranger, "", "GET", path, nil); !strings.HasPrefix(a, "401") { // a 404 would tell what is there
			t.Errorf("%s of a stranger: %q", path, a)
		}
	}
}

// Events that were recorded on their way are worth nothing a second time: the same
// changes nothing, another content under the same number is refused, and what an
// earlier start of the agent said is over.
func TestAttackReplay(t *testing.T) {
	v := newVictim(t)
	device := insecure(v.cert, v.name)
	var choices wire.TaskSequences
	v.request(device, "GET", "/api/v1/task-sequences", v.token, nil, &choices)
	var d wire.Deployment
	v.request(device, "POST", "/api/v1/deployments", v.token, wire.StartDeployment{Sequence: choices.TaskSequences[0].ID}, &d)
	path := "/api/v1/deployments/" + d.ID
	step := wire.EventBatch{Epoch: d.Epoch, Events: []wire.Event{{Number: 1, Time: time.Now(), Kind: wire.EventVariables, Message: "one"}}}
	forged := step
	forged.Events = []wire.Event{{Number: 1, Time: step.Events[0].Time, Kind: wire.EventFinished, Status: "succeeded"}}
	for i, want := range []int{200, 200, 409} {
		if code := v.request(device, "POST", path+"/events", v.token, []wire.EventBatch{step, step, forged}[i], nil); code != want {
			t.Errorf("report %d answers %d, want %d", i, code, want)
		}
	}
	v.request(device, "POST", path+"/resume", v.token, nil, &d)
	if code := v.request(device, "POST", path+"/events", v.token, step, nil); code != http.StatusConflict {
		t.Errorf("a report of the epoch before answers %d", code)
	}
}

// A session of the console: planted before sign-in it is not taken over, without it
// nothing works, after sign-out it is dead, and it is none of the API's.
func TestAttackStolenCookieAndFixation(t *testing.T) {
	v := newVictim(t)
	const password = "quartz-Lantern 88 moss"
	v.must(password+"\n", "account", "add", "ada", "--role", "administrator")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := insecure(nil, "")
	browser.Jar = jar
	base := "https://" + v.https
	where, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	planted := strings.Repeat("A", 43)
	jar.SetCookies(where, []*http.Cookie{{Name: sessionCookieName, Value: planted, Secure: true, Path: "/"}})
	page := getPage(t, browser, base+"/login")
	field := regexp.MustCompile(`name="csrf" value="([^"]+)"`).FindStringSubmatch(page)
	if field == nil {
		t.Fatalf("no form on the sign-in page: %s", page)
	}
	resp, err := browser.PostForm(base+"/login", url.Values{"csrf": {field[1]}, "name": {"ada"}, "password": {password}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("sign-in answers %d", resp.StatusCode)
	}
	var session *http.Cookie
	for _, c := range resp.Cookies() {
		if c.Value == planted {
			t.Errorf("the session has the planted value: %+v", c)
		}
		if c.Name == sessionCookieName && c.HttpOnly && c.Secure && c.SameSite != http.SameSiteNoneMode && len(c.Value) >= 40 {
			session = c
		}
	}
	if session == nil {
		t.Fatalf("no session cookie that scripts cannot read: %v", resp.Header["Set-Cookie"])
	}
	shows := func(cookie string) bool {
		req, _ := http.NewRequest("GET", base+"/audit", nil)
		req.Header.Set("Cookie", session.Name+"="+cookie)
		resp, err := insecure(nil, "").Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}
	if !shows(session.Value) || shows(planted) || shows(session.Value[:len(session.Value)-1]+"x") {
		t.Error("a page is shown to another cookie than the session's, or not to the session's")
	}
	if code := v.request(insecure(nil, ""), "GET", "/api/v1/admin/devices", session.Value, nil, nil); code != http.StatusUnauthorized {
		t.Errorf("the cookie as an API token: %d", code)
	}
	req, _ := http.NewRequest("GET", base+"/api/v1/admin/devices", nil)
	req.AddCookie(session)
	if resp, err = insecure(nil, "").Do(req); err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the API takes the cookie: %v %v", resp.StatusCode, err)
	}
	resp.Body.Close()
	field = regexp.MustCompile(`name="csrf" value="([^"]+)"`).FindStringSubmatch(getPage(t, browser, base+"/me"))
	if field == nil {
		t.Fatal("no form on the page of the account")
	}
	if resp, err = browser.PostForm(base+"/logout", url.Values{"csrf": {field[1]}}); err != nil || resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("sign-out: %v %v", resp, err)
	}
	resp.Body.Close()
	if shows(session.Value) {
		t.Error("a stolen cookie works after sign-out")
	}
}

func getPage(t *testing.T, c *http.Client, address string) string {
	t.Helper()
	resp, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What a stranger sends reaches log and audit as one harmless line, and no header
// of theirs changes who they are.
func TestAttackLogAndHeaderInjection(t *testing.T) {
	v := newVictim(t)
	evil := "x\r\nSet-Cookie: a=b\r\n\r\n<script>\x1b[2J\u202e\u0085level=ERROR msg=forged"
	in := wire.PasscodeSignIn{Passcode: "wrong-" + evil, Environment: wire.LinuxPE,
		Device: wire.Device{UUID: evil, MAC: []string{evil}, Serial: evil, Manufacturer: evil, Model: evil}}
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequest("POST", "https://"+v.https+"/api/v1/auth/passcode?x="+url.QueryEscape(evil), bytes.NewReader(body))
	for _, h := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "Cf-Connecting-Ip"} {
		req.Header.Set(h, "198.51.100.77")
	}
	req.Header.Set("User-Agent", "\t<b>")
	req.Host = "evil.test"
	resp, err := insecure(nil, "").Do(req)
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("Set-Cookie") != "" || bytes.Contains(answer, []byte("evil")) || bytes.Contains(answer, []byte("script")) {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, answer)
	}
	list := v.audit(t, "passcode.refused")
	if len(list) == 0 {
		t.Fatal("no audit entry")
	}
	for _, e := range list {
		if e.Address != "127.0.0.1" {
			t.Errorf("the address is what a header said: %s", e.Address)
		}
		for _, text := range []string{e.Actor, e.Action, e.Object, e.Device, e.Reason} {
			if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) || strings.Contains(text, "wrong-") {
				t.Errorf("an audit entry holds %q", text)
			}
		}
	}
	table := v.must("", "audit", "list")
	if strings.ContainsAny(strings.ReplaceAll(table, "\n", ""), "\x1b\r") {
		t.Errorf("the command line prints control characters: %q", table)
	}
	for line := range strings.Lines(v.log.String()) {
		if strings.HasPrefix(line, "level=") || strings.Contains(line, "\x1b") {
			t.Errorf("a forged line in the log: %q", line)
		}
	}
	for _, name := range []string{"Authorization", "Slipway-Protocol", "Slipway-Agent", "Slipway-Image"} {
		req, _ := http.NewRequest("GET", "https://"+v.https+"/api/v1/task-sequences", nil)
		req.Header.Set(name, strings.Repeat("A", 1<<20))
		resp, err := insecure(nil, "").Do(req)
		if err != nil {
			continue // the server closed the connection on it
		}
		resp.Body.Close()
		if resp.StatusCode < 400 {
			t.Errorf("a header %s of 1 MiB answers %d", name, resp.StatusCode)
		}
	}
}

// smuggled are requests that two parsers may read differently. Behind each hides
// one for the administration.
var smuggled = map[string]string{
	"two lengths":         "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 60\r\n\r\nhello",
	"length and chunks":   "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"odd coding":          "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
	"coding twice":        "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
	"space before colon":  "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\nhello",
	"folded header":       "GET /a HTTP/1.1\r\nHost: x\r\nX: a\r\n Content-Length: 5\r\n\r\nhello",
	"negative length":     "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
	"signed length":       "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello",
	"chunk size overflow": "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n0\r\n\r\n",
	"bare return":         "GET /a HTTP/1.1\rHost: x\r\n\r\n",
	"line in the path":    "GET /a%0d%0aHost:x HTTP/1.1\r\nHost: x\r\n\r\n",
	"absolute address":    "GET https://localhost/api/v1/admin/devices HTTP/1.1\r\nHost: localhost\r\n\r\n",
	"a proxy":             "CONNECT localhost:8443 HTTP/1.1\r\nHost: localhost:8443\r\n\r\n",
	"a proxy's greeting":  "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET /api/v1/admin/devices HTTP/1.1\r\nHost: x\r\n\r\n",
	"old protocol":        "GET /api/v1/admin/devices HTTP/0.9\r\n\r\n",
}

// Whatever is smuggled through the plain port, it answers with errors and boot
// files only: the administration is not behind it.
func TestAttackSmuggling(t *testing.T) {
	v := newVictim(t)
	inner := "GET /api/v1/admin/devices HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + v.token + "\r\n\r\n"
	dial := map[string]func() (net.Conn, error){
		"plain": func() (net.Conn, error) { return net.Dial("tcp", v.http) },
		"tls": func() (net.Conn, error) {
			return tls.Dial("tcp", v.https, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
		},
	}
	for port, connect := range dial {
		for name, outer := range smuggled {
			conn, err := connect()
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(time.Second))
			fmt.Fprint(conn, outer+inner)
			for _, code := range answersOn(conn) {
				if code < 400 {
					t.Errorf("%s, %s: answered %d", port, name, code)
				}
			}
			conn.Close()
		}
	}
	if resp, err := http.Get("http://" + v.http + "/api/v1/auth/mechanisms"); err != nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("the plain port serves the API: %v %v", resp, err)
	}
}

// answersOn reads the statuses of the answers on a connection until it ends.
func answersOn(conn net.Conn) (codes []int) {
	r := bufio.NewReader(conn)
	for {
		if line, err := r.Peek(5); err != nil || string(line) != "HTTP/" {
			return codes
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return codes
		}
		codes = append(codes, resp.StatusCode)
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.Close {
			return codes
		}
		// The next answer follows at once, or none does.
		_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	}
}

// Bodies that are too large or nested too deep are refused by every call, with the
// strongest token, before anything is done.
func TestAttackOversizedAndNestedBodies(t *testing.T) {
	v := newVictim(t)
	token := strings.TrimSpace(v.must("", "token", "add", "root", "--role", "administrator"))
	var doc struct {
		Paths map[string]map[string]struct {
			RequestBody any `json:"requestBody"`
		} `json:"paths"`
	}
	admin, device := insecure(nil, ""), insecure(v.cert, v.name)
	v.request(admin, "GET", "/api/v1/openapi.json", "", nil, &doc)
	send := func(client *http.Client, method, path, token string, body io.Reader) (int, string) {
		req, _ := http.NewRequest(method, "https://"+v.https+path, body)
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			return http.StatusRequestEntityTooLarge, "" // the connection was closed on it
		}
		defer resp.Body.Close()
		var p wire.Problem
		_ = json.NewDecoder(resp.Body).Decode(&p) // an answer that is none has no detail
		return resp.StatusCode, p.Detail
	}
	bodies := 0
	for path, methods := range doc.Paths {
		for method, call := range methods {
			if call.RequestBody == nil {
				continue
			}
			bodies++
			path, method := strings.NewReplacer("{", "", "}", "").Replace(path), strings.ToUpper(method)
			client, bearer := device, v.token
			if strings.Contains(path, "/admin/") {
				client, bearer = admin, token
			}
			code, detail := send(client, method, path, bearer, strings.NewReader(strings.Repeat("[", 5000)))
			if code == http.StatusForbidden && strings.Contains(detail, "on the appliance itself") {
				continue // the body is not even read
			}
			if !strings.Contains(detail, "nested") && code != http.StatusUnprocessableEntity && !strings.HasSuffix(path, "/sequences/validation") { // a sequence has its own reader
				t.Errorf("%s %s, nested: %d %s", method, path, code, detail)
			}
			large := io.MultiReader(strings.NewReader(`{"x":"`), io.LimitReader(zeros{}, 12<<20), strings.NewReader(`"}`))
			if code, detail := send(client, method, path, bearer, large); code != http.StatusRequestEntityTooLarge {
				t.Errorf("%s %s, large: %d %s", method, path, code, detail)
			}
		}
	}
	if bodies < 10 {
		t.Errorf("only %d calls with a body were found", bodies)
	}
}

// zeros is an endless text.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}
