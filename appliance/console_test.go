package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"slipway/agent/wire"
	"slipway/ui/browsertest"
)

// browser is one tab of a real Chromium on the console of a real appliance.
type browser struct {
	t   *testing.T
	ctx context.Context
	url string
}

func openBrowser(t *testing.T, url string) *browser {
	t.Helper()
	ctx := browsertest.Start(t)
	b := &browser{t: t, ctx: ctx, url: url}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 860)); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	return b
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%v; the page shows: %s", err, b.text())
	}
}

// open opens a page and returns when all of it is there: when the page before was still
// coming or changed its own address, Navigate may return before, and no module has
// started yet.
func (b *browser) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.url + path))
	b.whole()
}

// whole waits until all of the page is there.
func (b *browser) whole() {
	b.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second) // a page that goes away may not answer
		state, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.readyState"))
		cancel()
		if err == nil && state == "complete" {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("the page does not come: %q, %v", state, err)
		}
	}
}

func (b *browser) fill(selector, value string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(selector), value))
}

func (b *browser) text() string {
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.pathname + "\n" + document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

// until waits for words on the page, however often it loads meanwhile.
func (b *browser) until(words string) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(b.text(), words); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("%q did not come; the page shows: %s", words, b.text())
		}
	}
	b.whole() // what comes next may be for its modules
}

// shot keeps a picture of the page for people, when SLIPWAY_SHOTS names a folder.
func (b *browser) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("SLIPWAY_SHOTS")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

var setupCode = regexp.MustCompile(`Setup code: (\S+)`)

// TestTheFirstAdministratorInARealBrowser takes a fresh appliance from the setup
// code to a deployment seen live. A stranger without the code gets nowhere.
func TestTheFirstAdministratorInARealBrowser(t *testing.T) {
	r := start(t, t.TempDir())
	b := openBrowser(t, "https://"+r.https)
	b.open("/")
	b.until("/setup")
	b.shot("setup")
	b.fill("#code", "AAAA-BBBB-CCCC-DDDD")
	b.fill("#name", "stranger")
	b.fill("#password", "a long enough password")
	b.do(chromedp.Click(chromedp.CSS("main form button")))
	b.until("not the code")
	if out := r.must("", "account", "list"); strings.Contains(out, "stranger") {
		t.Fatalf("a stranger has an account: %s", out)
	}
	code := setupCode.FindStringSubmatch(r.out.String())
	if code == nil {
		t.Fatalf("no setup code: %s", r.out)
	}
	b.open("/setup")
	b.fill("#code", code[1])
	b.fill("#name", "anna")
	b.fill("#password", "correct horse battery")
	b.do(chromedp.Click(chromedp.CSS("main form button")))
	b.until("Overview")
	b.shot("overview-fresh")

	b.open("/admin/security")
	b.fill("#passcode", "slipway-lab")
	b.fill("#repeat", "slipway-lab")
	b.do(chromedp.Submit(chromedp.CSS("#passcode")))
	b.until("bits")
	b.shot("security")
	if out := r.must("", "passcode", "status"); !strings.Contains(out, "by anna") {
		t.Errorf("the passcode was not set from the console: %s", out)
	}

	b.open("/deployments")
	client := insecure(nil, "")
	var token wire.Token
	if code := r.request(client, "POST", "/api/v1/auth/passcode", "", wire.PasscodeSignIn{Passcode: "slipway-lab", Device: testDevice}, &token); code != http.StatusOK {
		t.Fatalf("sign-in answers %d", code)
	}
	var choices wire.TaskSequences
	r.request(client, "GET", "/api/v1/task-sequences", token.Token, nil, &choices)
	var d wire.Deployment
	r.request(client, "POST", "/api/v1/deployments", token.Token, wire.StartDeployment{Sequence: choices.TaskSequences[0].ID}, &d)
	b.open("/deployments/" + d.ID)
	b.until("Hello from Slipway")
	path := "/api/v1/deployments/" + d.ID
	r.request(client, "POST", path+"/logs", token.Token, wire.LogBatch{Epoch: d.Epoch, Lines: []wire.LogLine{{Number: 1, Time: time.Now(), Level: "info", Text: "a line that comes live"}}}, nil)
	b.until("a line that comes live")
	r.request(client, "POST", path+"/events", token.Token, wire.EventBatch{Epoch: d.Epoch, Events: []wire.Event{{Number: 1, Time: time.Now(), Kind: wire.EventFinished, Status: "succeeded"}}}, nil)
	b.until("Done")
	b.shot("deployment")
	b.editsAndUploads()
	b.takesAFileOfTheAppliance(filepath.Join(filepath.Dir(r.config), "data"))
	for name, page := range map[string]string{"overview": "/", "devices": "/devices", "deployments": "/deployments", "sequences": "/sequences", "content": "/content", "images": "/boot/images", "audit": "/audit"} {
		b.open(page)
		b.until("anna")
		b.shot(name)
	}
}

// editsAndUploads makes a task sequence in the editor and content by an upload, with
// the real library and the real content store behind the pages.
func (b *browser) editsAndUploads() {
	b.t.Helper()
	b.open("/sequences/new")
	b.fill("#name", "From the console")
	b.do(chromedp.Click(chromedp.CSS("form.grid .primary")))
	b.until("has no steps")
	b.do(chromedp.SetValue(chromedp.CSS("#add"), "run-command-line"), chromedp.Click(chromedp.CSS(`[value="add"]`)))
	b.until("A value is needed")
	b.fill("#o-Command", "echo hello")
	b.do(chromedp.Click(chromedp.CSS(`.head [value="publish"]`)))
	b.until("Published")
	b.shot("sequence-published")

	path := filepath.Join(b.t.TempDir(), "tool.bin")
	if err := os.WriteFile(path, make([]byte, 5<<20), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.open("/content/add")
	b.do(chromedp.SetUploadFiles(chromedp.CSS("#files"), []string{path}), chromedp.SetValue(chromedp.CSS("#purpose"), "other"),
		chromedp.Click(chromedp.CSS("form[data-upload] .primary")))
	b.until("It is there")
	b.until("5.2 MB in 1 file")
	b.shot("content-uploaded")
}

// takesAFileOfTheAppliance adds a file that lies in windows/sources, and is told when it
// has gone meanwhile.
func (b *browser) takesAFileOfTheAppliance(data string) {
	b.t.Helper()
	file := filepath.Join(data, "windows", "sources", "tools.img")
	put(b.t, file, make([]byte, 3<<20), 0o600)
	add := func(name string) {
		b.open("/content/add")
		b.fill("#name", name)
		b.do(chromedp.SetValue(chromedp.CSS("#purpose"), "other"), chromedp.SetValue(chromedp.CSS("#source"), "tools.img"))
	}
	add("Large tools")
	b.shot("content-of-the-appliance")
	b.do(chromedp.Click(chromedp.CSS("form[data-upload] .primary")))
	b.until("3.1 MB in 1 file")
	add("Late tools")
	if err := os.Remove(file); err != nil { // nothing needs it there any more
		b.t.Fatal(err)
	}
	b.do(chromedp.Click(chromedp.CSS("form[data-upload] .primary")))
	b.until("There is no such file")
}
