package client

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/agent/internal/appliancetest"
	"slipway/agent/wire"
)

func start(t *testing.T) (*appliancetest.Appliance, Options) {
	t.Helper()
	a, err := appliancetest.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	identity, err := NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return a, Options{Address: a.Address, Installation: appliancetest.Installation, Roots: a.Pool(), Identity: identity, Agent: "1.2", Image: "abcdef"}
}

func connect(t *testing.T, o Options) *Client {
	t.Helper()
	c := New(o)
	t.Cleanup(c.Close)
	return c
}

func TestFirstContactDoesNotLookAtTheTime(t *testing.T) {
	a, o := start(t)
	o.Now = func() time.Time { return time.Date(1998, 1, 1, 0, 0, 0, 0, time.UTC) } // an empty clock battery
	date, err := FirstContact(t.Context(), o)
	if err != nil || time.Since(date).Abs() > time.Minute {
		t.Errorf("got %v, %v", date, err)
	}
	c := connect(t, o)
	if err := c.Healthy(t.Context()); err == nil {
		t.Error("a call with all checks passed with a wrong clock")
	}
	a.Do(func() {
		if len(a.Requests) != 1 || a.Headers.Get("Authorization") != "" || len(a.Certified) != 0 {
			t.Errorf("requests %v with %v, certificates on %v", a.Requests, a.Headers, a.Certified)
		}
	})
}

func TestWrongApplianceIsTold(t *testing.T) {
	a, o := start(t)
	_, foreign := start(t)
	for name, change := range map[string]func(o *Options){
		"another CA":   func(o *Options) { o.Roots = foreign.Roots },
		"another name": func(o *Options) { o.Installation = "otherinstallation" },
	} {
		wrong := o
		change(&wrong)
		if _, err := FirstContact(t.Context(), wrong); !NotOurs(err) || Temporary(err) || !strings.Contains(Explain(err), "certificate") {
			t.Errorf("%s, first contact: %v", name, err)
		}
		c := connect(t, wrong)
		if err := c.SignIn(t.Context(), wire.PasscodeSignIn{Passcode: a.Passcode}); !NotOurs(err) {
			t.Errorf("%s, sign-in: %v", name, err)
		}
	}
	a.Do(func() {
		if len(a.Requests) != 0 {
			t.Errorf("something was sent to a wrong appliance: %v", a.Requests)
		}
	})
}

func TestSignInAndHeaders(t *testing.T) {
	a, o := start(t)
	c := connect(t, o)
	in := wire.PasscodeSignIn{Passcode: "wrong", Environment: wire.LinuxPE}
	if err := c.SignIn(t.Context(), in); Status(err) != http.StatusUnauthorized {
		t.Errorf("got %v", err)
	}
	if _, err := c.TaskSequences(t.Context()); Status(err) != http.StatusUnauthorized {
		t.Errorf("got %v", err)
	}
	in.Passcode = a.Passcode
	if err := c.SignIn(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if _, err := c.TaskSequences(t.Context()); err != nil {
		t.Error(err)
	}
	old := c.Token().Token
	if err := c.Renew(t.Context()); err != nil || c.Token().Token == old {
		t.Errorf("not renewed: %v", err)
	}
	a.Do(func() {
		for name, want := range map[string]string{wire.HeaderProtocol: "1", wire.HeaderAgent: "1.2", wire.HeaderImage: "abcdef"} {
			if a.Headers.Get(name) != want {
				t.Errorf("%s: %q", name, a.Headers.Get(name))
			}
		}
		if len(a.Bindings) != 1 || a.Bindings[0] != "slipway agent" {
			t.Errorf("client certificates: %v", a.Bindings)
		}
	})
}

func TestProblemsAreRead(t *testing.T) {
	a, o := start(t)
	a.Do(func() {
		a.RetryAfter = "17"
		a.Answer = func(*http.Request) *wire.Problem {
			return &wire.Problem{Title: "Too Many Requests", Detail: "Wait.", Status: 429, HoldCode: "K7QM"}
		}
	})
	err := connect(t, o).SignIn(t.Context(), wire.PasscodeSignIn{})
	var e *Error
	if !errors.As(err, &e) || e.RetryAfter != 17*time.Second || e.Problem.HoldCode != "K7QM" || !Temporary(err) || Explain(err) != "Wait. (429)" {
		t.Errorf("got %+v", err)
	}
}

func TestRetryStopsAtWhatCannotHeal(t *testing.T) {
	tries := 0
	err := Retry(t.Context(), nil, func(context.Context) error { tries++; return &Error{Status: 403} })
	if tries != 1 || Status(err) != 403 {
		t.Errorf("%d tries, %v", tries, err)
	}
}

func TestExplain(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := closed.Addr().String()
	closed.Close()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	go func() {
		for {
			c, err := plain.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("HTTP/1.0 400 Bad Request\r\n\r\n"))
			c.Close()
		}
	}()
	_, o := start(t)
	for address, want := range map[string]string{
		refused:               "connection refused",
		plain.Addr().String(): "does not speak HTTPS",
	} {
		o.Address = address
		_, err := FirstContact(t.Context(), o)
		if !strings.Contains(Explain(err), want) || !Temporary(err) {
			t.Errorf("%s: %q (%v)", address, Explain(err), err)
		}
	}
	for err, want := range map[error]string{
		x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired}: "not valid at this time",
		&net.DNSError{Name: "x"}:     "cannot be resolved",
		context.DeadlineExceeded:     "no answer in time",
		x509.UnknownAuthorityError{}: "certificate",
	} {
		if got := Explain(err); !strings.Contains(got, want) {
			t.Errorf("%v: %q", err, got)
		}
	}
}

func TestIdentityOutlivesACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity.pem")
	first, err := KeepIdentity(path)
	if err != nil {
		t.Fatal(err)
	}
	second, err := KeepIdentity(path)
	if err != nil || Binding(first) != Binding(second) {
		t.Errorf("another key after a restart: %v", err)
	}
	other, _ := NewIdentity()
	if Binding(other) == Binding(first) {
		t.Error("every agent has the same key")
	}
	unkept, err := KeepIdentity(filepath.Join(t.TempDir(), "no", "such", "folder"))
	if err != nil || len(unkept.Certificate) != 1 {
		t.Errorf("cannot run without a place for its key: %v", err)
	}
}
