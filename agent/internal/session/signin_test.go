package session

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/agent/internal/boot"
	"slipway/agent/wire"
)

// machineCertificate is a machine's own certificate. Without its key, somebody
// else's key stands for it.
func machineCertificate(t *testing.T, name string, withKey bool) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if !withKey {
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// offers sets what the appliance offers.
func (d *device) offers(mechanisms ...string) {
	d.appliance.Do(func() { d.appliance.Mechanisms.Mechanisms = mechanisms })
}

// signIns are the calls to sign in so far, without the polls.
func (d *device) signIns() (list []string) {
	d.appliance.Do(func() {
		for _, r := range d.appliance.Requests {
			if path, ok := strings.CutPrefix(r, "POST /api/v1/auth/"); ok && path != "entra/poll" && path != "renew" {
				list = append(list, path)
			}
		}
	})
	return list
}

func (d *device) boundTo(name string) {
	d.t.Helper()
	d.appliance.Do(func() {
		if n := len(d.appliance.Bindings); n == 0 || d.appliance.Bindings[n-1] != name {
			d.t.Errorf("the token is bound to %q, want %q", d.appliance.Bindings, name)
		}
	})
}

func (d *device) fails(want error, words ...string) {
	d.t.Helper()
	select {
	case err := <-d.failed:
		if !errors.Is(err, want) {
			d.t.Errorf("ended with %v", err)
		}
		for _, w := range words {
			if !strings.Contains(err.Error(), w) {
				d.t.Errorf("%q is not in: %v", w, err)
			}
		}
	case way := <-d.ended:
		d.t.Errorf("ended well, with %v", way)
	case <-time.After(time.Minute):
		d.t.Fatal("the session goes on")
	}
}

// TestTheOrderOfTheMechanisms offers everything and lets one after the other fail.
func TestTheOrderOfTheMechanisms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		offered   []string
		machine   string // subject of the machine's certificate
		trusted   string // subject that the appliance accepts
		sees      []string
		tried     []string
		then      string // typed at the page that comes up
		bound     string
		noWarning bool
	}{
		{name: "anonymous comes first", offered: []string{"anonymous", "certificate", "entra", "passcode"}, machine: "pc1", trusted: "pc1",
			sees: []string{"Anyone may deploy here", "Choose a task sequence"}, tried: []string{"anonymous"}, bound: "slipway agent"},
		{name: "then the certificate", offered: []string{"certificate", "entra", "passcode"}, machine: "pc1", trusted: "pc1",
			sees: []string{"Choose a task sequence"}, tried: []string{"certificate"}, bound: "pc1", noWarning: true},
		{name: "a refused certificate falls through to Entra ID", offered: []string{"certificate", "entra", "passcode"}, machine: "pc2", trusted: "pc1",
			sees: []string{"Certificate not accepted; trying", "CODE-0001"}, tried: []string{"certificate", "entra"}, noWarning: true},
		{name: "no certificate falls through to Entra ID", offered: []string{"certificate", "entra", "passcode"},
			sees: []string{"This computer has no", "trying Entra ID", "CODE-0001"}, tried: []string{"entra"}, noWarning: true},
		{name: "a refused certificate falls through to the passcode", offered: []string{"certificate", "passcode"}, machine: "pc2", trusted: "pc1",
			sees: []string{"Passcode", "Certificate not accepted; trying the passcode"}, then: "correct horse\r",
			tried: []string{"certificate", "passcode"}, bound: "slipway agent", noWarning: true},
		{name: "the certificate alone", offered: []string{"certificate"}, machine: "pc2", trusted: "pc1",
			sees: []string{"Not signed in", "Certificate not accepted", "Asking again"}, tried: []string{"certificate"}, noWarning: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t)
			d.session.Environment = wire.FullOS
			if tt.machine != "" {
				d.session.Certificate = machineCertificate(t, tt.machine, true)
			}
			d.appliance.Certificate = tt.trusted
			d.offers(tt.offered...)
			d.powerOn()
			for _, text := range tt.sees {
				d.sees(text)
			}
			if tt.then != "" {
				d.types(tt.then)
				d.sees("Choose a task sequence")
			}
			if got := d.signIns(); !slices.Equal(got, tt.tried) {
				t.Errorf("tried %q, want %q", got, tt.tried)
			}
			if tt.bound != "" {
				d.boundTo(tt.bound)
			}
			if warned := d.session.Display.Facts().Warning != ""; warned == tt.noWarning {
				t.Errorf("warned: %v", warned)
			}
		})
	}
}

