package session

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/internal/bootstage"
	"slipway/agent/internal/client"
	"slipway/agent/wire"
)

// fakeStage is a disk onto which Windows PE is put.
type fakeStage struct {
	put, undone int
	err         error
}

func (f *fakeStage) Put(_ context.Context, deployment string, image wire.WinPEImage, _ bootstage.Fetch, _ bootstage.Log) error {
	f.put++
	if deployment != "d1" || image.Image == "" {
		return errors.New("another deployment, or no image")
	}
	return f.err
}

func (f *fakeStage) Undo(context.Context, bootstage.Log) error {
	f.undone++
	return nil
}

// A deployment whose sign-in is the machine's certificate goes on in Windows PE, where
// nobody can read that certificate: what lies on the disk is a sign-in of the agent's own
// key, and nobody is asked.
func TestASignInByCertificateIsHandedToWindowsPE(t *testing.T) {
	d := newDevice(t).withDisk(&fakeDisk{dir: t.TempDir()})
	d.session.Target = nil
	d.session.Certificate, d.session.Environment = machineCertificate(t, "pc1", true), wire.FullOS
	d.appliance.Certificate, d.appliance.Mechanisms.Mechanisms = "pc1", []string{"certificate"}
	document, err := json.Marshal(twoSteps("true"))
	if err != nil {
		t.Fatal(err)
	}
	d.appliance.Deployment = wire.Deployment{ID: "d1", Status: "running", Epoch: 1, Document: document, Name: "Hello", StepCount: 2}
	c := client.New(client.Options{Address: d.appliance.Address, Installation: d.session.Image.Installation, Roots: d.appliance.Pool(), Identity: d.session.Identity})
	t.Cleanup(c.Close)
	c.Identify(*d.session.Certificate)
	if err := c.SignInCertificate(t.Context(), wire.SignIn{Environment: wire.FullOS}); err != nil {
		t.Fatal(err)
	}
	d.session.remember(c, "d1")
	stage := &fakeStage{}
	d.session.Stage = stage
	pe := winPE{s: d.session, api: c, deployment: "d1", face: newFace(d.session.Display, d.appliance.Deployment, d.session.Now)}
	log := func(string, string) {}
	if _, err := pe.Stage(t.Context(), func(int, string) {}, log); err == nil || !strings.Contains(err.Error(), "No Windows PE image for") || stage.put != 0 {
		t.Errorf("without an image: %v, %d", err, stage.put)
	}
	d.appliance.Do(func() { d.appliance.WinPE = wire.WinPEImage{Format: 2, Image: "fedc"} })
	if _, err := pe.Stage(t.Context(), func(int, string) {}, log); err == nil || stage.put != 0 {
		t.Errorf("of a newer format: %v, %d", err, stage.put)
	}
	d.appliance.Do(func() { d.appliance.WinPE = wire.WinPEImage{Format: 1, Image: "fedc"} })
	image, err := pe.Stage(t.Context(), func(int, string) {}, log)
	if err != nil || image != "fedc" || stage.put != 1 || stage.undone != 0 {
		t.Fatalf("%q, %v, %+v", image, err, stage)
	}
	d.session.remember(c, "d1") // a renewal meanwhile
	text, err := os.ReadFile(filepath.Join(d.session.StateDir, tokenFile))
	if err != nil || strings.Contains(string(text), c.Token().Token) || !strings.Contains(string(text), client.Binding(d.session.Identity)) {
		t.Errorf("on the disk: %s, %v", text, err)
	}

	next := d.again()
	next.session.StateDir, next.session.Environment = d.session.StateDir, wire.WinPE
	identity, err := client.KeepIdentity(filepath.Join(d.session.StateDir, identityFile))
	if err != nil {
		t.Fatal(err)
	}
	next.session.Identity = identity
	fresh := &fakeDisk{dir: t.TempDir()}
	next.session.Target = fresh
	calls := 0
	next.appliance.Do(func() { calls = len(next.appliance.Requests) })
	next.powerOn()
	next.sees("Succeeded")
	next.appliance.Do(func() {
		for _, r := range next.appliance.Requests[calls:] {
			if strings.Contains(r, "/auth/") {
				t.Errorf("it signs in again: %s", r)
			}
		}
	})
}

// The Windows of a computer that was to start Windows PE runs again: the deployment ends,
// and what was kept of it is wiped.
func TestAWindowsThatComesBackEndsItsDeployment(t *testing.T) {
	for _, c := range []struct {
		returned              bool
		waitsFor, environment string
		want, told            string
	}{
		{true, "image", wire.FullOS, "Windows started instead", "Windows PE did not start"},
		{false, "image", wire.FullOS, "from the network", ""},
		{true, "", wire.WinPE, "Windows started instead", "The computer was restarted, or lost power, while Windows PE was at work"},
	} {
		d, returned := newDevice(t), c.returned
		d.session.Environment, d.session.Unattended, d.session.Passcode = wire.FullOS, true, "correct horse"
		d.session.Unfinished, d.session.Returned = "d1", returned
		d.appliance.Deployment = wire.Deployment{ID: "d1", Status: "running", Epoch: 1, Kept: 4, WaitsFor: c.waitsFor, Environment: c.environment}
		d.powerOn()
		if returned {
			d.fails(ErrReturned, c.want)
		} else {
			d.fails(ErrElsewhere, c.want)
		}
		d.appliance.Do(func() {
			if got := strings.Join(d.appliance.Ended, ""); c.told == "" && got != "" || !strings.HasPrefix(strings.TrimPrefix(got, "failed: "), c.told) {
				t.Errorf("%+v: it ended %q", c, got)
			}
		})
		if _, err := os.Stat(filepath.Join(d.session.StateDir, tokenFile)); (err == nil) == returned {
			t.Errorf("returned %t: the sign-in: %v", returned, err)
		}
	}
}
