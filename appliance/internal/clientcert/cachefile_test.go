package clientcert

import (
	"bytes"
	"crypto/x509"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

var update = flag.Bool("update", false, "write the golden file anew: only for a new format number")

// goldenKept is a file as format 1 keeps it.
func goldenKept() (kept, []byte) {
	return kept{URL: "http://pki.corp.example/ca.crl", ETag: `"7"`, Modified: "Sat, 21 Nov 2026 07:00:00 GMT",
		Fetched: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)}, []byte("0\x03 not\na list")
}

func TestCacheFormatGolden(t *testing.T) {
	const golden = "testdata/format-1.crl"
	k, body := goldenKept()
	dir := t.TempDir()
	if err := writeCache(dir, k, body); err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(cachePath(dir, k.URL))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, have, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("the format changed:\nhave %q\nwant %q", have, want)
	}
	if filepath.Base(cachePath(dir, k.URL)) != "f7694221303f3899c2157027.crl" {
		t.Errorf("the name changed: %s", cachePath(dir, k.URL))
	}
	got, read, err := decodeCache(bytes.NewReader(want))
	k.Format, k.SHA256 = 1, got.SHA256
	if err != nil || got != k || !bytes.Equal(read, body) {
		t.Errorf("read back %+v %q, %v", got, read, err)
	}
	if info, err := os.Stat(cachePath(dir, k.URL)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// A file that is not as it should be is not used, and fetched anew.
func TestDamagedCache(t *testing.T) {
	e := newEstate(t)
	root := e.authority("Root", nil)
	pc := e.machine("pc1", &root)
	w := newWeb(t, e.list(root, nil))
	s := fleet.CertificateSignIn{Enabled: true, CAs: root.pem(), CRLURL: w.URL}
	dir := t.TempDir()
	if err := e.verifier(dir).tend(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	path := cachePath(dir, w.URL)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty":      "",
		"cut":        string(whole[:len(whole)-1]),
		"flipped":    strings.Replace(string(whole), "Root", "Boot", 1),
		"newer":      strings.Replace(string(whole), `"format":1`, `"format":2`, 1),
		"no JSON":    "{\n",
		"long line":  strings.Repeat("x", 2*maxHeader),
		"of another": strings.Replace(string(whole), w.URL, "http://192.0.2.1:1234/", 1),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		before, _ := w.counts()
		if _, err := e.verifier(dir).Verify(background(), s, []*x509.Certificate{pc.cert}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if asked, _ := w.counts(); asked != before+1 {
			t.Errorf("%s: the server was asked %d times", name, asked-before)
		}
	}
}

func FuzzCache(f *testing.F) {
	k, body := goldenKept()
	dir := f.TempDir()
	if err := writeCache(dir, k, body); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(cachePath(dir, k.URL))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if k, body, err := decodeCache(bytes.NewReader(data)); err == nil && (k.Format != cacheFormat || len(body) > maxList) {
			t.Errorf("%+v with %d bytes", k, len(body))
		}
	})
}
