package boot

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func certificate(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestLoadImage(t *testing.T) {
	ca := append(certificate(t), certificate(t)...)
	files := func(change func(fstest.MapFS)) fstest.MapFS {
		m := fstest.MapFS{
			"etc/slipway/image.json":   {Data: []byte(`{"format":1,"id":"0123456789abcdef","lab":true,"servers":["a:1"],"architecture":"amd64"}`)},
			"etc/slipway/installation": {Data: []byte("abc123\n")},
			"etc/slipway/ca.pem":       {Data: ca},
		}
		change(m)
		return m
	}
	img, err := LoadImage(files(func(fstest.MapFS) {}))
	if err != nil || img.ShortID() != "0123456789ab" || !img.Lab || img.Installation != "abc123" || len(img.Authorities) != 2 {
		t.Errorf("got %+v, %v", img, err)
	}
	for want, change := range map[string]func(fstest.MapFS){
		"description: open":  func(m fstest.MapFS) { delete(m, "etc/slipway/image.json") },
		"has format 2":       func(m fstest.MapFS) { m["etc/slipway/image.json"].Data = []byte(`{"format":2}`) },
		"names no":           func(m fstest.MapFS) { m["etc/slipway/installation"].Data = []byte(" \n") },
		"pins no":            func(m fstest.MapFS) { m["etc/slipway/ca.pem"].Data = []byte("nothing") },
		"pinned certificate": func(m fstest.MapFS) { delete(m, "etc/slipway/ca.pem") },
	} {
		m := files(func(fstest.MapFS) {})
		change(m)
		if _, err := LoadImage(m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
