package pki

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"slipway/appliance/internal/state"
)

// xorSealer stands for the keyring: reversible, and it minds the purpose.
type xorSealer struct{ key byte }

func (s xorSealer) Seal(plain []byte, purpose string) ([]byte, error) {
	out := append([]byte(purpose+"\x00"), plain...)
	for i := range out {
		out[i] ^= s.key
	}
	return out, nil
}

func (s xorSealer) Open(sealed []byte, purpose string) ([]byte, error) {
	out := bytes.Clone(sealed)
	for i := range out {
		out[i] ^= s.key
	}
	plain, found := bytes.CutPrefix(out, []byte(purpose+"\x00"))
	if !found {
		return nil, errors.New("sealed for another purpose or with another key")
	}
	return plain, nil
}

// clock is moved by tests.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func at(s string) *clock {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return &clock{t: t}
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) set(s string) {
	n := at(s).t
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = n
}

func newStore(t *testing.T) *state.Store {
	t.Helper()
	s, err := state.Open(context.Background(), state.Options{
		Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler), SegmentSize: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func ensure(t *testing.T, s *state.Store, c *clock) *Authority {
	t.Helper()
	a, err := Ensure(t.Context(), s, xorSealer{0x5a}, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// seen is what both sides of a handshake saw.
type seen struct {
	client, server tls.ConnectionState
	requested      bool // the client was asked for a certificate
	err            error
}

// handshake connects a client to the authority over loopback.
func handshake(t *testing.T, config *tls.Config, client *tls.Config) (s seen) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		raw, err := listener.Accept()
		if err != nil {
			return
		}
		conn := tls.Server(raw, config)
		defer conn.Close()
		if conn.Handshake() != nil {
			return
		}
		s.server = conn.ConnectionState()
		conn.Write([]byte{1})
	}()
	client = client.Clone()
	if own := client.Certificates; own != nil {
		client.Certificates = nil
		client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			s.requested = true
			return &own[0], nil
		}
	}
	raw, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn := tls.Client(raw, client)
	defer conn.Close()
	if n, err := conn.Read(make([]byte, 1)); n == 0 {
		s.err = err // with the byte may come the end of the stream
	}
	s.client = conn.ConnectionState()
	<-done
	return s
}

// selfSigned is an agent's key pair, as it makes it at its start.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// Without validity: the agent has no clock when it makes it.
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
