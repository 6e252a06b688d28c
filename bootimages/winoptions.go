package bootimages

import (
	"fmt"

	"slipway/bootimages/internal/sevenzip"
	"slipway/bootimages/internal/wim"
)

// KindWinPE is the kind of images that are made of the administrator's Windows PE.
const KindWinPE = "winpe"

// WindowsOptions are the options of a Windows PE image alone. All paths are of this
// machine and are only read.
type WindowsOptions struct {
	Source    string // Windows ISO, winpe.wim, boot.wim or WinRE image
	Index     int    // of the image in it; 0: the fitting one is chosen
	Drivers   string // folder with .inf files, loaded at start, before the network
	Roots     string // certificate file, or folder of such (PEM or DER), trusted as roots
	Wallpaper string // JPEG
	Hooks     string // folder with before-network, after-network and after-sign-in
}

// What a build can lack or find wrong with the source, for errors.Is.
var (
	ErrNoWimlib        = wim.ErrNoTool
	ErrNo7z            = sevenzip.ErrNoTool
	ErrSourceTruncated = wim.ErrTruncated
	ErrSourceEncrypted = wim.ErrEncrypted
	ErrSourceDamaged   = wim.ErrDamaged
	ErrDiscDamaged     = sevenzip.ErrDamaged
	ErrSourceSplit     = wim.ErrSplit
)

// validateWinPE fills in defaults and checks the options of a Windows PE image. An
// empty architecture stays: it is the source's. Errors wrap ErrOption.
func (o *Options) validateWinPE() error {
	arch := o.Architecture
	switch {
	case o.Windows.Source == "":
		return fmt.Errorf("%w: name the Windows ISO or WIM that the image is made of: --source FILE", ErrOption)
	case o.Windows.Index < 0:
		return fmt.Errorf("%w: index %d: images are numbered from 1", ErrOption, o.Windows.Index)
	case o.Packages != "" || o.Firmware != "" || o.Profile != "":
		return fmt.Errorf("%w: packages, firmware and profile are of Linux images; Windows takes drivers (--drivers)", ErrOption)
	}
	err := o.check()
	o.Architecture, o.Profile = arch, ""
	return err
}

// ValidateKind checks the options of an image of a kind.
func (o *Options) ValidateKind(kind string) error {
	if kind == KindWinPE {
		return o.validateWinPE()
	}
	if o.Windows != (WindowsOptions{}) {
		return fmt.Errorf("%w: source, index, drivers, root certificates, wallpaper and hooks are of Windows PE images", ErrOption)
	}
	return o.check()
}
