package pe

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	stdpe "debug/pe"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/bootimages/bootimagetest"
)

func owner(t *testing.T, bits int) (*rsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key, certificate(t, key.Public(), key)
}

func certificate(t *testing.T, public, key any) *x509.Certificate {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "owner"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, public, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func appended(t *testing.T) []byte {
	t.Helper()
	out, err := Append(bootimagetest.UEFIProgram("code"), []Section{{".osrel", []byte("ID=x")}, {".initrd", bytes.Repeat([]byte("i"), 5000)}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The standard library reads what was written, and nothing overlaps.
func TestAppend(t *testing.T) {
	out := appended(t)
	f, err := stdpe.NewFile(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	var end uint32
	want := map[string]string{".text": "code", ".osrel": "ID=x", ".initrd": strings.Repeat("i", 5000)}
	for _, s := range f.Sections {
		content, err := s.Data()
		if err != nil || string(content[:s.VirtualSize]) != want[s.Name] {
			t.Errorf("section %s holds %d bytes, error %v", s.Name, len(content), err)
		}
		if s.VirtualAddress < end || s.VirtualAddress%pageSize != 0 {
			t.Errorf("section %s is loaded at %#x, over what ends at %#x", s.Name, s.VirtualAddress, end)
		}
		end = s.VirtualAddress + s.VirtualSize
		delete(want, s.Name)
	}
	if h := f.OptionalHeader.(*stdpe.OptionalHeader64); len(want) > 0 || h.SizeOfImage < end || h.CheckSum == 0 {
		t.Errorf("left out: %v; size of image %#x, sections end at %#x, checksum %#x", want, h.SizeOfImage, end, h.CheckSum)
	}
	if again := appended(t); !bytes.Equal(out, again) {
		t.Error("the same sections give other bytes")
	}
	p, err := Parse(out)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := p.Section(".osrel"); !ok || string(got) != "ID=x" {
		t.Errorf(".osrel is %q, %t", got, ok)
	}
}

// Sections lie where the program's own alignment has them, when that is more than a page.
func TestAppendKeepsTheAlignment(t *testing.T) {
	const field, large = 0x80 + 24 + optSectionAlign, 64 << 10
	program := bootimagetest.UEFIProgram("code")
	binary.LittleEndian.PutUint32(program[field:], large)
	out, err := Append(program, []Section{{".osrel", []byte("ID=x")}, {".initrd", bytes.Repeat([]byte("i"), 5000)}})
	if err != nil {
		t.Fatal(err)
	}
	f, err := stdpe.NewFile(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range f.Sections[1:] {
		if s.VirtualAddress%large != 0 {
			t.Errorf("section %s is loaded at %#x", s.Name, s.VirtualAddress)
		}
	}
	if size := f.OptionalHeader.(*stdpe.OptionalHeader64).SizeOfImage; size%large != 0 {
		t.Errorf("size of image %#x", size)
	}
	for _, odd := range []uint32{pageSize + 8, 1 << 31} {
		binary.LittleEndian.PutUint32(program[field:], odd)
		if _, err := Append(program, nil); !errors.Is(err, ErrFormat) {
			t.Errorf("section alignment %#x: %v", odd, err)
		}
	}
}

// A section without bytes in the file may say that they lie anywhere.
func TestSectionWithoutBytes(t *testing.T) {
	program := bootimagetest.UEFIProgram("code")
	section := program[0x80+24+240:]
	binary.LittleEndian.PutUint32(section[16:], 0)
	binary.LittleEndian.PutUint32(section[20:], 1<<31)
	p, err := Parse(program)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := p.Section(".text"); !ok || len(got) != 0 {
		t.Errorf("%q, %t", got, ok)
	}
}

func TestAppendRefuses(t *testing.T) {
	many := make([]Section, 20)
	for i := range many {
		many[i] = Section{".x", []byte("x")}
	}
	gap := bootimagetest.UEFIProgram("code")
	gap[0x80+24+240+20]++ // the section's place in the file
	for name, c := range map[string]struct {
		program []byte
		add     []Section
	}{
		"text":         {[]byte("#!/bin/sh"), nil},
		"empty":        {nil, nil},
		"no room":      {bootimagetest.UEFIProgram("x"), many},
		"long name":    {bootimagetest.UEFIProgram("x"), []Section{{".toolongname", []byte("x")}}},
		"no content":   {bootimagetest.UEFIProgram("x"), []Section{{".x", nil}}},
		"gap":          {gap, nil},
		"cut short":    {bootimagetest.UEFIProgram("x")[:0x500], nil},
		"headers only": {bootimagetest.UEFIProgram("x")[:0x100], nil},
	} {
		if _, err := Append(c.program, c.add); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func signed(t *testing.T) (program, out []byte, cert *x509.Certificate) {
	t.Helper()
	key, cert := owner(t, 2048)
	program = appended(t)
	p, err := Parse(program)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := Sign(p.Digest(), cert, key)
	if err != nil {
		t.Fatal(err)
	}
	out, by, err := p.Attach(signature)
	if err != nil || !by.Equal(cert) {
		t.Fatalf("attach: %v by %v", err, by)
	}
	return program, out, cert
}

// sbverify of the sbsigntool package, which reads with OpenSSL as firmware does,
// accepts the signature and refuses it after one changed bit.
func TestSbverifyAccepts(t *testing.T) {
	if _, err := exec.LookPath("sbverify"); err != nil {
		t.Fatal("sbverify is not installed; lab/deps.sh check installs it (sbsigntool)")
	}
	_, out, cert := signed(t)
	dir := t.TempDir()
	file, ca := filepath.Join(dir, "x.efi"), filepath.Join(dir, "cert.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	verify := func(b []byte) (string, error) {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		text, err := exec.CommandContext(t.Context(), "sbverify", "--cert", ca, file).CombinedOutput()
		return string(text), err
	}
	if text, err := verify(out); err != nil || strings.Contains(text, "warning") {
		t.Errorf("%v: %s", err, text)
	}
	out[0x400] ^= 1
	if text, err := verify(out); err == nil {
		t.Errorf("a changed program was accepted: %s", text)
	}
}

func TestSignatures(t *testing.T) {
	program, out, cert := signed(t)
	p, err := Parse(out)
	if err != nil {
		t.Fatal(err)
	}
	before, err := Parse(program)
	if err != nil || p.Digest() != before.Digest() {
		t.Errorf("the signature is part of what it signs: %v", err)
	}
	key, other := owner(t, 2048)
	if _, err := Sign(p.Digest(), cert, key); err == nil {
		t.Error("a key was taken for another certificate's")
	}
	weak, weakCert := owner(t, 1024)
	if _, err := Sign(p.Digest(), weakCert, weak); err == nil {
		t.Error("an RSA key of 1024 bits was taken")
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Sign(p.Digest(), certificate(t, ec.Public(), ec), ec); err == nil {
		t.Error("an elliptic curve key was taken")
	}
	elsewhere, err := Sign([32]byte{1}, other, key)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Attach(elsewhere); !errors.Is(err, ErrSignature) {
		t.Errorf("a signature of another program: %v", err)
	}
	good, err := Sign(p.Digest(), other, key)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x40
		if got, err := CheckSignature(bad, p.Digest()); err == nil && !key.PublicKey.Equal(got.PublicKey) {
			t.Errorf("byte %d changed: accepted as by another key, %v", i, got.Subject)
		}
	}
	if _, err := CheckSignature(append(good, 0), p.Digest()); !errors.Is(err, ErrSignature) {
		t.Errorf("bytes behind the signature: %v", err)
	}
}

func FuzzAppend(f *testing.F) {
	f.Add(bootimagetest.UEFIProgram("code"))
	f.Add(bootimagetest.UEFIProgram(""))
	f.Add([]byte("MZ"))
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := Append(b, []Section{{".linux", []byte("kernel")}})
		if err != nil {
			return
		}
		p, err := Parse(out)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		p.Digest()
		if got, ok := p.Section(".linux"); !ok || string(got) != "kernel" {
			// A program may hold a section of that name already, before ours.
			if q, err := Parse(b); err == nil {
				if _, had := q.Section(".linux"); !had {
					t.Fatalf("the section is %q", got)
				}
			}
		}
	})
}

func FuzzSignature(f *testing.F) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		f.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		f.Fatal(err)
	}
	good, err := Sign([32]byte{1}, cert, key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := CheckSignature(b, [32]byte{2}); err == nil {
			t.Fatal("a signature of another digest holds")
		}
	})
}
