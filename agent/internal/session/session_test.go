package session

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/agent/internal/appliancetest"
	"slipway/agent/internal/boot"
	"slipway/agent/internal/client"
	"slipway/agent/internal/facts"
	"slipway/agent/internal/network"
	"slipway/agent/internal/screen"
	"slipway/agent/internal/steps"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// nics is a fake network.
type nics struct {
	mu   sync.Mutex
	list []network.Adapter
}

func (n *nics) Adapters() []network.Adapter {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]network.Adapter(nil), n.list...)
}

func leased() network.Adapter {
	return network.Adapter{Name: "eth0", MAC: net.HardwareAddr{0x52, 0x54, 0, 0x12, 0x34, 0x56}, State: network.Leased,
		Lease: network.Lease{Address: netip.MustParsePrefix("192.0.2.50/24")}}
}

// device is a whole device: its session, and the far end of its serial console.
type device struct {
	t         *testing.T
	appliance *appliancetest.Appliance
	session   *Session
	net       *nics
	changed   chan struct{}
	console   net.Conn
	mu        sync.Mutex
	seen      strings.Builder
	ended     chan boot.Way
	failed    chan error
	stop      context.CancelFunc
}

func newDevice(t *testing.T) *device {
	t.Helper()
	a, err := appliancetest.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	command, _ := json.Marshal("echo said on $SLIPWAY_MODEL")
	a.Document = tasksequence.Document{Format: 1, Sequence: tasksequence.Sequence{Format: 1, Name: "Hello", Steps: []tasksequence.Node{{ID: "x", Name: "Say it",
		Definition: tasksequence.RunCommandLine, DefinitionVersion: 1, Settings: map[string]json.RawMessage{"Command": command}}}}}
	a.Sequences = wire.TaskSequences{TaskSequences: []wire.TaskSequence{{ID: "s1", Version: 3, Name: "Hello"}, {ID: "s2", Version: 1, Name: "Other"}}}
	identity, err := client.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	d := &device{t: t, appliance: a, net: &nics{list: []network.Adapter{leased()}}, changed: make(chan struct{}, 1), console: far, ended: make(chan boot.Way, 1), failed: make(chan error, 1)}
	go d.watch()
	terminal := screen.NewTerminal("ttyS0", true, near, func() (int, int) { return 80, 24 })
	display := screen.NewDisplay(screen.Options{}, screen.NewNotice("Starting", "Looking", screen.Calm), screen.Facts{}, terminal)
	settled := make(chan struct{})
	close(settled)
	d.session = &Session{Display: display, Network: d.net, Changed: d.changed, Settled: settled,
		Hardware: func() []string { return []string{"8086:15bc: this boot image has no driver for it"} }, Rescan: func() {},
		Image:    boot.Image{ID: "0123456789abcdef", Installation: appliancetest.Installation, Authorities: nil},
		Args:     boot.Args{Server: a.Address},
		Facts:    facts.Facts{"Model": "9000", "UUID": "6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
		Identity: identity, Version: "test", Now: time.Now, SetClock: func(time.Time) error { return nil }, Keyboard: func(string) {},
		Machine:  steps.Machine{Exec: localExec, Files: steps.LocalFiles{Dir: t.TempDir()}},
		StateDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
	d.session.Image.Authorities = append(d.session.Image.Authorities, a.CA)
	return d
}

func (d *device) watch() {
	buf := make([]byte, 4096)
	for {
		n, err := d.console.Read(buf)
		d.mu.Lock()
		d.seen.Write(buf[:n])
		d.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// powerOn starts the session; it ends with the test.
func (d *device) powerOn() {
	ctx, cancel := context.WithCancel(context.Background())
	d.stop = cancel
	var parts sync.WaitGroup
	parts.Go(func() { d.session.Display.Run(ctx) })
	parts.Go(func() {
		way, err := d.session.Run(ctx)
		if err != nil {
			d.failed <- err
			return
		}
		d.ended <- way
	})
	d.t.Cleanup(func() {
		cancel()
		done := make(chan struct{})
		go func() { parts.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(time.Minute):
			d.t.Error("the session does not end")
		}
		d.console.Close()
	})
}

// sees waits for words on the screen and forgets what came before them.
func (d *device) sees(text string) {
	d.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		d.mu.Lock()
		all := d.seen.String()
		if _, rest, found := strings.Cut(all, text); found {
			d.seen.Reset()
			d.seen.WriteString(rest)
			d.mu.Unlock()
			return
		}
		d.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
	seen := d.seen.String()
	d.t.Fatalf("%q never came; the console ends with:\n%s", text, seen[max(0, len(seen)-3000):])
}

func (d *device) types(text string) {
	d.t.Helper()
	if _, err := io.WriteString(d.console, text); err != nil {
		d.t.Fatal(err)
	}
}

func (d *device) ends(want boot.Way) {
	d.t.Helper()
	select {
	case way := <-d.ended:
		if way != want {
			d.t.Errorf("ended with %v", way)
		}
	case <-time.After(time.Minute):
		d.t.Fatal("the session goes on")
	}
}

func TestTheWholeWay(t *testing.T) {
	d := newDevice(t)
	d.powerOn()
	d.sees("Passcode")
	d.types("wrong\r")
	d.sees("Passcode not accepted")
	d.appliance.Do(func() {
		d.appliance.RetryAfter = "5"
		d.appliance.Answer = func(r *http.Request) *wire.Problem {
			if strings.HasSuffix(r.URL.Path, "/auth/passcode") {
				d.appliance.Answer = nil
				return &wire.Problem{Title: "Too Many Requests", Status: 429}
			}
			return nil
		}
	})
	before := time.Now()
	d.types("wrong\r")
	d.sees("Too many attempts: wait ") // it counts down
	d.sees("You can try again now.")
	if waited := time.Since(before); waited < 5*time.Second {
		t.Errorf("it waited %v", waited)
	}
	d.types("correct horse\r")
	d.sees("Choose a task sequence")
	d.types("1")
	d.sees("Step 1 of 1")
	d.sees("said on 9000")
	d.sees("Succeeded")
	d.appliance.Do(func() {
		if d.appliance.Deployment.Status != "succeeded" {
			t.Errorf("shown before the appliance kept it: %q", d.appliance.Deployment.Status)
		}
	})
	d.types("\r")
	d.ends(boot.Restart)
	if d.appliance.Facts["Model"] != "9000" || d.appliance.Facts["IPAddress"] != "192.0.2.50" {
		t.Errorf("facts %v", d.appliance.Facts)
	}
}

func TestAssignedSequenceIsNotAskedFor(t *testing.T) {
	d := newDevice(t)
	d.appliance.Sequences.Assigned = "s1:3"
	d.powerOn()
	d.sees("Passcode")
	d.types("correct horse\r")
	d.sees("Succeeded")
}

func TestUnfinishedDeployment(t *testing.T) {
	for _, tt := range []struct{ waits, key string }{{"", "1"}, {"image", ""}} {
		d := newDevice(t)
		text, _ := json.Marshal(d.appliance.Document)
		d.appliance.Deployment = wire.Deployment{ID: "d7", Status: "running", Epoch: 4, Document: text, Name: "Hello", StepCount: 1, WaitsFor: tt.waits}
		d.appliance.Sequences.Unfinished, d.appliance.Sequences.UnfinishedName = "d7", "Hello"
		d.powerOn()
		d.sees("Passcode")
		d.types("correct horse\r")
		if tt.key != "" {
			d.sees("Continue the unfinished deployment?")
			d.types(tt.key)
		}
		d.sees("Succeeded")
		d.appliance.Do(func() {
			if d.appliance.Deployment.Epoch != 5 {
				t.Errorf("epoch %d", d.appliance.Deployment.Epoch)
			}
		})
	}
}

func TestUnfinishedDeploymentIsGivenUp(t *testing.T) {
	d := newDevice(t)
	text, _ := json.Marshal(d.appliance.Document)
	d.appliance.Deployment = wire.Deployment{ID: "d7", Status: "running", Epoch: 4, Kept: 3, Document: text, Name: "Hello", StepCount: 1}
	d.appliance.Sequences.Unfinished, d.appliance.Sequences.UnfinishedName = "d7", "Hello"
	d.powerOn()
	d.sees("Passcode")
	d.types("correct horse\r")
	d.sees("Continue the unfinished deployment?")
	d.types("2")
	d.sees("Choose a task sequence")
	d.types("1")
	d.sees("Succeeded")
	d.appliance.Do(func() {
		if want := []string{"cancelled: Given up at the device.", "succeeded: "}; !slices.Equal(d.appliance.Ended, want) {
			t.Errorf("deployments ended %q", d.appliance.Ended)
		}
	})
}

func TestNoAdapterThenOne(t *testing.T) {
	d := newDevice(t)
	d.net.list = nil
	d.powerOn()
	d.sees("No network adapter found")
	d.sees("8086:15bc: this boot image has no driver for it")
	d.net.mu.Lock()
	d.net.list = []network.Adapter{leased()}
	d.net.mu.Unlock()
	d.changed <- struct{}{}
	d.sees("Passcode")
}

func TestNoAnswerThenATypedAddress(t *testing.T) {
	d := newDevice(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	d.session.Args.Server = closed.Addr().String()
	d.powerOn()
	d.sees("No answer from the appliance")
	d.sees(closed.Addr().String() + " (boot loader): connection refused")
	d.types("\x05") // Ctrl-E
	d.sees("Type the appliance's address")
	d.types("not an address\r")
	d.sees("this is not an address")
	d.types("\x15" + d.appliance.Address + "\r")
	d.sees("Passcode")
	if d.session.kept("address") != d.appliance.Address {
		t.Error("the typed address does not outlive a crash")
	}
}

func TestWrongApplianceIsSaidPlainly(t *testing.T) {
	d, other := newDevice(t), newDevice(t)
	d.session.Args.Server = other.appliance.Address
	d.powerOn()
	d.sees("This is not the appliance that this boot image belongs to")
	d.sees("No answer from the appliance that built this boot image")
}

func TestOldImageIsTold(t *testing.T) {
	d := newDevice(t)
	d.appliance.Answer = func(r *http.Request) *wire.Problem {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			return &wire.Problem{Title: "Upgrade Required", Status: http.StatusUpgradeRequired}
		}
		return nil
	}
	d.powerOn()
	d.sees("This boot image is too old for the appliance")
	d.sees("Build the boot image again")
}

func TestUnknownMechanisms(t *testing.T) {
	d := newDevice(t)
	d.appliance.Mechanisms.Mechanisms = []string{"signature"}
	d.powerOn()
	d.sees("This boot image cannot sign in here")
}

func TestPasscodeOfTheCommandLine(t *testing.T) {
	lab := newDevice(t)
	lab.session.Image.Lab = true
	lab.session.Args.Passcode = "correct horse"
	lab.powerOn()
	lab.sees("Choose a task sequence")

	d := newDevice(t)
	d.session.Args.Passcode = "correct horse"
	d.powerOn()
	d.sees("slipway.passcode= is ignored")
}

func TestRevokedTokenLeadsBackToTheChallenge(t *testing.T) {
	d := newDevice(t)
	d.powerOn()
	d.sees("Passcode")
	d.types("correct horse\r")
	d.sees("Choose a task sequence")
	d.appliance.Revoke()
	d.types("1")
	d.sees("Passcode")
	d.types("correct horse\r")
	d.sees("Choose a task sequence")
}

func TestACrashDoesNotAskForThePasscodeAgain(t *testing.T) {
	d := newDevice(t)
	d.powerOn()
	d.sees("Passcode")
	d.types("correct horse\r")
	d.sees("Choose a task sequence")
	again := newDevice(t)
	again.session.StateDir, again.session.Image, again.session.Args, again.session.Identity = d.session.StateDir, d.session.Image, d.session.Args, d.session.Identity
	again.powerOn()
	again.sees("Choose a task sequence")
}

func TestClockIsSetFromTheFirstAnswer(t *testing.T) {
	d := newDevice(t)
	var mu sync.Mutex
	offset := -20 * 365 * 24 * time.Hour
	d.session.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(offset) }
	d.session.SetClock = func(to time.Time) error { mu.Lock(); defer mu.Unlock(); offset = time.Until(to); return nil }
	d.powerOn()
	d.sees("Passcode")
	mu.Lock()
	defer mu.Unlock()
	if offset.Abs() > time.Minute {
		t.Errorf("the clock is off by %v", offset)
	}
}

func TestDamagedImage(t *testing.T) {
	d := newDevice(t)
	d.session.ImageErr = io.ErrUnexpectedEOF
	d.powerOn()
	d.sees("This boot image is damaged")
	d.types("\r")
	d.ends(boot.Restart)
}

// No link may be the cable, or what the adapter lacks: then both are said.
func TestNoLinkAndWhatIsMissing(t *testing.T) {
	d := newDevice(t)
	idle := leased()
	idle.State = network.NoLink
	for _, c := range []struct {
		hardware []string
		both     bool
	}{{nil, false}, {[]string{"8086:1209: driver e100 present, firmware missing: e100/d102e_ucode.bin"}, true}} {
		d.session.Hardware = func() []string { return c.hardware }
		var n screen.Notice
		d.session.describeOffline(&n, []network.Adapter{idle}, d.session.Now().Add(-time.Hour), d.session.Now())
		if n.Headline != "No network link" || !strings.Contains(n.Text, "Check the cable") || strings.Contains(n.Text, "firmware") != c.both {
			t.Errorf("%s: %s", n.Headline, n.Text)
		}
	}
}
