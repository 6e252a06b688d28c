package installed

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"slipway/agent/internal/appliancetest"
	"slipway/agent/internal/bootstage"
	"slipway/agent/internal/facts"
	"slipway/agent/internal/network"
	"slipway/agent/internal/steps"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// TestMain lets this program be the agent: tests start it as processes of their
// own, so that they can be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("SLIPWAY_TEST_MACHINE"); dir != "" {
		os.Exit(machineAgent(dir))
	}
	os.Exit(m.Run())
}

// machineAgent is slipway-agent start on a machine whose network, power and
// services are files in dir.
func machineAgent(dir string) int {
	o, err := parseArgs(os.Args[1:])
	if err != nil {
		return ExitUsage
	}
	o.unattended = o.unattended || !isTerminal(os.Stdin)
	off, _ := time.ParseDuration(os.Getenv("SLIPWAY_TEST_CLOCK"))
	now := func() time.Time { return time.Now().Add(off) }
	a := &agent{options: o, version: "test", stdin: os.Stdin, out: newLines(os.Stdout, now), errs: newLines(os.Stderr, now),
		network: wired{}, facts: facts.Facts{"OSVersion": "FullOS", "UUID": "6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
		power: fakePower(dir), autostart: fakeService(dir), temporary: filepath.Join(dir, "tmp"), now: now,
		exec: steps.LinuxExec{Env: environment()}, unplace: func() error { return unplace(dir) }}
	if _, err := os.Stat(filepath.Join(dir, "windows")); err == nil { // Windows PE can be put onto the disk
		a.stage = fakeStage(filepath.Join(dir, "winpe"))
	}
	if os.Getenv("SLIPWAY_TEST_UNPLUGGED") != "" {
		a.network = unplugged{}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return a.run(ctx)
}

// fakeStage is Windows PE on the disk: a file that holds the deployment.
type fakeStage string

func (f fakeStage) Put(context.Context, string, wire.WinPEImage, bootstage.Fetch, bootstage.Log) error {
	return errors.New("not here")
}

func (f fakeStage) Undo(_ context.Context, log bootstage.Log) error {
	if err := os.Remove(string(f)); err != nil {
		return nil // it is not there
	}
	log("info", "taken back")
	return nil
}

func (f fakeStage) Staged() string {
	text, _ := os.ReadFile(string(f))
	return string(text)
}

type unplugged struct{}

func (unplugged) Adapters() []network.Adapter {
	return []network.Adapter{{Name: "eth0", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}}}
}

type wired struct{}

func (wired) Adapters() []network.Adapter {
	return []network.Adapter{{Name: "eth0", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, State: network.Leased,
		Lease: network.Lease{Address: netip.MustParsePrefix("127.0.0.1/8")}}}
}

type fakePower string

func (p fakePower) note(what string) error {
	return os.WriteFile(filepath.Join(string(p), "power"), []byte(what), 0o600)
}
func (p fakePower) restart(context.Context) error { return p.note("restart") }
func (p fakePower) off(context.Context) error     { return p.note("off") }
func (p fakePower) reseal(context.Context) error  { return p.note("reseal") }

type fakeService string

func (s fakeService) install(_ context.Context, args []string) error {
	return os.WriteFile(filepath.Join(string(s), "service"), []byte(strings.Join(args[1:], " ")), 0o600)
}
func (s fakeService) remove(context.Context) error {
	if err := os.Remove(filepath.Join(string(s), "service")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// machine is an installed system with an appliance to go to.
type machine struct {
	*testing.T
	*appliancetest.Appliance
	dir   string
	clock time.Duration
}

const deviceName = "pc1.example.org"

// newMachine has a certificate that the appliance accepts and a configuration
// with these variables.
func newMachine(t *testing.T, variables map[string]any) *machine {
	t.Helper()
	a, err := appliancetest.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	m := &machine{T: t, Appliance: a, dir: t.TempDir()}
	a.Mechanisms.Mechanisms = []string{wire.Certificate, wire.Passcode}
	a.Certificate = deviceName
	m.certificate()
	m.configure(map[string]any{"Certificate": map[string]any{"File": "device.pem"}, "Variables": variables})
	m.sequence(run("Say", "echo hello"))
	return m
}

func (m *machine) configure(change map[string]any) {
	m.Helper()
	change["Server"], change["Installation"], change["CA"] = m.Address, appliancetest.Installation, string(m.CAPEM())
	m.write("agent.json", with(m.T, change))
}

func (m *machine) write(name string, content []byte) {
	m.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, name), content, 0o600); err != nil {
		m.Fatal(err)
	}
}

func (m *machine) certificate() {
	m.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		m.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: deviceName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		m.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		m.Fatal(err)
	}
	m.write("device.pem", append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})...))
}

