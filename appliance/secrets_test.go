package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/secrets"
	"slipway/appliance/internal/state"
	"slipway/tasksequence"
)

// TestPlantedSecretsAreNowhere gives the appliance a distinctive value in every place
// where a secret enters or is made, uses them all, and looks for the values in
// everything that leaves it: the data folder, its log at the most talkative level, what
// it prints, the answers of API and console, their stream of events, and a backup.
func TestPlantedSecretsAreNowhere(t *testing.T) {
	dir := t.TempDir()
	r := startWith(t, dir, "log: {level: debug}\n")
	p := planted{}
	plant := func(what, value string) string { p.add(what, value); return value }

	code := regexp.MustCompile(`Setup code: (\S+)`).FindStringSubmatch(r.out.String())
	if code == nil {
		t.Fatalf("no setup code in %q", r.out)
	}
	p.add("setup code", code[1])
	password := plant("account password", "Quartz-Plover 31 moss")
	passcode := plant("passcode", "Larch-Gannet 62 fern")
	named := plant("named passcode", "Alder-Dunlin 93 reed")
	r.must(password+"\n", "account", "add", "ada", "--role", "administrator")
	r.must(passcode+"\n", "passcode", "set")
	r.must(named+"\n", "passcode", "add", "branch")
	r.must(plant("Entra client secret", "Rowan~Curlew.74_sedge")+"\n", "auth", "set", "entra.client_secret=@-")
	r.must(plant("console client secret", "Hazel~Godwit.85_broom")+"\n", "auth", "set", "console.client_secret=@-")
	administrator := plant("API token", strings.TrimSpace(r.must("", "token", "add", "script", "--role", "administrator")))
	cookie := plant("console session", r.consoleCookie("ada", password))
	events := r.listen(cookie)

	// What people get wrong is mostly nearly right.
	if r.consoleCookie("ada", plant("wrong password", "Quartz-Plover 32 moss")) != "" {
		t.Error("a wrong password signs in")
	}
	if r.consoleCookie(plant("password in the field of the name", "Thrift-Merlin 29 dune"), "x") != "" {
		t.Error("a stranger signs in")
	}
	r.request(insecure(nil, ""), "GET", "/api/v1/admin/devices", plant("wrong API token", administrator[:len(administrator)-2]+"zz"), nil, nil)

	ended := r.plantOnDevice(p, plant("wrong passcode", "Larch-Gannet 63 fern"), passcode, 1)
	going := r.plantOnDevice(p, "", named, 2)

	answers := r.answers(administrator, cookie, ended, going)
	if len(answers) < 30 {
		t.Errorf("only %d answers were looked at", len(answers))
	}
	for where, body := range answers {
		p.check(t, where, body)
	}
	stream := events()
	if !strings.Contains(string(stream), "event:") {
		t.Errorf("the stream of events is empty: %q", stream)
	}
	p.check(t, "the stream of events", stream)

	file := filepath.Join(t.TempDir(), "backup")
	out := r.must(plant("recovery passphrase", recovery)+"\n", "backup", file)
	out += r.must("", "secret", "rotate")
	p.check(t, "what the commands print", []byte(out))
	r.stop()
	r.out = &lockedBuffer{} // the setup code stood there, and nowhere else
	r2 := startWith(t, dir, "log: {level: debug}\n")
	r2.stop()
	takeSnapshot(t, dir)
	p["CA key"] = caKey(t, dir)

	p.check(t, "the log", []byte(r.log.String()+r2.log.String()))
	p.check(t, "what the appliance prints", []byte(r2.out.String()))
	if n := p.checkFolder(t, filepath.Join(dir, "data")); n < 8 {
		t.Errorf("only %d files in the data folder", n)
	}
	sealed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p.check(t, "the backup", sealed)
	canaries(t, r, dir, answers)
}

// The canaries are values like the secrets, in the same places, that were not said to
// be secret: they are found, or the search sees nothing.
const canary = "Canary-Wheatear-17"

func canaries(t *testing.T, r *running, dir string, answers map[string][]byte) {
	t.Helper()
	p := planted{}
	p.add("canary", canary)
	found := map[string]bool{}
	_ = filepath.WalkDir(filepath.Join(dir, "data"), func(path string, _ os.DirEntry, _ error) error {
		if data, err := os.ReadFile(path); err == nil && len(p.find(written(data))) > 0 {
			found[strings.Split(strings.TrimPrefix(path, filepath.Join(dir, "data")+"/"), "/")[0]] = true
		}
		return nil
	})
	for where, body := range answers {
		if len(p.find(body)) > 0 {
			found[strings.Fields(where)[0]] = true
		}
	}
	if len(p.find([]byte(r.log.String()))) > 0 {
		found["log"] = true
	}
	for _, want := range []string{"state", "logs", "audit", "API", "console"} {
		if !found[want] {
			t.Errorf("a value that is no secret is not found in %s, so a secret would not be", want)
		}
	}
}

