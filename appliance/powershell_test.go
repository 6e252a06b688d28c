package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/appliance/powershell"
)

var update = flag.Bool("update", false, "write the generated files of the PowerShell module anew")

const moduleFolder = "powershell/Slipway"

// openAPI is the document as the appliance serves it.
func (r *running) openAPI() []byte {
	r.t.Helper()
	_, body := r.fetch("GET", "/api/v1/openapi.json", "")
	return body
}

// TestThePowerShellModuleIsGeneratedFromTheAPI compares the committed cmdlets with what
// the API's own document gives.
func TestThePowerShellModuleIsGeneratedFromTheAPI(t *testing.T) {
	files, err := powershell.Generate(start(t, t.TempDir()).openAPI())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		for name, text := range files {
			path := filepath.Join(moduleFolder, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, text := range files {
		got, err := os.ReadFile(filepath.Join(moduleFolder, filepath.FromSlash(name)))
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s is not what the API gives (%v): go test ./appliance -run PowerShell -update writes it anew", name, err)
		}
	}
	err = filepath.WalkDir(moduleFolder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(moduleFolder, path)
		if _, ok := files[filepath.ToSlash(rel)]; !ok && rel != "Slipway.psm1" {
			t.Errorf("%s is in the module and is not generated", rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestThePowerShellModuleParses has every file read under a PowerShell grammar. Nothing of
// it is executed: no PowerShell is at hand.
func TestThePowerShellModuleParses(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "parse.mjs"} {
		text, err := os.ReadFile(filepath.Join("powershell/grammar", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v (Debian's packages nodejs and npm are needed: lab/deps.sh check)\n%s", err, out)
	}
	parse := func(files ...string) (string, error) {
		// Without its optimising compiler V8 has the grammar's large functions in half a second, not a minute.
		c := exec.CommandContext(ctx, "node", append([]string{"--liftoff-only", "parse.mjs"}, files...)...)
		c.Dir = dir
		out, err := c.CombinedOutput()
		return string(out), err
	}
	var files []string
	err := filepath.WalkDir(moduleFolder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			path, err = filepath.Abs(path)
			files = append(files, path)
		}
		return err
	})
	scripts, globErr := filepath.Glob("../agent/internal/steps/*.ps1") // of the agent's steps
	if err = errors.Join(err, globErr); err != nil || len(scripts) == 0 {
		t.Fatal(err, scripts)
	}
	for _, path := range scripts {
		full, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, full)
	}
	out, err := parse(files...)
	if err != nil || len(files) < 30 || !strings.Contains(out, fmt.Sprintf("%d files parsed, 0 errors", len(files))) {
		t.Errorf("%v\n%s", err, out)
	}
	broken := filepath.Join(dir, "broken.ps1")
	if err := os.WriteFile(broken, []byte("function Get-X { param([string]$A\n if ($A -eq { 1 }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := parse(broken); err == nil {
		t.Errorf("what is not PowerShell parses: %s", out)
	}
}

// psCmdlet is a generated cmdlet as its text says it: the request it makes of its
// parameters.
type psCmdlet struct {
	name, method, path string
	pathParameters     []string
	query              map[string]string // member to parameter
	body               map[string]string // member to expression
	hasBody, text      bool
	mandatory, all     []string
	list               string
}

var (
	psName   = regexp.MustCompile(`(?m)^function (\S+) \{`)
	psPath   = regexp.MustCompile(`(?m)^    \$path = '([^']*)'(?: -f (.*))?$`)
	psEscape = regexp.MustCompile(`\[uri\]::EscapeDataString\(\$(\w+)\)`)
	psCall   = regexp.MustCompile(`Invoke-SlipwayCall -Method '(\w+)' -Path \$path -Query \$query(.*)`)
	psQuery  = regexp.MustCompile(`ContainsKey\('(\w+)'\)\) \{ \$query\['(\w+)'\] = \$(\w+) \}`)
	psBody   = regexp.MustCompile(`ContainsKey\('(\w+)'\)\) \{ \$body\['(\w+)'\] = (.*) \}`)
	psFixed  = regexp.MustCompile(`(?m)^    \$body\['(\w+)'\] = ('[^']*')$`)
	psParam  = regexp.MustCompile(`(?m)^        \[Parameter\((Mandatory)?\)\].*\$(\w+),?$`)
	psMember = regexp.MustCompile(`-Member '(\w+)'`)
)

func readCmdlet(t *testing.T, file string) psCmdlet {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	name, path, call := psName.FindStringSubmatch(text), psPath.FindStringSubmatch(text), psCall.FindStringSubmatch(text)
	if name == nil || path == nil || call == nil {
		t.Fatalf("%s is not a cmdlet:\n%s", file, text)
	}
	c := psCmdlet{name: name[1], method: call[1], path: path[1], query: map[string]string{}, body: map[string]string{},
		hasBody: strings.Contains(call[2], "-Body $body"), text: strings.Contains(call[2], "-Text $text") || strings.Contains(call[2], "-Bytes $bytes")}
	for _, m := range psEscape.FindAllStringSubmatch(path[2], -1) {
		c.pathParameters = append(c.pathParameters, m[1])
	}
	for _, m := range psQuery.FindAllStringSubmatch(text, -1) {
		c.query[m[2]] = m[1]
	}
	for _, m := range psBody.FindAllStringSubmatch(text, -1) {
		c.body[m[2]] = m[3]
	}
	for _, m := range psFixed.FindAllStringSubmatch(text, -1) {
		c.body[m[1]] = m[2]
	}
	for _, m := range psParam.FindAllStringSubmatch(text, -1) {
		c.all = append(c.all, m[2])
		if m[1] != "" {
			c.mandatory = append(c.mandatory, m[2])
		}
	}
	if m := psMember.FindStringSubmatch(call[2]); m != nil {
		c.list = m[1]
	}
	return c
}

// value is what an expression of a cmdlet gives, of these arguments.
func (c psCmdlet) value(t *testing.T, expression string, arguments map[string]any) any {
	t.Helper()
	if text, ok := strings.CutPrefix(expression, "'"); ok {
		return strings.TrimSuffix(text, "'")
	}
	name := strings.Trim(strings.TrimPrefix(strings.TrimPrefix(expression, "[bool]"), "@("), "$)")
	v, ok := arguments[name]
	if !ok {
		t.Fatalf("%s: no argument for %s", c.name, expression)
	}
	if strings.HasPrefix(expression, "@(") && !slices.Contains([]string{"[]string", "[]interface {}"}, fmt.Sprintf("%T", v)) {
		return []any{v}
	}
	return v
}

// send makes the request that the cmdlet makes of the arguments.
func (c psCmdlet) send(r *running, token string, arguments map[string]any) (status int, answer []byte) {
	r.t.Helper()
	path := c.path
	for i, p := range c.pathParameters {
		path = strings.ReplaceAll(path, fmt.Sprintf("{%d}", i), url.PathEscape(fmt.Sprint(arguments[p])))
	}
	query := url.Values{}
	for member, parameter := range c.query {
		if v, ok := arguments[parameter]; ok {
			query.Set(member, fmt.Sprint(v))
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	var body io.Reader
	switch {
	case c.text:
		body = strings.NewReader(fmt.Sprint(arguments["LiteralPath"]))
	case c.hasBody:
		members := map[string]any{}
		for member, expression := range c.body {
			parameter := strings.Trim(strings.TrimPrefix(strings.TrimPrefix(expression, "[bool]"), "@("), "$)'")
			if _, given := arguments[parameter]; given || strings.HasPrefix(expression, "'") {
				members[member] = c.value(r.t, expression, arguments)
			}
		}
		text, err := json.Marshal(members)
		if err != nil {
			r.t.Fatal(err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(context.Background(), c.method, "https://"+r.https+"/api/v1"+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := insecure(nil, "").Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, answer
}

// upload sends a file as Send-SlipwayFile does.
func (r *running) upload(token, content string) string {
	r.t.Helper()
	module, err := os.ReadFile(filepath.Join(moduleFolder, "Slipway.psm1"))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, want := range []string{"'/admin/content-uploads'", "['Tus-Resumable'] = '1.0.0'", "['Upload-Length']", "['Upload-Offset']", "'application/offset+octet-stream'", "@{ id = $id; path = $Name }"} {
		if !bytes.Contains(module, []byte(want)) {
			r.t.Errorf("Send-SlipwayFile has no %s", want)
		}
	}
	resp, _ := r.fetch("POST", "/api/v1/admin/content-uploads", token, "Tus-Resumable", "1.0.0", "Upload-Length", fmt.Sprint(len(content)))
	if resp.StatusCode != http.StatusCreated {
		r.t.Fatalf("an upload answers %d", resp.StatusCode)
	}
	id := resp.Header.Get("Location")[strings.LastIndex(resp.Header.Get("Location"), "/")+1:]
	req, err := http.NewRequestWithContext(context.Background(), "PATCH", "https://"+r.https+"/api/v1/admin/content-uploads/"+id, strings.NewReader(content))
	if err != nil {
		r.t.Fatal(err)
	}
	for name, value := range map[string]string{"Authorization": "Bearer " + token, "Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"} {
		req.Header.Set(name, value)
	}
	sent, err := insecure(nil, "").Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer sent.Body.Close()
	if sent.StatusCode != http.StatusNoContent {
		r.t.Fatalf("a piece answers %d", sent.StatusCode)
	}
	return id
}

// TestThePowerShellCmdletsCallTheAPI replays the request of every cmdlet, with every
// parameter it has, against a running appliance.
func TestThePowerShellCmdletsCallTheAPI(t *testing.T) {
	r := startWith(t, t.TempDir(), privateAddresses)
	token := strings.TrimSpace(r.must("", "token", "add", "powershell", "--role", "administrator"))
	r.must("correct horse battery staple\n", "passcode", "set")
	device := r.boot(testDevice)
	if code := device.signIn("correct horse battery staple"); code != http.StatusOK {
		t.Fatalf("sign-in answers %d", code)
	}
	deployment := device.start("0f8c2d7e-5b1a-4c39-9e64-51a9c0de0001").ID
	files, err := filepath.Glob(filepath.Join(moduleFolder, "Cmdlets", "*.ps1"))
	if err != nil {
		t.Fatal(err)
	}
	cmdlets := map[string]psCmdlet{}
	for _, file := range files {
		c := readCmdlet(t, file)
		cmdlets[c.name] = c
	}
	called := map[string]bool{}
	run := func(name string, status int, arguments map[string]any) map[string]any {
		t.Helper()
		c, ok := cmdlets[name]
		if !ok {
			t.Fatalf("there is no cmdlet %s", name)
		}
		called[name] = true
		for _, p := range c.mandatory {
			if _, given := arguments[p]; !given {
				t.Errorf("%s: the mandatory %s is not given", name, p)
			}
		}
		for _, p := range c.all {
			if _, given := arguments[p]; !given && !slices.Contains([]string{"OutFile", "Url", "Sha256", "From", "Limit"}, p) {
				t.Errorf("%s: %s is not tried", name, p)
			}
		}
		got, answer := c.send(r, token, arguments)
		if got != status {
			t.Errorf("%s answers %d, want %d: %s", name, got, status, answer)
		}
		out := map[string]any{}
		if json.Unmarshal(answer, &out) == nil && c.list != "" && status < 300 {
			if _, ok := out[c.list].([]any); !ok {
				t.Errorf("%s: the answer has no list %s: %s", name, c.list, answer)
			}
		}
		return out
	}
	type args = map[string]any
	const document = `{"id":"ps","name":"From PowerShell","steps":[{"id":"a","name":"A","definition":"set-variable","settings":{"VariableName":"A"}}]}`
	run("Import-SlipwaySequence", 201, args{"LiteralPath": document})
	run("Test-SlipwaySequence", 200, args{"LiteralPath": document})
	run("Get-SlipwaySequence", 200, nil)
	if out := run("Export-SlipwaySequence", 200, args{"Id": "ps:1", "Format": "json"}); out["name"] != "From PowerShell" {
		t.Errorf("exported %v", out)
	}
	run("Get-SlipwayTemplate", 200, nil)
	run("New-SlipwaySequence", 201, args{"Template": "wipe-disk", "Name": "Wipe", "Content": args{}})
	run("Get-SlipwayStep", 200, nil)

	job := run("Add-SlipwayContent", 202, args{"Name": "Editor", "Description": "d", "Purpose": "application", "Tags": []string{"a"}, "Command": "x /q", "Status": "active",
		"Uploads": []any{args{"id": r.upload(token, "bytes"), "path": "x.exe"}}, "AsIs": true, "KeepOriginal": false, "Manufacturer": "", "Models": []string{}})
	for deadline := time.Now().Add(patience); job["status"] == "running" && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		job = run("Get-SlipwayContentJob", 200, args{"Id": job["id"]})
	}
	if job["status"] != "done" {
		t.Errorf("the content was not added: %v", job)
	}
	run("Get-SlipwayContentJob", 200, args{"Id": job["id"]})
	run("Get-SlipwayContentJobList", 200, nil)
	run("Get-SlipwayContent", 200, nil)
	if item := run("Get-SlipwayContentItem", 200, args{"Item": "Editor"}); item["name"] != "Editor" {
		t.Errorf("the item %v", item)
	}
	run("Set-SlipwayContent", 200, args{"Item": "Editor", "Name": "Editor 2", "Description": "e", "Tags": "one", "Manufacturer": "", "Models": []string{}})
	run("Set-SlipwayContentStatus", 200, args{"Item": "Editor 2", "Version": 1, "Status": "deprecated"})
	verify := run("Test-SlipwayContent", 202, args{"Item": "Editor 2", "Version": 1})
	run("Stop-SlipwayContentJob", 204, args{"Id": verify["id"]})
	run("Remove-SlipwayContentVersion", 204, args{"Item": "Editor 2", "Version": 1})
	run("Remove-SlipwayContent", 204, args{"Item": "Editor 2"})

	own := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"format":1,"name":"ours","entries":[{"kind":"operatingsystem","name":"Our Windows","url":"https://files.example.com/our.wim","os":"Windows 11","architecture":"x64"}]}`)
	}))
	defer own.Close()
	run("Import-SlipwayCatalogue", 200, args{"Vendor": "", "Url": own.URL + "/ours.json"})
	run("Get-SlipwayCatalogue", 200, nil)
	if out := run("Find-SlipwayCatalogueEntry", 200, args{"Text": "our windows", "Catalogue": "ours", "Kind": "operatingsystem", "Os": "Windows 11"}); out["total"] != 1.0 {
		t.Errorf("found %v", out)
	}
	if out := run("Update-SlipwayCatalogue", 200, args{"Name": "ours"}); out["operatingSystems"] != 1.0 {
		t.Errorf("read anew: %v", out)
	}
	run("Remove-SlipwayCatalogue", 204, args{"Name": "ours"})

	run("Get-SlipwayGraphSetting", 200, nil)
	if out := run("Set-SlipwayGraphSetting", 200, args{"Settings": args{"tenant": "1f0c9a52-6d3b-4a1e-9c57-0123456789ab"}}); !strings.Contains(fmt.Sprint(out), "1f0c9a52") {
		t.Errorf("the settings %v", out)
	}
	if out := run("Test-SlipwayGraph", 200, nil); out["ok"] != false {
		t.Errorf("the test of what is not set up: %v", out)
	}
	if out := run("Get-SlipwayWimboot", 200, nil); out["present"] == true {
		t.Errorf("wimboot %v", out)
	}
	if out := run("Add-SlipwayWimboot", 422, args{"LiteralPath": "no wimboot"}); !strings.Contains(fmt.Sprint(out), "wimboot") {
		t.Errorf("what is not wimboot answers %v", out)
	}
	run("Remove-SlipwayWimboot", 204, nil)

	run("Get-SlipwayBootImage", 200, nil)
	run("Get-SlipwayBootImageBuildList", 200, nil)
	run("Get-SlipwayBootImageBuild", 404, args{"Id": "none"})
	if out := run("Start-SlipwayBootImageBuild", 422, args{"Kind": "floppy", "Profile": "client", "Keyboard": "de", "Lab": false}); !strings.Contains(fmt.Sprint(out), "floppy") {
		t.Errorf("a build of a wrong kind answers %v", out)
	}

	run("Get-SlipwayDeviceList", 200, nil)
	if d := run("Get-SlipwayDevice", 200, args{"Id": testDevice.MAC[0]}); d["serial"] != testDevice.Serial {
		t.Errorf("the device %v", d)
	}
	run("Set-SlipwayDeviceSequence", 204, args{"Id": testDevice.MAC[0], "Sequence": "ps"})
	run("Set-SlipwayDeviceSequence", 204, args{"Id": testDevice.MAC[0], "Sequence": ""})
	run("Set-SlipwayDeviceBoot", 204, args{"Id": testDevice.MAC[0], "Target": "image", "Once": true})
	run("Set-SlipwayDeviceWay", 204, args{"Id": testDevice.MAC[0], "Way": "ipxe"})

	run("Get-SlipwayDeploymentList", 200, nil)
	run("Get-SlipwayDeployment", 200, args{"Id": deployment})
	run("Get-SlipwayDeploymentLog", 200, args{"Id": deployment, "From": 1, "Limit": 10, "Format": "text"})
	run("Suspend-SlipwayDeployment", 204, args{"Id": deployment})
	run("Resume-SlipwayDeployment", 204, args{"Id": deployment})
	run("Stop-SlipwayDeployment", 204, args{"Id": deployment})
	for name := range cmdlets {
		if !called[name] {
			t.Errorf("%s was not replayed", name)
		}
	}
}
