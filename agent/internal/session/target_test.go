package session

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"slipway/agent/internal/boot"
	"slipway/agent/internal/client"
	"slipway/agent/internal/runner"
	"slipway/tasksequence"
)

// fakeDisk is a disk that outlives the device it stands in. There is a file system on
// it once formatted is true.
type fakeDisk struct {
	dir       string
	formatted atomic.Bool
	placed    atomic.Pointer[string]
}

func (f *fakeDisk) Root() string {
	if f.formatted.Load() {
		return f.dir
	}
	return ""
}

func (f *fakeDisk) Save(state, root, deployment string) error {
	for _, name := range []string{tokenFile, identityFile} {
		text, err := os.ReadFile(filepath.Join(state, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(root, name), text, 0o600); err != nil {
			return err
		}
	}
	if text, err := os.ReadFile(filepath.Join(state, reportsFile)); err == nil {
		if err := os.WriteFile(filepath.Join(root, reportsFile), text, 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(root, "deployment"), []byte(deployment), 0o600)
}

func (f *fakeDisk) Wipe(root string) error {
	var errs []error
	for _, name := range []string{tokenFile, identityFile, "deployment"} {
		errs = append(errs, os.Remove(filepath.Join(root, name)))
	}
	if err := os.Remove(filepath.Join(root, reportsFile)); !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (f *fakeDisk) Recover(_ context.Context, state string) string {
	for _, name := range []string{tokenFile, identityFile} {
		text, err := os.ReadFile(filepath.Join(f.dir, name))
		if err != nil {
			return ""
		}
		if err := os.WriteFile(filepath.Join(state, name), text, 0o600); err != nil {
			return ""
		}
	}
	text, _ := os.ReadFile(filepath.Join(f.dir, "deployment"))
	return string(text)
}

func (f *fakeDisk) Place(_, server, _ string) error {
	f.placed.Store(&server)
	return nil
}

// withDisk gives the device a key of its own, as every start makes one, and the disk.
func (d *device) withDisk(disk *fakeDisk) *device {
	d.t.Helper()
	identity, err := client.KeepIdentity(filepath.Join(d.session.StateDir, identityFile))
	if err != nil {
		d.t.Fatal(err)
	}
	d.session.Identity, d.session.Target = identity, disk
	return d
}

// again is the same machine, started anew with an empty memory.
func (d *device) again() *device {
	next := newDevice(d.t)
	next.session.Image.Authorities = append(next.session.Image.Authorities[:0], d.appliance.CA)
	next.session.Args.Server = d.appliance.Address
	next.appliance = d.appliance
	return next
}

func twoSteps(second string) tasksequence.Document {
	step := func(id, command string) tasksequence.Node {
		text, _ := json.Marshal(command)
		return tasksequence.Node{ID: id, Name: id, Definition: tasksequence.RunCommandLine, DefinitionVersion: 1,
			Settings: map[string]json.RawMessage{"Command": text, "AfterInterruption": json.RawMessage(`"run-again"`)}}
	}
	return tasksequence.Document{Format: 1, Sequence: tasksequence.Sequence{Format: 1, Name: "Hello", Steps: []tasksequence.Node{step("format", "true"), step("second", second)}}}
}

// powerLoss deploys a device up to its second step, when the disk holds the sign-in, and
// pulls the plug. That step says "through" when it runs again.
func powerLoss(t *testing.T, disk *fakeDisk) *device {
	t.Helper()
	gate := filepath.Join(t.TempDir(), "go")
	d := newDevice(t).withDisk(disk)
	d.appliance.Document = twoSteps("echo waiting; until [ -e " + gate + " ]; do sleep 0.05; done; echo through")
	disk.formatted.Store(true)
	d.powerOn()
	d.sees("Passcode")
	d.types("correct horse\r")
	d.sees("Choose a task sequence")
	d.types("1")
	d.sees("waiting")
	d.stop() // the plug
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

// Power is lost in the second step, when the disk holds the sign-in: nobody is asked
// again, the first step does not run again, and nothing is left at the end.
func TestPowerLossWithTheStateOnTheDisk(t *testing.T) {
	disk := &fakeDisk{dir: t.TempDir()}
	d := powerLoss(t, disk)
	next := d.again().withDisk(disk)
	next.powerOn()
	next.sees("through") // without a passcode: nobody types one here
	next.sees("Succeeded")
	entries, err := os.ReadDir(disk.dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("left on the disk: %v, %v", entries, err)
	}
}

// Where the appliance says that the state is on a disk, one that shows itself late is
// waited for, as those behind a SAS controller do; one that does not come is not waited
// for for ever, and nobody has to.
func TestPowerLossWithTheStateOnASlowDisk(t *testing.T) {
	disk := &fakeDisk{dir: t.TempDir()}
	d := powerLoss(t, disk)

	away := disk.dir + ".away"
	if err := os.Rename(disk.dir, away); err != nil {
		t.Fatal(err)
	}
	next := d.again().withDisk(disk)
	next.session.Args.Resume, next.session.Machine.DiskPatience = true, time.Second/2
	next.powerOn()
	next.sees("Waiting for the disk")
	next.sees("Passcode") // it did not come
	next.stop()

	next = d.again().withDisk(disk)
	next.session.Args.Resume, next.session.Machine.DiskPatience = true, 10*time.Minute
	next.powerOn()
	next.sees("Waiting for the disk")
	next.types("\r")
	next.sees("Passcode")
	next.stop()

	next = d.again().withDisk(disk)
	next.session.Args.Resume, next.session.Machine.DiskPatience = true, 10*time.Second
	next.powerOn()
	next.sees("Waiting for the disk")
	if err := os.Rename(away, disk.dir); err != nil {
		t.Fatal(err)
	}
	next.sees("through") // without a passcode
	next.sees("Succeeded")
}

// Before there is a file system, a power loss means signing in again.
func TestPowerLossBeforeTheDiskHoldsTheState(t *testing.T) {
	disk := &fakeDisk{dir: t.TempDir()}
	gate := filepath.Join(t.TempDir(), "go")
	d := newDevice(t).withDisk(disk)
	d.appliance.Document = twoSteps("echo waiting; until [ -e " + gate + " ]; do sleep 0.05; done; echo through")
	d.powerOn()
	d.sees("Passcode")
	d.types("correct horse\r")
	d.sees("Choose a task sequence")
	d.types("1")
	d.sees("waiting")
	d.stop()

	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d.appliance.Do(func() {
		d.appliance.Sequences.Unfinished, d.appliance.Sequences.UnfinishedName = "d1", "Hello"
	})
	next := d.again().withDisk(disk)
	next.powerOn()
	next.sees("Passcode")
	next.types("correct horse\r")
	next.sees("Continue the unfinished deployment?")
	next.types("1")
	next.sees("Succeeded")
}

// A volume that is mounted only while it is worked on, as that of a Windows from Linux:
// the agent is placed there, the newest sign-in goes there before the restart and leaves
// the place where the boot image kept it, and an end before the restart removes it.
func TestAVolumeTakesOver(t *testing.T) {
	disk := &fakeDisk{dir: t.TempDir()}
	disk.formatted.Store(true)
	volume, state := t.TempDir(), t.TempDir()
	token := func(text string) {
		for _, name := range []string{tokenFile, identityFile} {
			if err := os.WriteFile(filepath.Join(state, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	holds := func(what, dir, want string) {
		t.Helper()
		if text, _ := os.ReadFile(filepath.Join(dir, tokenFile)); string(text) != want {
			t.Errorf("%s: %s holds %q, want %q", what, dir, text, want)
		}
	}
	mounted, gone := 0, false
	open := func(context.Context) (string, func() error, error) {
		if gone {
			return "", nil, errors.New("the disk was taken out")
		}
		mounted++
		return volume, func() error { mounted--; return nil }, nil
	}
	s := &Session{Target: disk, StateDir: state, Log: slog.New(slog.DiscardHandler)}
	token("first")
	s.save("d1")
	if err := (placer{s: s, server: "192.0.2.1:8443", deployment: "d1"}).PlaceOn(t.Context(), "", open); err != nil {
		t.Fatal(err)
	}
	if disk.placed.Load() == nil {
		t.Error("the agent was not placed")
	}
	holds("placed", volume, "first")
	token("second")
	s.save("d1")
	holds("between", disk.dir, "second")
	s.handOver(t.Context(), "d1")
	holds("handed over", volume, "second")
	holds("handed over", disk.dir, "")

	s.save("d1") // as when the deployment ends otherwise
	gone = true
	s.handOver(t.Context(), "d1")
	holds("the volume is gone", disk.dir, "second")
	gone = false
	s.unsave()
	holds("ended", disk.dir, "")
	holds("ended", volume, "")
	if mounted != 0 {
		t.Errorf("mounted %d times too often", mounted)
	}
}

// A restart that the appliance has recorded is not on the disk any more: the boot image
// that comes next would restart once more.
func TestARecordedRestartIsNotKeptOnTheDisk(t *testing.T) {
	disk := &fakeDisk{dir: t.TempDir()}
	disk.formatted.Store(true)
	d := newDevice(t).withDisk(disk)
	d.appliance.Document = twoSteps("true")
	d.appliance.Document.Sequence.Steps[1] = tasksequence.Node{ID: "reboot", Name: "Reboot", Definition: tasksequence.Reboot, DefinitionVersion: 1,
		Settings: map[string]json.RawMessage{"RebootRequested": json.RawMessage(`"image"`)}}
	d.powerOn()
	d.sees("Passcode")
	d.types("correct horse\r")
	d.sees("Choose a task sequence")
	d.types("1")
	d.ends(boot.Restart)
	kept, err := (runner.JournalFile{Path: filepath.Join(disk.dir, reportsFile)}).Kept()
	if err != nil || kept.Deployment != "d1" || len(kept.Events) > 0 {
		t.Errorf("on the disk: %+v, %v", kept, err)
	}
}
