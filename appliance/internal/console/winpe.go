package console

import (
	"context"
	"io"
	"strings"

	"slipway/appliance/internal/content"
	"slipway/appliance/internal/imaging"
	"slipway/bootimages"
	"slipway/ui"
)

type windows struct {
	images  *imaging.Service
	content *content.Service
	servers func() []string // addresses that devices are told
}

// Build implements ui.Windows: items of content are named to the imaging service, paths
// never.
func (w windows) Build(ctx context.Context, by ui.Actor, b ui.WinPEBuild) (string, error) {
	item := func(id string) string {
		if id == "" {
			return ""
		}
		return "content:" + id
	}
	var drivers []string
	for _, id := range b.Drivers {
		drivers = append(drivers, item(id))
	}
	o := bootimages.Options{Architecture: b.Architecture, Keyboard: b.Keyboard, Overlay: item(b.Overlay), Lab: b.Lab, Servers: w.servers(),
		Windows: bootimages.WindowsOptions{Source: item(b.Source), Index: b.Index, Drivers: strings.Join(drivers, ","), Roots: b.Roots, Wallpaper: item(b.Wallpaper), Hooks: item(b.Hooks)}}
	if strings.HasPrefix(b.Source, ui.SourcesPrefix) {
		o.Windows.Source = b.Source // the imaging service names them alike
	}
	if !imaging.Named(b.Roots) {
		return "", &ui.FieldError{Field: "roots", Detail: "Paste certificates in PEM form: -----BEGIN CERTIFICATE-----"}
	}
	id, err := w.images.Build(ctx, imaging.Actor{Name: by.Name, Address: by.Address.String()}, bootimages.KindWinPE, o)
	return id, translate(err)
}

// Sources implements ui.Windows.
func (w windows) Sources(context.Context) ([]ui.SourceFile, error) {
	list, err := w.images.Sources()
	out := make([]ui.SourceFile, 0, len(list))
	for _, f := range list {
		out = append(out, ui.SourceFile(f))
	}
	return out, translate(err)
}

// Report implements ui.Windows.
func (w windows) Report(_ context.Context, id string) (ui.WinPEReport, error) {
	image, err := w.images.Get(id)
	if err != nil || image.Kind != bootimages.KindWinPE {
		return ui.WinPEReport{}, ui.ErrNotFound
	}
	_, r, err := w.images.Report(id)
	if err != nil {
		return ui.WinPEReport{}, translate(err)
	}
	out := ui.WinPEReport{Source: r.Source, Name: r.Name, Version: r.Version, Architecture: r.Architecture, Index: r.Index, Why: r.Why, Languages: r.Languages,
		Drivers: r.Drivers, Hooks: r.Hooks, Roots: r.Roots, Notes: r.Notes, Overlay: r.Overlay, Wallpaper: r.Wallpaper}
	for _, c := range r.Components {
		out.Components = append(out.Components, ui.Component{Name: c.Name, Package: c.Package, Present: c.Present})
	}
	if len(r.Missing()) > 0 {
		out.Script = r.Script()
	}
	return out, nil
}

// Wimboot implements ui.Windows.
func (w windows) Wimboot(context.Context) (ui.Wimboot, error) {
	x, err := w.images.Wimboot()
	return ui.Wimboot{Present: x.Present, BIOS: x.BIOS, Version: x.Version, SHA256: x.SHA256, Warning: x.Warning, AddedAt: x.AddedAt}, translate(err)
}

// AddWimboot implements ui.Windows.
func (w windows) AddWimboot(ctx context.Context, by ui.Actor, r io.Reader) error {
	_, err := w.images.AddWimboot(ctx, imaging.Actor{Name: by.Name, Address: by.Address.String()}, r)
	return translate(err)
}

// RemoveWimboot implements ui.Windows.
func (w windows) RemoveWimboot(ctx context.Context, by ui.Actor) error {
	return translate(w.images.RemoveWimboot(ctx, imaging.Actor{Name: by.Name, Address: by.Address.String()}))
}

// Images implements ui.Windows.
func (w windows) Images(_ context.Context, item string, version int) ([]ui.WindowsFile, error) {
	list, err := w.content.WindowsImages(item, version)
	var out []ui.WindowsFile
	for _, f := range list {
		row := ui.WindowsFile{Path: f.Path}
		if f.Err != nil {
			row.Error = sentence(f.Err, f.Err)
		}
		for _, i := range f.Images {
			row.Images = append(row.Images, ui.WindowsImage{Index: i.Index, Name: i.Name, Description: i.Description, Architecture: i.Architecture, Version: i.Version, Languages: i.Languages})
		}
		out = append(out, row)
	}
	return out, translate(err)
}
