package imaging

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"slipway/appliance/internal/state"
	"slipway/bootimages"
	"slipway/fleet"
)

// Digest is what a signature of an image's one file must cover. An empty id means
// the image served to x64 machines; the id is returned.
func (s *Service) Digest(id string) (string, [sha256.Size]byte, error) {
	if id == "" {
		image, ok := s.Current(bootimages.X64)
		if !ok {
			return "", [sha256.Size]byte{}, fmt.Errorf("%w: no boot image has been built yet", bootimages.ErrOption)
		}
		id = image.ID
	}
	if _, err := s.Get(id); err != nil {
		return "", [sha256.Size]byte{}, err
	}
	digest, err := s.c.Builder.OneFileDigest(id)
	return id, digest, err
}

// Sign serves an image's one file with this signature from now on, in place of one
// it had before. What the certificate says is returned for people to see.
func (s *Service) Sign(ctx context.Context, by Actor, id string, signature []byte) (file fleet.ImageFile, signer string, err error) {
	release, err := s.takeTurn(ctx)
	if err != nil {
		return file, "", err
	}
	defer release()
	if _, err := s.Get(id); err != nil {
		return file, "", err
	}
	file, cert, err := s.c.Builder.AttachSignature(id, signature)
	if err != nil {
		return file, "", err
	}
	signer = cert.Subject.String()
	var old []string
	err = s.c.Store.Update(ctx, func(tx *state.Tx) error {
		old = nil
		image, err := tx.Images().Get(id)
		if err != nil {
			return err
		}
		image.Files = slices.DeleteFunc(slices.Clone(image.Files), func(f fleet.ImageFile) bool {
			if bootimages.IsSigned(f.Name) {
				old = append(old, f.Name)
				image.Size -= f.Size
				return true
			}
			return false
		})
		image.Files = append(image.Files, file)
		image.Size += file.Size
		return tx.Images().Put(image)
	})
	if err != nil {
		return file, "", err
	}
	s.audit(ctx, fleet.AuditEntry{Actor: by.Name, Address: by.Address, Action: "image.signed", Object: id, Outcome: "ok", Reason: "by " + signer})
	var errs []error
	for _, name := range old {
		if name != file.Name {
			errs = append(errs, os.Remove(filepath.Join(s.c.Builder.BootDir(), id, name)))
		}
	}
	return file, signer, errors.Join(errs...)
}

// keepSigned carries the signed copies of an image that was built again over to its
// new record, but for those that were lost: the same id is the same file.
func keepSigned(tx *state.Tx, image *fleet.BootImage, lost []string) {
	before, err := tx.Images().Get(image.ID)
	if err != nil {
		return
	}
	for _, f := range before.Files {
		if bootimages.IsSigned(f.Name) && !slices.Contains(image.Files, f) && !slices.Contains(lost, f.Name) {
			image.Files = append(image.Files, f)
			image.Size += f.Size
		}
	}
}

// lostSigned names the signed copies of a recorded image that are missing or changed.
// The image's own list of files does not have them.
func (s *Service) lostSigned(image fleet.BootImage) (lost []string) {
	for _, f := range image.Files {
		if bootimages.IsSigned(f.Name) && bootimages.VerifyFile(filepath.Join(s.c.Builder.BootDir(), image.ID), f) != nil {
			lost = append(lost, f.Name)
		}
	}
	return lost
}

// forgetSigned takes lost copies out of an image's record: machines without Secure
// Boot go on with the unsigned file.
func (s *Service) forgetSigned(ctx context.Context, id string, lost []string) error {
	err := s.c.Store.Update(ctx, func(tx *state.Tx) error {
		image, err := tx.Images().Get(id)
		if err != nil {
			return err
		}
		image.Files = slices.DeleteFunc(slices.Clone(image.Files), func(f fleet.ImageFile) bool {
			if slices.Contains(lost, f.Name) {
				image.Size -= f.Size
				return true
			}
			return false
		})
		return tx.Images().Put(image)
	})
	if err == nil {
		s.noteLost(ctx, id, lost)
	}
	return err
}

// noteLost tells that an image has to be signed again.
func (s *Service) noteLost(ctx context.Context, id string, lost []string) {
	if len(lost) == 0 {
		return
	}
	s.c.Logger.ErrorContext(ctx, "the signed copy of a boot image is missing or changed; sign it again", "image", id, "files", lost)
	s.audit(ctx, fleet.AuditEntry{Actor: "local", Action: "image.signature.lost", Object: id, Outcome: "failed", Reason: "the signed file is missing or changed; sign the image again"})
}
