package ui

import (
	"context"
	"io"
	"time"
)

// Windows is what boot images of Windows PE are made of, and what is in them.
type Windows interface {
	// Build starts a build, or joins the one under way, and returns its id at once.
	// *FieldError ("source", "drivers", ...), *Refused.
	Build(ctx context.Context, by Actor, b WinPEBuild) (id string, err error)
	// Sources are the Windows ISOs and WIMs in the appliance's folder for them.
	Sources(ctx context.Context) ([]SourceFile, error)
	// Report says what is in an image; ErrNotFound for one that is not of Windows PE.
	Report(ctx context.Context, id string) (WinPEReport, error)
	// Wimboot says what is there.
	Wimboot(ctx context.Context) (Wimboot, error)
	// AddWimboot takes the file in. *FieldError ("wimboot").
	AddWimboot(ctx context.Context, by Actor, r io.Reader) error
	RemoveWimboot(ctx context.Context, by Actor) error
	// Images are those in the WIM and ESD files of a content version.
	Images(ctx context.Context, item string, version int) ([]WindowsFile, error)
}

// WinPEBuild asks for a boot image of Windows PE. Items are ids of content.
type WinPEBuild struct {
	Source       string // id of an item, or SourcesPrefix and the name of a SourceFile
	Index        int    // of the image in it; 0: the fitting one
	Architecture string // empty: that of the source
	Drivers      []string
	Roots        string // PEM
	Keyboard     string
	Wallpaper    string
	Hooks        string
	Overlay      string
	Lab          bool
}

// SourcesPrefix stands before the name of a SourceFile.
const SourcesPrefix = "sources:"

// SourceFile is a file on the appliance.
type SourceFile struct {
	Name string
	Size int64
}

// WinPEReport says what is in a boot image of Windows PE.
type WinPEReport struct {
	Source, Name, Version, Architecture string
	Index                               int
	Why                                 string // this index
	Languages                           []string
	Components                          []Component
	Drivers, Hooks, Roots, Notes        []string
	Overlay                             int
	Wallpaper                           bool
	Script                              string // adds what is missing, on a Windows machine with the ADK; empty: nothing is missing
}

// Component is an optional component of Windows PE.
type Component struct {
	Name, Package string
	Present       bool
}

// Wimboot is the file by which iPXE starts Windows PE.
type Wimboot struct {
	Present, BIOS            bool
	Version, SHA256, Warning string
	AddedAt                  time.Time
}

// WindowsFile is a WIM or ESD file with the images in it.
type WindowsFile struct {
	Path   string
	Images []WindowsImage
	Error  string
}

// WindowsImage is one of them.
type WindowsImage struct {
	Index                                    int
	Name, Description, Architecture, Version string
	Languages                                []string
}
