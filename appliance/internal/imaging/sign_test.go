package imaging

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/appliance/internal/state"
	"slipway/bootimages"
	"slipway/fleet"
)

// signature signs an image's digest with a new key of this owner.
func (w *world) signature(t *testing.T, id, owner string) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: owner}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	_, digest, err := w.Digest(id)
	if err != nil {
		t.Fatal(err)
	}
	s, err := bootimages.SignDigest(digest, cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func signedFiles(i fleet.BootImage) (names []string) {
	for _, f := range i.Files {
		if bootimages.IsSigned(f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}

// The signed copy is served beside the file it was made of, replaces the one
// before, and stays when the same image is built again.
func TestSign(t *testing.T) {
	w := newWorld(t)
	id := w.build(nil)
	if got, _, err := w.Digest(""); err != nil || got != id {
		t.Errorf("the default is %q, %v", got, err)
	}
	before, _ := w.Get(id)
	for _, owner := range []string{"first", "second"} {
		file, signer, err := w.Sign(t.Context(), Actor{Name: "tester"}, id, w.signature(t, id, owner))
		if err != nil || signer != "CN="+owner {
			t.Fatalf("signer %q, %v", signer, err)
		}
		image, _ := w.Get(id)
		if got := signedFiles(image); !slices.Equal(got, []string{file.Name}) || image.Size != before.Size+file.Size {
			t.Errorf("recorded %v, size %d", got, image.Size)
		}
		f, err := w.Files().Open(id + "/" + file.Name)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil || int64(len(content)) != file.Size || !strings.Contains(string(content), owner) {
			t.Errorf("%d bytes of %d, %v", len(content), file.Size, err)
		}
	}
	if e := w.audit.find("image.signed"); len(e) != 2 || e[1].Object != id || e[1].Reason != "by CN=second" {
		t.Errorf("audit: %+v", e)
	}
	w.build(nil)
	if image, _ := w.Get(id); len(signedFiles(image)) != 1 {
		t.Errorf("built again: %v", image.Files)
	}
}

// An image whose files are damaged is built again under the same id: what was signed is
// the same file, and is still signed.
func TestTheSignedCopyOutlivesARebuild(t *testing.T) {
	w := newWorld(t)
	id := w.build(nil)
	file, _, err := w.Sign(t.Context(), Actor{Name: "tester"}, id, w.signature(t, id, "o"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(w.builder.BootDir(), id)
	other := filepath.Join(dir, "slipway-signed-000000000000.efi") // of nobody knows what
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "vmlinuz"), []byte("damaged"), 0o644), os.WriteFile(other, []byte("x"), 0o644)); err != nil {
		t.Fatal(err)
	}
	w.restart()
	if w.Damaged(id) == "" {
		t.Fatal("the damage is not noticed")
	}
	if got := w.build(nil); got != id {
		t.Fatalf("another image: %s", got)
	}
	image, _ := w.Get(id)
	if got := signedFiles(image); !slices.Equal(got, []string{file.Name}) || w.Damaged(id) != "" {
		t.Errorf("recorded %v, damage %q", got, w.Damaged(id))
	}
	if err := bootimages.VerifyFile(dir, file); err != nil {
		t.Errorf("the record names a file that is not there: %v", err)
	}
	if _, err := os.Stat(other); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that signs nothing was carried over: %v", err)
	}
}

// A signed copy that is missing or changed is no longer in the record, and people are
// told; the image itself goes on.
func TestALostSignedCopyIsNoticed(t *testing.T) {
	for name, lose := range map[string]func(path string) error{
		"missing": os.Remove,
		"changed": func(path string) error { return os.WriteFile(path, []byte("x"), 0o644) },
	} {
		for _, rebuilt := range []bool{false, true} {
			w := newWorld(t)
			id := w.build(nil)
			before, _ := w.Get(id)
			file, _, err := w.Sign(t.Context(), Actor{Name: "tester"}, id, w.signature(t, id, "o"))
			if err != nil {
				t.Fatal(err)
			}
			if err := lose(filepath.Join(w.builder.BootDir(), id, file.Name)); err != nil {
				t.Fatal(err)
			}
			if rebuilt {
				w.build(nil)
			} else {
				w.restart()
			}
			image, _ := w.Get(id)
			if len(signedFiles(image)) != 0 || image.Size != before.Size || w.Damaged(id) != "" || !image.Served {
				t.Errorf("%s, rebuilt %v: recorded %v, size %d of %d, damage %q, served %v", name, rebuilt, signedFiles(image), image.Size, before.Size, w.Damaged(id), image.Served)
			}
			if e := w.audit.find("image.signature.lost"); len(e) != 1 || e[0].Object != id {
				t.Errorf("%s, rebuilt %v: audit %+v", name, rebuilt, e)
			}
		}
	}
}

func TestSignRefuses(t *testing.T) {
	w := newWorld(t)
	if _, _, err := w.Digest(""); !errors.Is(err, bootimages.ErrOption) {
		t.Errorf("nothing built: %v", err)
	}
	foreign := w.signature(t, w.build(func(o *bootimages.Options) { o.Keyboard = "de" }), "o")
	id := w.build(nil)
	if _, _, err := w.Digest(strings.Repeat("0", 32)); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("an image nobody built: %v", err)
	}
	for name, s := range map[string][]byte{"nonsense": []byte("x"), "empty": nil, "of another image": foreign} {
		if _, _, err := w.Sign(t.Context(), Actor{}, id, s); !errors.Is(err, bootimages.ErrOption) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if image, _ := w.Get(id); len(signedFiles(image)) != 0 {
		t.Errorf("a refused signature left %v", image.Files)
	}
}