func node(name, definition string, settings map[string]any) tasksequence.Node {
	raw := map[string]json.RawMessage{}
	for k, v := range settings {
		raw[k], _ = json.Marshal(v)
	}
	return tasksequence.Node{ID: strings.ToLower(name), Name: name, Definition: definition, DefinitionVersion: 1, Settings: raw}
}

func run(name, text string) tasksequence.Node {
	return node(name, tasksequence.RunCommandLine, map[string]any{"Command": text})
}

func reboot(target string) tasksequence.Node {
	return node("Restart", tasksequence.Reboot, map[string]any{"RebootRequested": target, "RebootDelay": 0})
}

func (m *machine) sequence(nodes ...tasksequence.Node) {
	m.Do(func() {
		m.Document = tasksequence.Document{Format: tasksequence.Format, Sequence: tasksequence.Sequence{Name: "Installed", Steps: nodes}}
		m.Sequences = wire.TaskSequences{TaskSequences: []wire.TaskSequence{{ID: "s1", Version: 1, Name: "Installed"}}}
	})
}

// process is one run of the agent.
type process struct {
	*exec.Cmd
	out, errs output
}

// output is what a process has said so far.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (m *machine) begin(environment ...string) *process {
	m.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], "--unattended", "--config", filepath.Join(m.dir, "agent.json"), "--state", filepath.Join(m.dir, "state"))}
	p.Env = append(os.Environ(), "SLIPWAY_TEST_MACHINE="+m.dir, "SLIPWAY_TEST_CLOCK="+m.clock.String())
	p.Env = append(p.Env, environment...)
	p.Stdout, p.Stderr = &p.out, &p.errs
	if err := p.Start(); err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { _ = p.Process.Kill() })
	return p
}

// ends waits for the agent and checks its exit code and words of its output.
func (m *machine) ends(p *process, code int, words ...string) {
	m.Helper()
	over := time.AfterFunc(3*time.Minute, func() { _ = p.Process.Kill() })
	defer over.Stop()
	_ = p.Wait()
	all := p.out.String() + "-- errors:\n" + p.errs.String()
	if got := p.ProcessState.ExitCode(); got != code {
		m.Fatalf("exit code %d, want %d; it said:\n%s", got, code, all)
	}
	for _, w := range words {
		if !strings.Contains(all, w) {
			m.Errorf("%q was not said:\n%s", w, all)
		}
	}
}

func (m *machine) runs(code int, words ...string) {
	m.Helper()
	m.ends(m.begin(), code, words...)
}

func (m *machine) has(name string, want bool) {
	m.Helper()
	if _, err := os.Stat(filepath.Join(m.dir, name)); (err == nil) != want {
		m.Errorf("%s is there: %v, want %v", name, err == nil, want)
	}
}

func (m *machine) signedIn(want ...string) {
	m.Helper()
	m.Do(func() {
		if !slices.Equal(m.Bindings, want) {
			m.Errorf("signed in as %q, want %q", m.Bindings, want)
		}
	})
}

func TestUnattendedWithACertificate(t *testing.T) {
	m := newMachine(t, map[string]any{"TSID": "s1", "Passcode": "correct horse", "Owner": "Kim", "Apps": []string{"a", "b"}})
	m.sequence(run("Say", "echo hello $SLIPWAY_OWNER"), run("More", "test \"$HOME\" = /root"))
	m.runs(ExitSucceeded, "Signing in with this computer's certificate\n", "Step 1 of 2: Say\n", "Step 1 of 2: Say: succeeded (", "Step 2 of 2: More\n", "\nSucceeded\n")
	m.signedIn(deviceName)
	m.has("state", false)
	m.has("service", false)
	m.has("tmp", false)
	m.Do(func() {
		started := m.Started[0]
		var names []string
		for _, v := range started.Variables {
			names = append(names, v.Name)
		}
		if slices.Sort(names); started.Environment != wire.FullOS || started.Sequence != "s1" || !slices.Equal(names, []string{"Apps", "Owner", "TSID"}) {
			t.Errorf("started %+v", started)
		}
		if m.Facts["OSVersion"] != "FullOS" || m.Facts["MacAddress"] != "02:00:00:00:00:01" {
			t.Errorf("facts %v", m.Facts)
		}
		if slices.ContainsFunc(m.Logs, func(l wire.LogLine) bool { return l.Text == "hello Kim" }) == false {
			t.Errorf("log %v", m.Logs)
		}
	})
}

func TestFallsThroughToThePasscode(t *testing.T) {
	m := newMachine(t, map[string]any{"TSID": "s1", "passcode": "correct horse"})
	m.Do(func() { m.Certificate = "another computer" })
	m.runs(ExitSucceeded, "Signing in with this computer's certificate", "Signing in with the passcode of the configuration", "Succeeded")
	m.signedIn("slipway agent")
	m.has("state", false)
}

