package bootimages

import (
	"io"

	"slipway/bootimages/internal/wim"
)

// WIMImage is one of the images in a WIM or ESD file.
type WIMImage struct {
	Index        int      `json:"index"` // from 1
	Name         string   `json:"name"`
	Description  string   `json:"description,omitempty"`
	Architecture string   `json:"architecture,omitempty"` // x64, arm64, x86, arm; empty: not said
	Version      string   `json:"version,omitempty"`      // of Windows, "10.0.26100.1742"
	Edition      string   `json:"edition,omitempty"`
	Languages    []string `json:"languages,omitempty"`
	Boots        bool     `json:"boots,omitempty"` // the file itself boots it
}

// WIMImages reads what a WIM or ESD file of that many bytes says of its images. Errors
// wrap ErrSourceTruncated, ErrSourceDamaged, ErrSourceSplit, ErrSourceEncrypted, or
// ErrNotWIM for another file.
func WIMImages(r io.ReaderAt, size int64) ([]WIMImage, error) {
	info, err := wim.ReadFrom(r, size)
	if err != nil {
		return nil, err
	}
	var out []WIMImage
	for _, i := range info.Images {
		out = append(out, WIMImage{Index: i.Index, Name: i.Name, Description: i.Description, Architecture: i.Architecture, Version: i.Version,
			Edition: i.Edition, Languages: i.Languages, Boots: info.Boot == i.Index})
	}
	return out, nil
}

// ErrNotWIM says that a file is no Windows image.
var ErrNotWIM = wim.ErrNotWIM
