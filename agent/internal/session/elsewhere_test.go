package session

import (
	"path/filepath"
	"testing"

	"slipway/agent/internal/boot"
	"slipway/agent/internal/client"
	"slipway/agent/internal/runner"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// signedInBefore keeps a sign-in for the deployment, as an earlier start did, and lets
// its second step be one for the installed system.
func (d *device) signedInBefore() {
	d.t.Helper()
	d.appliance.Document = twoSteps("true")
	d.appliance.Document.Sequence.Steps[1].Environments = []string{tasksequence.FullOS}
	c := client.New(client.Options{Address: d.appliance.Address, Installation: d.session.Image.Installation, Roots: d.appliance.Pool(), Identity: d.session.Identity})
	d.t.Cleanup(c.Close)
	if err := c.SignIn(d.t.Context(), wire.PasscodeSignIn{Passcode: d.appliance.Passcode}); err != nil {
		d.t.Fatal(err)
	}
	started, err := c.Start(d.t.Context(), wire.StartDeployment{})
	if err != nil {
		d.t.Fatal(err)
	}
	d.session.remember(c, started.ID)
}

// The boot image is started, by a medium that comes first in the boot order, while the
// deployment belongs to the disk: it does not take it, and says what to do.
func TestABootImageLeavesWhatBelongsToTheDisk(t *testing.T) {
	for name, record := range map[string]wire.Deployment{
		"it waits for the disk":              {WaitsFor: "disk", Environment: wire.LinuxPE},
		"power was lost in the installed OS": {Environment: wire.FullOS},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDevice(t)
			d.signedInBefore()
			d.appliance.Do(func() {
				d.appliance.Deployment.WaitsFor, d.appliance.Deployment.Environment = record.WaitsFor, record.Environment
			})
			d.powerOn()
			d.sees("goes on from the computer's disk")
			d.types("1")
			d.ends(boot.Restart)
			d.appliance.Do(func() {
				if now := d.appliance.Deployment; now.WaitsFor != record.WaitsFor || len(d.appliance.Ended) > 0 || now.Epoch != 1 {
					t.Errorf("the deployment was touched: %+v, ended %q", now, d.appliance.Ended)
				}
			})
		})
	}
}

// The installed system does not start: a person lets the deployment go on here.
func TestAPersonLetsTheBootImageGoOn(t *testing.T) {
	d := newDevice(t)
	d.signedInBefore()
	d.appliance.Do(func() { d.appliance.Deployment.WaitsFor = "disk" })
	d.powerOn()
	d.sees("goes on from the computer's disk")
	d.types("2")
	d.sees("Succeeded")
}

// What the boot image goes on with by itself.
func TestWhatABootImageTakes(t *testing.T) {
	for name, c := range map[string]struct {
		record  wire.Deployment
		restart string // in the journal
		disk    bool
	}{
		"power was lost in it":            {record: wire.Deployment{Environment: wire.LinuxPE}},
		"power was lost in Windows PE":    {record: wire.Deployment{Environment: wire.WinPE}},
		"an older appliance":              {record: wire.Deployment{}},
		"it waits for the image":          {record: wire.Deployment{WaitsFor: "image", Environment: wire.FullOS}},
		"it ended in the installed OS":    {record: wire.Deployment{Status: runner.Failed, Environment: wire.FullOS}},
		"the restart was not recorded":    {record: wire.Deployment{Environment: wire.FullOS}, restart: "image"},
		"a restart to the disk was not":   {record: wire.Deployment{Environment: wire.FullOS}, restart: "disk", disk: true},
		"it waits for the disk":           {record: wire.Deployment{WaitsFor: "disk", Environment: wire.WinPE}, disk: true},
		"it was at work in the installed": {record: wire.Deployment{Environment: wire.FullOS}, disk: true},
	} {
		s := &Session{StateDir: t.TempDir()}
		c.record.ID = "d1"
		if c.restart != "" {
			e := runner.Entries{Deployment: "d1", Epoch: 1, Events: []wire.Event{{Kind: wire.EventRebooting, Target: c.restart}}}
			if err := (runner.JournalFile{Path: filepath.Join(s.StateDir, reportsFile)}).Keep(e); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.belongsToDisk(c.record); got != c.disk {
			t.Errorf("%s: it belongs to the disk: %t", name, got)
		}
	}
}