func TestRefused(t *testing.T) {
	m := newMachine(t, map[string]any{"TSID": "s1", "Passcode": "wrong horse"})
	m.Do(func() { m.Certificate = "another computer" })
	p := m.begin()
	m.ends(p, ExitRefused, "Passcode not accepted")
	if strings.Contains(p.out.String()+p.errs.String(), "wrong horse") {
		t.Error("the passcode is in the output")
	}
	m.has("state", false)
	m.configure(map[string]any{"Certificate": map[string]any{"File": "device.pem"}})
	m.runs(ExitRefused, "Certificate not accepted", "give it as the variable Passcode")
	m.signedIn()
}

func TestAFailedSequence(t *testing.T) {
	m := newMachine(t, map[string]any{"TSID": "s1"})
	m.sequence(run("Break", "exit 3"))
	m.runs(ExitFailed, `Failed: step "Break": the command ended with exit code 3`)
	m.has("state", false)
	m.has("service", false)
}

func TestNothingToRun(t *testing.T) {
	m := newMachine(t, map[string]any{})
	m.runs(ExitUsage, "set the variable TSID")
	m.has("state", false)
}

func TestFinishActionIsDoneAfterTheWipe(t *testing.T) {
	for action, want := range map[string]string{"reboot": "restart", "shutdown": "off", "none": "", "Reseal": "reseal"} {
		m := newMachine(t, map[string]any{"TSID": "s1", "FinishAction": action})
		m.runs(ExitSucceeded, "Succeeded")
		if got, _ := os.ReadFile(filepath.Join(m.dir, "power")); string(got) != want {
			t.Errorf("%s: %q", action, got)
		}
		m.has("state", false)
	}
}