// TestAnonymousWarnsToTheEnd looks at the warning after the deployment.
func TestAnonymousWarnsToTheEnd(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	d.offers("anonymous", "passcode")
	d.powerOn()
	d.sees("Anyone may deploy here")
	d.sees("Choose a task sequence")
	d.types("1")
	d.sees("Succeeded")
	if d.session.Display.Facts().Warning == "" {
		t.Error("the warning is gone")
	}
}

// TestTheCertificateStaysTheIdentity runs a deployment with the token of a certificate:
// the appliance takes it only over connections with that certificate.
func TestTheCertificateStaysTheIdentity(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	d.session.Environment, d.session.Unattended = wire.FullOS, true
	d.session.Certificate, d.session.Sequence = machineCertificate(t, "pc1", true), "s2"
	d.appliance.Certificate = "pc1"
	d.offers("certificate", "passcode")
	d.powerOn()
	d.ends(boot.Restart)
	d.boundTo("pc1")
	d.appliance.Do(func() {
		if d.appliance.Deployment.Status != "succeeded" {
			t.Errorf("the deployment is %q", d.appliance.Deployment.Status)
		}
	})
}

func TestACertificateWithoutItsKeyIsSaid(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	d.session.Environment, d.session.Certificate = wire.FullOS, machineCertificate(t, "pc1", false)
	d.offers("certificate", "passcode")
	d.powerOn()
	d.sees("Certificate not usable; trying the passcode")
	d.types("correct horse\r")
	d.sees("Choose a task sequence")
	d.boundTo("slipway agent")
}

// TestThePasscodeMayBeForbiddenWhileItIsAsked switches Entra ID on while the challenge
// stands on the screen.
func TestThePasscodeMayBeForbiddenWhileItIsAsked(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	d.powerOn()
	d.sees("Passcode")
	d.offers("entra")
	d.types("correct horse\r")
	d.sees("The passcode may not be used")
	d.sees("CODE-0001")
}

// TestTheOtherWayIsAKeyAway goes from the passcode back to Entra ID.
func TestTheOtherWayIsAKeyAway(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	d.session.Environment = wire.FullOS
	d.offers("entra", "passcode")
	d.powerOn()
	d.sees("CODE-0001")
	d.types("\x05") // Ctrl-E
	d.sees("Passcode")
	d.sees("Other way")
	d.types("\x14") // Ctrl-T
	d.sees("CODE-0002")
}

func TestAGivenPasscodeComesBeforeAskingAPerson(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	d.session.Environment, d.session.Passcode = wire.FullOS, "correct horse"
	d.offers("entra", "passcode")
	d.powerOn()
	d.sees("Choose a task sequence")
	if got := d.signIns(); !slices.Equal(got, []string{"passcode"}) {
		t.Errorf("tried %q", got)
	}

	d = newDevice(t)
	d.session.Environment, d.session.Passcode = wire.FullOS, "wrong"
	d.offers("entra", "passcode")
	d.powerOn()
	d.sees("Passcode not accepted")
	d.sees("CODE-0001")
	if got := d.signIns(); !slices.Equal(got, []string{"passcode", "entra"}) {
		t.Errorf("tried %q", got)
	}

	d = newDevice(t)
	d.session.Environment, d.session.Passcode = wire.FullOS, "wrong"
	d.powerOn()
	d.sees("Passcode not accepted")
	d.types("correct horse\r")
	d.sees("Choose a task sequence")
}
