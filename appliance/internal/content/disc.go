package content

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"slipway/bootimages"
)

// fromDisc takes the images off a disc of Windows and keeps the disc beside them: Windows
// PE is built of it. Any other disc stays as it is.
func (k *intake) fromDisc(ctx context.Context, f source) (keep bool, err error) {
	found, ok, err := bootimages.InstallImage(ctx, f.path)
	switch {
	case errors.Is(err, bootimages.ErrNo7z):
		k.notes = append(k.notes, f.name+" was taken as it is: were it a disc of Windows, its images could not be read, because 7z is missing on the appliance. "+
			"Install it (Debian: apt install p7zip-full) and add the file again.")
		return true, nil
	case errors.Is(err, bootimages.ErrDiscDamaged), errors.Is(err, bootimages.ErrSourceSplit):
		return false, invalid("%s: %v", f.name, err)
	case err != nil || !ok:
		return true, err
	}
	if err := k.s.blobs.room(found.Size); err != nil {
		return false, err
	}
	tmp, err := os.CreateTemp(k.s.blobs.incoming(), "disc-*")
	if err != nil {
		return false, full(err)
	}
	k.own = append(k.own, tmp.Name())
	k.job.stage(stageUnpack, found.Size)
	err = bootimages.CopyFromDisc(ctx, io.MultiWriter(tmp, counting{k.job}), f.path, found)
	if err = errors.Join(err, tmp.Close()); err != nil {
		if errors.Is(err, bootimages.ErrDiscDamaged) {
			err = invalid("%s: %v", f.name, err)
		}
		return false, full(err)
	}
	name := strings.ToLower(path.Base(found.Path))
	before := len(k.files)
	if err := k.file(ctx, source{path: tmp.Name(), name: name, mode: 0o644, size: found.Size, own: true}); err != nil {
		return false, err
	}
	for i := range k.files[before:] {
		if m := &k.files[before+i]; m.Path == name {
			m.Original = f.name
		}
	}
	k.notes = append(k.notes, fmt.Sprintf("%s was taken off the disc %s.", name, f.name))
	return true, nil
}

// counting tells a job of what is written.
type counting struct{ job *running }

// Write implements io.Writer; it never fails.
func (c counting) Write(p []byte) (int, error) {
	c.job.add(int64(len(p)))
	return len(p), nil
}
