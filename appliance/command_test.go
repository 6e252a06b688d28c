package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func command(args ...string) (code int, out, errText string) {
	var o, e bytes.Buffer
	code = run(context.Background(), args, streams{in: strings.NewReader(""), out: &o, err: &e})
	return code, o.String(), e.String()
}

func TestWrongUsageIsOneLineAndExitTwo(t *testing.T) {
	for _, line := range []string{"nonsense", "passcode", "device assign one", "serve --no-such-flag", "image build floppy", "image build winpe", "image build linux --source x.iso", "image build winpe --source x.iso --firmware y", "account add", "auth set anonymous", "dhcp-options", "dhcp-options --server bootpd",
		"account add anna", "token add ci", "image sign", "image fetch", "image build linux nonsense", "audit list --before 7 --after 3", "agent", "agent nonsense", "passcode nonsense",
		"agent-config --server https://slipway.example/", "agent-config --set nothing"} {
		code, _, errText := command(strings.Fields(line)...)
		if code != exitUsage || strings.Count(errText, "\n") != 1 || !strings.HasPrefix(errText, "slipway: ") {
			t.Errorf("%s: exit %d, %q", line, code, errText)
		}
	}
}

func TestEveryCommandHasHelp(t *testing.T) {
	a := &app{}
	var walk func(path []string)
	walk = func(path []string) {
		code, out, errText := command(append(path, "--help")...)
		if code != 0 || !strings.Contains(out, "Usage:") || errText != "" {
			t.Errorf("%v --help: exit %d, %q", path, code, errText)
		}
		c, _, err := a.root().Find(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, sub := range c.Commands() {
			walk(append(append([]string{}, path...), sub.Name()))
		}
	}
	walk(nil)
}

func TestWithoutAnApplianceTheErrorSaysHowToStartOne(t *testing.T) {
	file := filepath.Join(t.TempDir(), "slipway.yaml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errText := command("device", "list", "--config", file)
	if code != exitFailed || !strings.Contains(errText, "slipway serve") {
		t.Errorf("exit %d, %q", code, errText)
	}
}

// What serve would refuse is refused by the check, files that are named included.
func TestConfigCheckReadsWhatIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "slipway.yaml")
	if err := os.WriteFile(file, []byte("audit: {syslog: 'tls://192.0.2.1', syslog_ca: none.pem}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errText := command("config", "check", file); code != exitFailed || !strings.Contains(errText, "audit.syslog_ca: open ") {
		t.Errorf("exit %d, %q, %q", code, out, errText)
	}
}

func TestWhatKeepsServeFromStartingIsOneClearLine(t *testing.T) {
	used, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer used.Close()
	p := freePorts(t, 3)
	base := fmt.Sprintf("dhcp: {mode: 'off'}\ntftp: {listen: '127.0.0.1:%d'}\nhttp: {listen: '127.0.0.1:%d'}\nhttps: {listen: '127.0.0.1:%d'}\n", p[0], p[1], p[2])
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, yaml, want string }{
		{"port in use", strings.Replace(base, fmt.Sprintf("127.0.0.1:%d'}\nhttps", p[1]), used.Addr().String()+"'}\nhttps", 1), "is in use by another program"},
		{"foreign address", base + "", ""}, // replaced below
		{"data is a file", base + "data: " + plain + "\n", "is not a folder"},
		{"malformed", "data: [", "line 1"},
		{"unknown key", base + "dhpc: {}\n", `unknown key "dhpc"`},
		{"no list", "interfaces: eth0\n", "slipway.yaml: line 1: interfaces: is a list, e.g. [eth0]"},
		{"no section and no number", "dhcp: hello\nhttp: {listen: [1]}\n", "; line 2: http.listen: is one value"},
		{"two wrong values", "dhcp: {mode: x, port: 0}\n", "; dhcp.port: 0 is not a port"},
		{"no subnets", "dhcp: {mode: authoritative}\n", "needs at least one network"},
		{"long path", base + "data: /" + strings.Repeat("d", 110) + "\n", "too long for a socket"},
	} {
		if c.name == "foreign address" {
			c.yaml = strings.Replace(base, fmt.Sprintf("https: {listen: '127.0.0.1:%d'}", p[2]), "https: {listen: '192.0.2.1:8443'}", 1)
			c.want = "does not have the address"
		}
		file := filepath.Join(dir, "slipway.yaml")
		if err := os.WriteFile(file, []byte(c.yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		code, _, errText := command("serve", "--config", file)
		last := lastLine(errText)
		if code == 0 || !strings.Contains(last, c.want) || !strings.HasPrefix(last, "slipway: ") {
			t.Errorf("%s: exit %d, %q", c.name, code, errText)
		}
		// Beside it stands the log only, which begins once the configuration is read.
		if own := notOfTheLog(errText); len(own) != 1 {
			t.Errorf("%s: not one line but %q", c.name, own)
		}
	}
}

func notOfTheLog(errText string) (own []string) {
	for line := range strings.Lines(errText) {
		if !strings.HasPrefix(line, "time=") {
			own = append(own, line)
		}
	}
	return own
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

func TestASecondApplianceOnTheSameDataIsRefused(t *testing.T) {
	r := start(t, t.TempDir())
	code, _, errText := command("serve", "--config", r.config)
	if code == 0 || !strings.Contains(errText, "another slipway is running with this data folder") {
		t.Errorf("exit %d, %q", code, errText)
	}
	if out := r.must("", "sequence", "list"); !strings.Contains(out, "Hello from Slipway") {
		t.Errorf("the first one was disturbed: %s", out)
	}
}

func TestSequencesTravelByCommand(t *testing.T) {
	r := start(t, t.TempDir())
	dir := t.TempDir()
	good := filepath.Join(dir, "good.yaml")
	bad := filepath.Join(dir, "bad.json")
	if err := os.WriteFile(good, []byte("format: 1\nname: From YAML\nstatus: active\nsteps:\n  - name: Say\n    definition: run-command-line\n    settings: {Command: echo hi}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bad, []byte(`{"format":1,"name":"","steps":[{"name":"x","definition":"no-such-step"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errText := r.cli("", "sequence", "validate", good); code != 0 || !strings.Contains(out, "valid") || errText != "" {
		t.Errorf("validate: %s%s", out, errText)
	}
	script := filepath.Join(dir, "script.json")
	if err := os.WriteFile(script, []byte(`{"format":1,"name":"x","steps":[{"name":"in","steps":[{"name":"Say it","definition":"run-powershell-script","settings":{"Script":"x"}}]},
		{"name":"Later","definition":"run-powershell-script","environments":["fullos"],"settings":{"Script":"x"}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errText := r.cli("", "sequence", "validate", script); code != 0 || !strings.Contains(out, "valid") ||
		!strings.Contains(errText, "Not checked: whether the Windows PE image has PowerShell, which in Windows PE these steps need: \"Say it\".") {
		t.Errorf("what was not checked: exit %d, %s%s", code, out, errText)
	}
	code, _, errText := r.cli("", "sequence", "validate", bad)
	if code == 0 || !strings.Contains(errText, "no-such-step") {
		t.Errorf("a bad document: exit %d, %s", code, errText)
	}
	out := r.must("", "sequence", "import", good)
	id, _, _ := strings.Cut(out, ":")
	exported := filepath.Join(dir, "exported.json")
	if err := os.WriteFile(exported, []byte(r.must("", "sequence", "export", id)), 0o600); err != nil {
		t.Fatal(err)
	}
	r.must("", "sequence", "import", exported) // the same content again is no new version
	if list := r.must("", "sequence", "list"); strings.Count(list, "From YAML") != 1 {
		t.Errorf("list:\n%s", list)
	}
	if yaml := r.must("", "sequence", "export", id, "--format", "yaml"); !strings.Contains(yaml, "name: From YAML") {
		t.Errorf("yaml:\n%s", yaml)
	}
	if code, _, errText := r.cli("", "sequence", "import", bad); code == 0 || !strings.Contains(errText, "no-such-step") {
		t.Errorf("import of a bad document: exit %d, %s", code, errText)
	}
}

// What others say steers no terminal, and Ctrl-C is told in words.
func TestErrorsForPeople(t *testing.T) {
	file := filepath.Join(t.TempDir(), "slipway.yaml")
	if err := os.WriteFile(file, []byte("log: {level: \"\\e[2Jloud\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"config", "check", file}, {"config", "check", "no\x1b[2Jfile"}, {"non\x9bsense"}, {"device", "list", "\x1b]0;x"}} {
		if code, _, said := command(args...); code == 0 || strings.ContainsFunc(said, func(r rune) bool { return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 }) {
			t.Errorf("%q: exit %d, %q", args, code, said)
		}
	}
	r := start(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, line := range []string{"device list", "passcode clear", "mdt import " + t.TempDir()} {
		var said bytes.Buffer
		code := run(ctx, append(strings.Fields(line), "--config", r.config), streams{in: strings.NewReader(""), out: io.Discard, err: &said})
		if code != exitFailed || said.String() != "slipway: interrupted\n" {
			t.Errorf("%s: exit %d, %q", line, code, &said)
		}
	}
}

// A misspelled variable is told of by the check and by the appliance's log.
func TestMisspelledVariables(t *testing.T) {
	file := filepath.Join(t.TempDir(), "slipway.yaml")
	if err := os.WriteFile(file, []byte("data: slipway.yaml/none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]string{
		"config check " + file:   "Warning: SLIPWAY_ADVERTIZE sets no key; the nearest variable is SLIPWAY_ADVERTISE\n",
		"serve --config " + file: "variable=SLIPWAY_ADVERTIZE nearest=SLIPWAY_ADVERTISE\n",
	} {
		var said bytes.Buffer
		run(t.Context(), strings.Fields(command), streams{in: strings.NewReader(""), out: io.Discard, err: &said, environ: []string{"SLIPWAY_ADVERTIZE=192.0.2.1"}})
		if !strings.Contains(said.String(), want) {
			t.Errorf("%s says %q", command, &said)
		}
	}
}

// Without a home the downloads of a fetch lie in a folder that nobody else can have made.
func TestDownloadsWithoutAHome(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("TMPDIR", t.TempDir())
	one, remove, err := fetchCache()
	if err != nil {
		t.Fatal(err)
	}
	other, removeOther, err := fetchCache()
	if err != nil || one == other {
		t.Errorf("%s and %s, %v", one, other, err)
	}
	if info, err := os.Stat(one); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	remove()
	removeOther()
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
