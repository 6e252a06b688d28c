package facts

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"math/big"
	"strings"
	"testing"
	"testing/fstest"
)

func caNamed(t testing.TB, name string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// list is an EFI_SIGNATURE_LIST of one entry.
func list(kind, content []byte) []byte {
	b := append([]byte{}, kind...)
	b = binary.LittleEndian.AppendUint32(b, uint32(28+16+len(content)))
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(16+len(content)))
	return append(append(b, make([]byte, 16)...), content...)
}

func db(lists ...[]byte) []byte {
	b := []byte{0x27, 0, 0, 0}
	for _, l := range lists {
		b = append(b, l...)
	}
	return b
}

func TestSecureBootDB(t *testing.T) {
	hash := make([]byte, 16)
	third, newer := list(certX509, caNamed(t, "Microsoft Corporation UEFI CA 2011")), list(certX509, caNamed(t, "Microsoft UEFI CA 2023"))
	for name, c := range map[string]struct {
		db   []byte
		want string
	}{
		"2011":            {db(third, list(certX509, caNamed(t, "Microsoft Windows Production PCA 2011"))), "2011,Windows 2011"},
		"both, and twice": {db(newer, third, third), "2011,2023"},
		"an owner's":      {db(list(hash, make([]byte, 32)), list(certX509, caNamed(t, "Example, Inc.\x1b[2J"))), "Example  Inc. [2J"},
		"no certificate":  {db(list(certX509, []byte("x"))), "unreadable"},
		"cut short":       {db(third, newer[:40]), "2011"},
		"empty":           {db(), ""},
		"no attributes":   {[]byte{1}, ""},
	} {
		f := Gather(fstest.MapFS{dbVariable: {Data: c.db}}, "amd64")
		if got := f["SecureBootDB"]; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if _, ok := Gather(fstest.MapFS{}, "amd64")["SecureBootDB"]; ok {
		t.Error("a machine without the variable has the fact")
	}
}

func TestSecureBootState(t *testing.T) {
	for value, want := range map[string]string{"\x06\x00\x00\x00\x01": "True", "\x06\x00\x00\x00\x00": "False", "\x06\x00\x00\x00": "False", "\x01": "False"} {
		if got := Gather(fstest.MapFS{secureBootVariable: {Data: []byte(value)}}, "amd64")["SecureBoot"]; got != want {
			t.Errorf("% x: %s", value, got)
		}
	}
}

func FuzzSecureBootDB(f *testing.F) {
	f.Add(db(list(certX509, caNamed(f, "x")))[4:])
	f.Add(db(list(make([]byte, 16), make([]byte, 32)))[4:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		got := secureBootDB(fstest.MapFS{dbVariable: {Data: append([]byte{0, 0, 0, 0}, b...)}})
		if strings.ContainsAny(got, "\n\x1b\x00") {
			t.Fatalf("%q", got)
		}
	})
}
