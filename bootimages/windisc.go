package bootimages

import (
	"context"
	"fmt"
	"io"

	"slipway/bootimages/internal/sevenzip"
)

// DiscFile is a file on a disc.
type DiscFile = sevenzip.File

// InstallImage finds the images of Windows on an installation medium: sources/install.wim
// or install.esd. found is false for any other disc. Errors wrap ErrNo7z, ErrDiscDamaged,
// or ErrSourceSplit for a medium whose images are in several files.
func InstallImage(ctx context.Context, iso string) (f DiscFile, found bool, err error) {
	disc, err := sevenzip.List(ctx, iso)
	if err != nil {
		return f, false, err
	}
	for _, name := range []string{"sources/install.wim", "sources/install.esd"} {
		if f, found = sevenzip.Find(disc, name); found {
			return f, true, nil
		}
	}
	if _, split := sevenzip.Find(disc, "sources/install.swm"); split {
		return f, false, fmt.Errorf("%w: the disc holds sources/install.swm", ErrSourceSplit)
	}
	return f, false, nil
}

// CopyFromDisc writes a file of a disc.
func CopyFromDisc(ctx context.Context, w io.Writer, iso string, f DiscFile) error {
	return sevenzip.Copy(ctx, w, iso, f)
}