// plantOnDevice has a device sign in, start a deployment with a secret variable, and
// report: the secret stands in its log, its events and its variables.
func (r *running) plantOnDevice(p planted, wrong, passcode string, n int) (deployment string) {
	r.t.Helper()
	device := testDevice
	device.UUID = fmt.Sprintf("0b9f3c5e-12ab-4cde-8f01-0000000000%02d", n)
	device.MAC = []string{fmt.Sprintf("52:54:00:aa:cc:%02d", n)}
	device.Serial, device.Model = fmt.Sprintf("S-%d", n), canary
	client := insecure(deviceCertificate(r.t), wire.ServerName(installationOf(r.t, r)))
	signIn := wire.PasscodeSignIn{Passcode: wrong, Device: device, Environment: wire.LinuxPE}
	if wrong != "" {
		if code := r.request(client, "POST", "/api/v1/auth/passcode", "", signIn, nil); code != http.StatusUnauthorized {
			r.t.Errorf("a wrong passcode answers %d", code)
		}
	}
	var token wire.Token
	signIn.Passcode = passcode
	if code := r.request(client, "POST", "/api/v1/auth/passcode", "", signIn, &token); code != http.StatusOK {
		r.t.Fatalf("sign-in answers %d", code)
	}
	p.add(fmt.Sprint("device token ", n), token.Token)
	secret := fmt.Sprintf("Osier-Whimbrel-%d46-gorse", n)
	late := fmt.Sprintf("Aspen-Fulmar-%d58-heath", n)
	p.add(fmt.Sprint("secret variable ", n), secret)
	p.add(fmt.Sprint("secret variable of a step ", n), late)
	literal := r.plantInSequence(p, n)
	var d wire.Deployment
	start := wire.StartDeployment{Sequence: fmt.Sprint("planted-", n), Variables: []wire.Variable{
		{Name: "JoinPassword", Value: quoted(secret), Secret: true}, {Name: "Site", Value: quoted(canary)}}}
	if code := r.request(client, "POST", "/api/v1/deployments", token.Token, start, &d); code != http.StatusCreated {
		r.t.Fatalf("start answers %d", code)
	}
	if !strings.Contains(string(d.Document), `"`+literal+`"`) {
		r.t.Errorf("the device does not get the literal secret: %s", d.Document)
	}
	path, step := "/api/v1/deployments/"+d.ID, firstStep(r.t, d)
	events := []wire.Event{
		{Number: 1, Time: time.Now(), Kind: wire.EventStepStarted, Path: step, Name: "Join", StepNumber: 1},
		{Number: 2, Time: time.Now(), Kind: wire.EventStepFinished, Path: step, Name: "Join", StepNumber: 1, Message: "joined with " + secret,
			Variables: []wire.Variable{{Name: "Generated", Value: quoted(late), Secret: true}},
			Result:    &wire.Result{Path: step, Status: "succeeded", Message: "password " + secret + " set"}},
	}
	if n == 1 {
		events = append(events, wire.Event{Number: 3, Time: time.Now(), Kind: wire.EventFinished, Status: "succeeded", Message: "done with " + late})
	}
	lines := wire.LogBatch{Epoch: d.Epoch, Lines: []wire.LogLine{
		{Number: 1, Time: time.Now(), Text: "net join /password:" + secret}, {Number: 2, Time: time.Now(), Text: canary},
		{Number: 3, Time: time.Now(), Text: "prefix" + late + "suffix"},
		{Number: 4, Time: time.Now(), Text: "the key is " + literal}}}
	var answer struct {
		wire.EventAnswer
		wire.Problem
	}
	if code := r.request(client, "POST", path+"/events", token.Token, wire.EventBatch{Epoch: d.Epoch, Events: events}, &answer); code != http.StatusOK || answer.Kept != int64(len(events)) {
		r.t.Errorf("events answer %d, kept %d, %+v", code, answer.Kept, answer.Problem)
	}
	if code := r.request(client, "POST", path+"/logs", token.Token, lines, nil); code != http.StatusOK {
		r.t.Errorf("logs answer %d", code)
	}
	return d.ID
}

// plantInSequence imports a task sequence with a literal secret, has it exported, and
// imports that again.
func (r *running) plantInSequence(p planted, n int) (literal string) {
	r.t.Helper()
	literal = fmt.Sprintf("Teasel-Dotterel-%d87-marl", n)
	p.add(fmt.Sprint("literal in a task sequence ", n), literal)
	text := fmt.Sprintf(`{"id":"planted-%d","name":"Planted","description":%q,"steps":[{"id":"key","name":"Key","definition":"set-variable",
		"settings":{"VariableName":"Key","VariableValue":%q,"Secret":true}},{"id":"wait","name":"Wait","definition":"reboot"}]}`, n, canary, literal)
	out := r.must(text, "sequence", "import", "-", "--json")
	for _, format := range []string{"json", "yaml"} {
		exported := r.must("", "sequence", "export", fmt.Sprintf("planted-%d:1", n), "--format", format)
		if !strings.Contains(exported, tasksequence.Masked) {
			r.t.Errorf("the export does not show a mask: %s", exported)
		}
		out += exported + r.must(strings.NewReplacer("Planted", "Planted, "+format, `"version": 1,`, "", "\nversion: 1\n", "\n").Replace(exported), "sequence", "import", "-")
	}
	p.check(r.t, "what the commands for task sequences print", []byte(out))
	return literal
}

