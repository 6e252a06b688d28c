//go:build lab

package boottest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// impostor answers in the appliance's place, under its name, with a certificate
// of another authority.
type impostor struct {
	connections, requests atomic.Int64
}

func newImpostor(t *testing.T, s *scene, name string) *impostor {
	t.Helper()
	i := &impostor{}
	l, err := s.appliance.NS.Listen(t.Context(), ":8443")
	must(t, err)
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			i.requests.Add(1)
			w.WriteHeader(http.StatusNotFound)
		}),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{foreignCertificate(t, name)}},
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				i.connections.Add(1)
			}
		},
		ErrorLog: log.New(io.Discard, "", 0), // refused handshakes are what is wanted
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.ServeTLS(l, "", "")
	}()
	s.run.OnClose(func() error { err := server.Close(); <-done; return err })
	return i
}

// foreignCertificate is a leaf for the name, with its authority, both made up.
func foreignCertificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "somebody else"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	must(t, err)
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{leafDER, caDER}, PrivateKey: key}
}

// serverName reads the appliance's TLS name for devices out of its certificate.
func serverName(t *testing.T, s *scene) string {
	t.Helper()
	conn, err := s.net.Bridge.Dial(t.Context(), "tcp", "10.77.0.2:8443")
	must(t, err)
	defer conn.Close()
	c := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // only the name is wanted
	must(t, c.HandshakeContext(t.Context()))
	for _, name := range c.ConnectionState().PeerCertificates[0].DNSNames {
		if strings.HasSuffix(name, ".slipway.internal") {
			return name
		}
	}
	t.Fatal("the appliance's certificate has no name for devices")
	return ""
}
