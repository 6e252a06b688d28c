package session

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/agent/internal/client"
	"slipway/agent/wire"
)

// TestTheSignInIsKeptAndWiped looks at the files of a running and an ended deployment.
func TestTheSignInIsKeptAndWiped(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	identity, err := client.KeepIdentity(filepath.Join(d.session.StateDir, identityFile))
	if err != nil {
		t.Fatal(err)
	}
	d.session.Identity = identity
	d.powerOn()
	d.sees("Passcode")
	d.types("correct horse\r")
	d.sees("Choose a task sequence")
	for _, name := range []string{tokenFile, identityFile} {
		info, err := os.Stat(filepath.Join(d.session.StateDir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	d.types("1")
	d.sees("Succeeded")
	files, err := os.ReadDir(d.session.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Errorf("%s is left after the deployment", f.Name())
	}
}

// TestTheTokenEndsWithItsDeployment starts again after a failure: the person signs in anew.
func TestTheTokenEndsWithItsDeployment(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	fail, _ := json.Marshal("exit 3")
	d.appliance.Document.Sequence.Steps[0].Settings["Command"] = fail
	d.powerOn()
	d.sees("Passcode")
	d.types("correct horse\r")
	d.sees("Choose a task sequence")
	d.types("1")
	d.sees("Start again")
	d.appliance.Do(func() {
		if len(d.appliance.Logs) == 0 {
			t.Error("the log's last lines are not there before the result is shown")
		}
	})
	d.types("\x14") // Ctrl-T
	d.sees("Passcode")
	d.types("correct horse\r")
	d.sees("Choose a task sequence")
	if kept, err := client.KeepIdentity(filepath.Join(d.session.StateDir, identityFile)); err != nil || client.Binding(kept) != client.Binding(d.session.Identity) {
		t.Errorf("the key of the new token is not kept: %v", err)
	}
}

// TestACrashGoesOnWithTheDeploymentOfItsToken takes up a token that reaches nothing but
// its own deployment.
func TestACrashGoesOnWithTheDeploymentOfItsToken(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	begun := filepath.Join(t.TempDir(), "begun")
	long, _ := json.Marshal("echo >" + begun + "; exec sleep 600")
	d.appliance.Document.Sequence.Steps[0].Settings["Command"] = long
	d.powerOn()
	d.sees("Passcode")
	d.types("correct horse\r")
	d.sees("Choose a task sequence")
	d.types("1")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) { // its name is on the screen before it begins
		if _, err := os.Stat(begun); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	d.stop()
	<-d.failed
	again := newDevice(t)
	again.session.StateDir, again.session.Image, again.session.Args, again.session.Identity = d.session.StateDir, d.session.Image, d.session.Args, d.session.Identity
	d.appliance.Do(func() {
		d.appliance.Answer = func(r *http.Request) *wire.Problem {
			if strings.HasSuffix(r.URL.Path, "/task-sequences") {
				return &wire.Problem{Status: http.StatusForbidden}
			}
			return nil
		}
	})
	again.powerOn()
	again.sees("was interrupted while it ran")
}