// Windows PE on the disk is taken back as soon as the installed system runs: a deployment
// that came back from there goes on without it, one that never got there ends.
func TestWindowsPEOnTheDiskIsTakenBackAtTheStart(t *testing.T) {
	for target, code := range map[string]int{"disk": ExitSucceeded, "image": ExitFailed} {
		m := newMachine(t, map[string]any{"TSID": "s1"})
		staged := filepath.Join(m.dir, "winpe")
		if err := os.WriteFile(filepath.Join(m.dir, "windows"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		m.sequence(run("Before", "true"), reboot(target), run("After", "! test -e "+staged))
		m.Do(func() { m.WinPE = wire.WinPEImage{Format: wire.WinPEFormat, Image: "fedc"} })
		m.runs(ExitRestart, "The computer restarts")
		if err := os.WriteFile(staged, []byte("d1"), 0o600); err != nil {
			t.Fatal(err)
		}
		m.runs(code, "taken back")
		m.has("winpe", false)
		m.has("state", false)
		m.has("service", false)
		m.Do(func() {
			if got := strings.Join(m.Ended, ""); (target == "image") != strings.HasPrefix(got, "failed: Windows PE did not start") {
				t.Errorf("from the %s: it ended %q", target, got)
			}
		})
	}
}

// A restart of the machine: the same token, finished steps are not run again, and
// the service is there only in between.
func TestGoesOnAfterARestart(t *testing.T) {
	m := newMachine(t, map[string]any{"TSID": "s1"})
	count := filepath.Join(m.dir, "count")
	m.sequence(run("Before", "echo x >> "+count), reboot("disk"), run("After", "echo y >> "+count))
	m.runs(ExitRestart, "The computer restarts, and the deployment goes on afterwards")
	m.has("power", true)
	service, err := os.ReadFile(filepath.Join(m.dir, "service"))
	if err != nil || !strings.Contains(string(service), "start --unattended --config "+filepath.Join(m.dir, "agent.json")) {
		t.Errorf("service %q, %v", service, err)
	}
	for _, name := range []string{"token.json", "deployment"} {
		if info, err := os.Stat(filepath.Join(m.dir, "state", name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	m.Do(func() {
		if m.Deployment.WaitsFor != "disk" {
			t.Errorf("it waits for %q", m.Deployment.WaitsFor)
		}
	})
	m.runs(ExitSucceeded, "Step 3 of 3: After", "Succeeded")
	m.signedIn(deviceName)
	m.has("state", false)
	m.has("service", false)
	if text, _ := os.ReadFile(count); string(text) != "x\ny\n" {
		t.Errorf("the steps ran: %q", text)
	}
}

func TestTheBootImagesTurn(t *testing.T) {
	m := newMachine(t, map[string]any{"TSID": "s1"})
	m.sequence(reboot("image"), run("After", "true"))
	m.runs(ExitRestart, "the deployment goes on in the boot image")
	m.runs(ExitRestart, "this deployment goes on in the boot image: start this computer from the network")
	m.Do(func() {
		if m.Deployment.WaitsFor != "image" {
			t.Errorf("it waits for %q", m.Deployment.WaitsFor)
		}
	})
	m.has("service", true)
}

func TestGoesOnAfterAKill(t *testing.T) {
	m := newMachine(t, map[string]any{"TSID": "s1"})
	mark := filepath.Join(m.dir, "mark")
	hang := run("Hang", "echo x >> "+mark+"; sleep 600")
	hang.ContinueOnError = true
	m.sequence(hang, run("After", "true"))
	p := m.begin()
	deadline := time.Now().Add(2 * time.Minute)
	for _, err := os.Stat(mark); err != nil; _, err = os.Stat(mark) {
		if time.Now().After(deadline) {
			t.Fatal("the step never began")
		}
		time.Sleep(10 * time.Millisecond)
	}
	m.runs(ExitUsage, "the agent runs here already (process ")
	if err := p.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait()
	m.has("state/token.json", true)
	m.has("service", true)
	m.runs(ExitSucceeded, "nobody is there to say whether it may run again", "Step 2 of 2: After: succeeded", "Succeeded; 1 of the steps failed")
	m.signedIn(deviceName)
	m.has("state", false)
	if text, _ := os.ReadFile(mark); string(text) != "x\n" {
		t.Errorf("the step ran again: %q", text)
	}
}

// What was cancelled while the machine was off is over, and not begun anew, even
// though its token is not good any more.
func TestCancelledMeanwhile(t *testing.T) {
	m := newMachine(t, map[string]any{"TSID": "s1"})
	m.sequence(reboot("disk"), run("After", "true"))
	m.runs(ExitRestart)
	m.Revoke()
	m.Do(func() { m.Deployment.Status, m.Deployment.Message = "cancelled", "Given up in the console." })
	m.runs(ExitFailed, "Cancelled: Given up in the console.")
	m.signedIn(deviceName, deviceName)
	m.Do(func() {
		if len(m.Started) != 1 {
			t.Errorf("%d deployments were begun", len(m.Started))
		}
	})
	m.has("state", false)
	m.has("service", false)
}

func TestTheRecordIsGone(t *testing.T) {
	m := newMachine(t, map[string]any{"TSID": "s1"})
	m.sequence(reboot("disk"), run("After", "true"))
	m.runs(ExitRestart)
	m.Do(func() {
		m.Answer = func(r *http.Request) *wire.Problem {
			if strings.HasSuffix(r.URL.Path, "/deployments/d1") {
				return &wire.Problem{Title: "Not Found", Status: http.StatusNotFound}
			}
			return nil
		}
	})
	m.runs(ExitFailed, "does not know the unfinished deployment any more")
	m.has("state", false)
}

func TestAWrongClock(t *testing.T) {
	m := newMachine(t, map[string]any{"TSID": "s1"})
	m.clock = -30 * time.Minute
	m.runs(ExitSucceeded, "Warning: the clock of this computer is ", " behind the appliance's")
	m.clock = 30 * 24 * time.Hour
	m.runs(ExitStopped, "the clock of this computer is wrong: it says")
}

// Without a network it says so, goes on waiting, and leaves nothing when it is ended.
func TestNoNetwork(t *testing.T) {
	t.Parallel()
	m := newMachine(t, map[string]any{"TSID": "s1"})
	p := m.begin("SLIPWAY_TEST_UNPLUGGED=1")
	deadline := time.Now().Add(3 * time.Minute)
	for !strings.Contains(p.out.String(), "No network: No adapter of this system has an address") {
		if time.Now().After(deadline) {
			t.Fatalf("it never said so: %s", p.out.String())
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.ends(p, ExitStopped, "ended from outside", "eth0 (02:00:00:00:00:01): no link")
	m.has("state", false)
}

func TestAForeignAppliance(t *testing.T) {
	m, other := newMachine(t, map[string]any{"TSID": "s1"}), newMachine(t, map[string]any{})
	m.Appliance.CA = other.Appliance.CA
	m.configure(map[string]any{})
	m.runs(ExitStopped, "is not the appliance of the configuration")
	m.Do(func() {
		for _, r := range m.Requests {
			if r != "GET /healthz" {
				t.Errorf("it was asked %s", r)
			}
		}
	})
}

func TestConfigurationMistakes(t *testing.T) {
	m := newMachine(t, map[string]any{})
	m.write("agent.json", []byte(`{"Sever": "x"}`))
	m.runs(ExitUsage, "agent.json: Sever is not known\n")
	m.configure(map[string]any{"Certificate": map[string]any{"File": "none.pem"}})
	m.runs(ExitUsage, "none.pem is not there")
	m.has("state", false)
}
