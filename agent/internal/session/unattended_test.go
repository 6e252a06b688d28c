package session

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/internal/boot"
	"slipway/agent/wire"
)

// TestUnattended is told why it cannot go on, wherever a person would be asked.
func TestUnattended(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		offered []string
		set     func(*device)
		want    error
		words   []string
	}{
		{"no passcode", []string{"passcode"}, func(*device) {}, ErrRefused, []string{"passcode", "variable Passcode"}},
		{"a wrong passcode", []string{"passcode"}, func(d *device) { d.session.Passcode = "wrong" }, ErrRefused, []string{"Passcode not accepted"}},
		{"a passcode that is not allowed any more", []string{"passcode"}, func(d *device) {
			d.session.Passcode = "correct horse"
			d.appliance.Answer = func(r *http.Request) *wire.Problem {
				if strings.HasSuffix(r.URL.Path, "/auth/passcode") {
					return &wire.Problem{Status: http.StatusForbidden}
				}
				return nil
			}
		}, ErrRefused, []string{"does not allow the passcode"}},
		{"Entra ID only", []string{"entra"}, func(*device) {}, ErrRefused, []string{"Entra ID needs a person"}},
		{"a refused certificate", []string{"certificate", "entra"}, func(d *device) { d.session.Certificate = machineCertificate(d.t, "pc9", true) },
			ErrRefused, []string{"Certificate not accepted", "Entra ID needs a person"}},
		{"nothing to run", []string{"passcode"}, func(d *device) { d.session.Passcode = "correct horse" }, ErrUnattended, []string{"TSID"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t)
			d.session.Environment, d.session.Unattended = wire.FullOS, true
			d.offers(tt.offered...)
			tt.set(d)
			d.powerOn()
			d.fails(tt.want, tt.words...)
			if _, err := os.Stat(filepath.Join(d.session.StateDir, tokenFile)); err == nil {
				t.Error("a token is left behind")
			}
		})
	}
}

// TestUnattendedWaitsForTheNetwork loses calls, and goes on when they are answered.
func TestUnattendedWaitsForTheNetwork(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	d.session.Environment, d.session.Unattended, d.session.Passcode, d.session.Sequence = wire.FullOS, true, "correct horse", "s1:3"
	busy := 2
	d.appliance.Answer = func(r *http.Request) *wire.Problem {
		if strings.HasSuffix(r.URL.Path, "/auth/passcode") && busy > 0 {
			busy--
			return &wire.Problem{Title: "Service Unavailable", Status: http.StatusServiceUnavailable}
		}
		return nil
	}
	d.powerOn()
	d.ends(boot.Restart)
}

// TestWhatIsGivenAtTheStartIsSent looks at the call that starts the deployment.
func TestWhatIsGivenAtTheStartIsSent(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	d.appliance.Sequences.Assigned = "s1:3"
	d.session.Environment, d.session.Unattended, d.session.Passcode, d.session.Sequence = wire.FullOS, true, "correct horse", "s2"
	d.session.Variables = []wire.Variable{{Name: "ComputerName", Value: json.RawMessage(`"pc1"`)}}
	d.powerOn()
	d.ends(boot.Restart)
	d.appliance.Do(func() {
		if len(d.appliance.Started) != 1 {
			t.Fatalf("%d starts", len(d.appliance.Started))
		}
		got := d.appliance.Started[0]
		if got.Sequence != "s2" || got.Environment != wire.FullOS || len(got.Variables) != 1 || got.Variables[0].Name != "ComputerName" {
			t.Errorf("started %+v", got)
		}
	})
}
