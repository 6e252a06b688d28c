package bootimages

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"slipway/bootimages/internal/pe"
	"slipway/fleet"
)

// The one-file image is signed in two halves: whoever holds the key signs the
// digest, and the appliance, which never sees the key, puts the signature into a
// copy of the file.

// signedPrefix begins the name of a signed copy. The rest is from its hash: what is
// served under a name never changes.
const signedPrefix = "slipway-signed-"

// IsSigned reports whether a file of an image is a signed copy of its one file.
func IsSigned(name string) bool { return strings.HasPrefix(name, signedPrefix) }

// ErrNoOneFile says that an image was built without its one file.
var ErrNoOneFile = errors.New("the image has no " + OneFile + ": it was built without package systemd-boot-efi; build it again")

// OneFileDigest is what a signature of the image must cover.
func (b *Builder) OneFileDigest(id string) ([sha256.Size]byte, error) {
	p, err := b.readOneFile(id)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return p.Digest(), nil
}

func (b *Builder) readOneFile(id string) (*pe.Image, error) {
	if !ValidID(id) {
		return nil, fmt.Errorf("%w: image id %q", ErrOption, id)
	}
	raw, err := os.ReadFile(filepath.Join(b.BootDir(), id, OneFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrOption, ErrNoOneFile)
	}
	if err != nil {
		return nil, err
	}
	return pe.Parse(raw)
}

// SignDigest signs a digest for firmware that holds the certificate in its db. The
// key must be RSA, at least 2048 bits.
func SignDigest(digest [sha256.Size]byte, cert *x509.Certificate, key crypto.Signer) ([]byte, error) {
	return pe.Sign(digest, cert, key)
}

// AttachSignature writes the signed copy of an image's one file beside it, and
// returns it with the certificate it is signed by. A signature that does not hold
// wraps ErrOption.
func (b *Builder) AttachSignature(id string, signature []byte) (fleet.ImageFile, *x509.Certificate, error) {
	p, err := b.readOneFile(id)
	if err != nil {
		return fleet.ImageFile{}, nil, err
	}
	program, cert, err := p.Attach(signature)
	if err != nil {
		return fleet.ImageFile{}, nil, fmt.Errorf("%w: %w", ErrOption, err)
	}
	sum := sha256.Sum256(program)
	f := fleet.ImageFile{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(program))}
	f.Name = signedName(f.SHA256)
	dir := filepath.Join(b.BootDir(), id)
	tmp := filepath.Join(dir, tempPrefix+f.Name)
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return f, nil, err
	}
	if err := writeFile(tmp, strings.NewReader(string(program))); err != nil {
		return f, nil, plain(errors.Join(err, os.Remove(tmp)), b.Data)
	}
	return f, cert, errors.Join(os.Rename(tmp, filepath.Join(dir, f.Name)), syncFolder(dir))
}

// carrySigned takes the signed copies in one folder of an image over to another whose
// one file has the bytes that they sign. Others are left behind.
func carrySigned(from, to string) error {
	signed, err := glob(from, signedPrefix+"*")
	if err != nil || len(signed) == 0 {
		return err
	}
	raw, err := os.ReadFile(filepath.Join(to, OneFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	now, err := pe.Parse(raw)
	if err != nil {
		return err
	}
	for _, path := range signed {
		if !carriesDigest(path, now.Digest()) {
			continue
		}
		if err := os.Link(path, filepath.Join(to, filepath.Base(path))); err != nil {
			return err
		}
	}
	return nil
}

// carriesDigest reports whether a signed copy is whole and of the file with this digest.
func carriesDigest(path string, digest [sha256.Size]byte) bool {
	raw, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	if sum := sha256.Sum256(raw); filepath.Base(path) != signedName(hex.EncodeToString(sum[:])) {
		return false
	}
	p, err := pe.Parse(raw)
	return err == nil && p.Digest() == digest
}

func signedName(hash string) string { return signedPrefix + hash[:12] + ".efi" }
