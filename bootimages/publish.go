package bootimages

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"slipway/fleet"
)

// tempPrefix marks folders of builds that are under way.
const tempPrefix = ".tmp-"

// publish lets build fill a temporary folder and gives it its final name, in one
// rename, once all is durable.
func (b *Builder) publish(id string, build func(dir string) (fleet.BootImage, error)) (image fleet.BootImage, err error) {
	boot := b.BootDir()
	if err := os.MkdirAll(boot, 0o755); err != nil {
		return image, err
	}
	dir, err := os.MkdirTemp(boot, tempPrefix)
	if err != nil {
		return image, err
	}
	defer os.RemoveAll(dir)
	if image, err = build(dir); err != nil {
		return fleet.BootImage{}, err
	}
	raw, err := encodeManifest(image)
	if err != nil {
		return fleet.BootImage{}, err
	}
	if err := writeFile(filepath.Join(dir, ManifestName), strings.NewReader(string(raw))); err != nil {
		return fleet.BootImage{}, err
	}
	final := filepath.Join(boot, id)
	if have, err := Verify(final); err == nil {
		return have, nil // another process was faster; its bytes are the same
	}
	if err := errors.Join(carrySigned(final, dir), os.Chmod(dir, 0o755), syncFolder(dir)); err != nil {
		return fleet.BootImage{}, err
	}
	// What stands there does not verify: it must not be served under this name.
	if err := os.RemoveAll(final); err != nil {
		return fleet.BootImage{}, err
	}
	if err := errors.Join(os.Rename(dir, final), syncFolder(boot)); err != nil {
		return fleet.BootImage{}, fmt.Errorf("publish image: %w", err)
	}
	return image, nil
}

// Clean removes what builds that were cut short left behind. No build may be
// under way in this data folder.
func (b *Builder) Clean() error {
	images, err := glob(b.BootDir(), "[0-9a-f]*") // signed copies are written there
	errs := []error{err}
	for _, parent := range append(images, b.BootDir(), b.LoadersDir(), filepath.Join(b.Data, "cache", "packages"), b.kernelCache()) {
		left, err := glob(parent, tempPrefix+"*")
		errs = append(errs, err)
		for _, p := range left {
			errs = append(errs, os.RemoveAll(p))
		}
	}
	return errors.Join(errs...)
}

// Remove deletes an image's files. The folder is renamed first, so that no half
// image is ever served.
func (b *Builder) Remove(id string) error {
	if !ValidID(id) {
		return fmt.Errorf("%w: image id %q", ErrOption, id)
	}
	dead := filepath.Join(b.BootDir(), tempPrefix+"removed-"+id)
	if err := os.Rename(filepath.Join(b.BootDir(), id), dead); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.RemoveAll(dead)
}