// firstStep is the id of the first step of a deployment's sequence.
func firstStep(t *testing.T, d wire.Deployment) string {
	t.Helper()
	var doc tasksequence.Document
	if err := json.Unmarshal(d.Document, &doc); err != nil || len(doc.Sequence.Steps) == 0 {
		t.Fatalf("the document: %v, %s", err, d.Document)
	}
	return doc.Sequence.Steps[0].ID
}

func quoted(s string) json.RawMessage { return json.RawMessage(`"` + s + `"`) }

// listen reads the console's stream of events until the function it returns is called.
func (r *running) listen(cookie string) (end func() []byte) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan []byte, 1)
	go func() { got <- r.get(ctx, "/events", "Cookie", "__Host-slipway-session="+cookie) }()
	return func() []byte { cancel(); return <-got }
}

// get returns what of an answer came until ctx ended.
func (r *running) get(ctx context.Context, path, header, value string) []byte {
	req, err := http.NewRequestWithContext(ctx, "GET", "https://"+r.https+path, nil)
	if err != nil {
		return nil
	}
	req.Header.Set(header, value)
	client := insecure(nil, "")
	client.Timeout = 0
	resp, err := client.Do(req)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	for name, values := range resp.Header {
		if name != "Set-Cookie" {
			body = append(body, strings.Join(values, "\n")...)
		}
	}
	return body
}

// answers are those of every GET of the API to an administrator's token, and of the
// pages of the console that links lead to.
func (r *running) answers(token, cookie string, deployments ...string) map[string][]byte {
	r.t.Helper()
	out := map[string][]byte{}
	get := func(where, path, header, value string) []byte {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		out[where+" "+path] = r.get(ctx, path, header, value)
		return out[where+" "+path]
	}
	var doc struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if code := r.request(insecure(nil, ""), "GET", "/api/v1/openapi.json", "", nil, &doc); code != http.StatusOK {
		r.t.Fatalf("the OpenAPI document answers %d", code)
	}
	parameter := regexp.MustCompile(`\{[a-zA-Z]+\}`)
	for path, methods := range doc.Paths {
		if methods["get"] == nil {
			continue
		}
		for _, id := range append(slices.Clone(deployments), "default", "branch", "planted-1", "planted-1:1") {
			get("API", parameter.ReplaceAllString(path, id), "Authorization", "Bearer "+token)
			if !strings.Contains(path, "{") {
				break
			}
		}
	}
	link := regexp.MustCompile(`(?:href|hx-get|src)="(/[^"#]*)"`)
	queue := []string{"/", "/audit"}
	for _, id := range deployments {
		queue = append(queue, "/deployments/"+id)
	}
	queue = append(queue, "/sequences/planted-1")
	for i := 0; i < len(queue) && i < 80; i++ {
		for _, m := range link.FindAllSubmatch(get("console", queue[i], "Cookie", "__Host-slipway-session="+cookie), -1) {
			if path := strings.ReplaceAll(string(m[1]), "&amp;", "&"); !slices.Contains(queue, path) && path != "/events" {
				queue = append(queue, path)
			}
		}
	}
	return out
}

// takeSnapshot opens the state of an appliance that has ended, and has it write one.
func takeSnapshot(t *testing.T, dir string) {
	t.Helper()
	folder := filepath.Join(dir, "data", "state")
	store, err := state.Open(t.Context(), state.Options{Dir: folder, Logger: slog.New(slog.DiscardHandler), SnapshotEvery: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if list, _ := filepath.Glob(filepath.Join(folder, "snapshots", "*", "state.bin")); len(list) > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no snapshot was taken")
		}
	}
}

// caKey is the secret number of the CA's key, as the appliance itself opens it.
func caKey(t *testing.T, dir string) []byte {
	t.Helper()
	data := filepath.Join(dir, "data")
	store, err := state.Open(t.Context(), state.Options{Dir: filepath.Join(data, "state"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ring, err := secrets.Ensure(t.Context(), store, filepath.Join(data, "secret.key"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var key *ecdsa.PrivateKey
	err = store.View(func(tx *state.Tx) error {
		i, err := tx.Installation().Get(state.Self)
		if err != nil {
			return err
		}
		plain, err := ring.Open(i.Authorities[0].SealedKey, "pki.ca-key."+i.ID)
		if err != nil {
			return err
		}
		parsed, err := x509.ParsePKCS8PrivateKey(plain)
		key, _ = parsed.(*ecdsa.PrivateKey)
		return err
	})
	if err != nil || key == nil {
		t.Fatalf("open the CA's key: %v", err)
	}
	number, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return number
}
