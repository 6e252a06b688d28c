package ui

import (
	"errors"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"slipway/fleet"
	"slipway/ui/internal/view"
)

func (c *Console) showWinPE(v *visit) error {
	return c.winPEForm(v, http.StatusOK, view.WinPEForm{Source: v.query("source")})
}

// winPEForm draws the form of a build; out carries what was typed and not accepted.
func (c *Console) winPEForm(v *visit, status int, out view.WinPEForm) error {
	p, err := c.page(v, "Build a Windows PE image", "images", "")
	if err != nil {
		return err
	}
	items, err := c.backend.Content.List(v.ctx())
	if err != nil {
		return err
	}
	files, err := c.backend.Windows.Sources(v.ctx())
	if err != nil {
		return err
	}
	for _, f := range files {
		value := SourcesPrefix + f.Name
		out.Files = append(out.Files, view.Option{Value: value, Label: f.Name + ", " + view.Bytes(f.Size), Selected: value == out.Source})
	}
	for _, i := range items {
		n := slices.IndexFunc(i.Versions, func(x fleet.ContentVersion) bool { return x.Status == fleet.ContentActive })
		if n < 0 {
			continue
		}
		option := func(chosen ...string) view.Option {
			return view.Option{Value: i.ID, Label: i.Name + ", version " + itoa(i.Versions[n].Version), Selected: slices.Contains(chosen, i.ID)}
		}
		if i.Purpose == "driverpack" {
			o := option(out.Drivers...)
			o.Label = i.Name
			out.Packs = append(out.Packs, view.PackOption{Option: o, About: view.Join(i.Manufacturer, strings.Join(i.Models, ", "))})
			continue
		}
		if i.Purpose == "application" {
			continue
		}
		kinds, err := c.kindsOf(v, i.ID, i.Versions[n])
		if err != nil {
			return err
		}
		if kinds["source"] {
			out.Items = append(out.Items, option(out.Source))
		}
		if kinds["picture"] {
			out.Pictures = append(out.Pictures, option(out.Wallpaper))
		}
		if i.Purpose == "other" && !kinds["source"] {
			out.HookItems = append(out.HookItems, option(out.Hooks))
			out.OverlayItems = append(out.OverlayItems, option(out.Overlay))
		}
	}
	return c.draw(v, status, view.WinPEBuild(p, out))
}

// maxLooked is how many files a version may have to be looked through for a source.
const maxLooked = 50

// kindsOf says what a version may serve as.
func (c *Console) kindsOf(v *visit, id string, version fleet.ContentVersion) (map[string]bool, error) {
	kinds := map[string]bool{}
	if version.Files > maxLooked {
		return kinds, nil
	}
	files, err := c.backend.Content.Files(v.ctx(), id, version.Version)
	if err != nil {
		return kinds, nil //nolint:nilerr // a damaged item is no choice, and its own page says why
	}
	for _, f := range files {
		switch strings.ToLower(path.Ext(f.Path)) {
		case ".iso", ".wim":
			kinds["source"] = true
		case ".jpg", ".jpeg":
			kinds["picture"] = true
		}
	}
	return kinds, nil
}

// buildWinPE starts a build.
func (c *Console) buildWinPE(v *visit) error {
	out := view.WinPEForm{Source: v.form("source"), Index: strings.TrimSpace(v.form("index")), Architecture: v.form("architecture"), Drivers: v.r.PostForm["drivers"],
		Roots: strings.TrimSpace(v.form("roots")), Keyboard: strings.TrimSpace(v.form("keyboard")), Wallpaper: v.form("wallpaper"), Hooks: v.form("hooks"), Overlay: v.form("overlay"), Lab: v.form("lab") == "yes"}
	b := WinPEBuild{Source: out.Source, Architecture: out.Architecture, Drivers: out.Drivers, Roots: out.Roots, Keyboard: out.Keyboard, Wallpaper: out.Wallpaper, Hooks: out.Hooks, Overlay: out.Overlay, Lab: out.Lab}
	var err error
	switch {
	case out.Source == "":
		err = &FieldError{Field: "source", Detail: "Choose what the image is made of."}
	case out.Roots != "" && !strings.HasPrefix(out.Roots, "-----BEGIN CERTIFICATE-----"):
		err = &FieldError{Field: "roots", Detail: "Paste certificates in PEM form: -----BEGIN CERTIFICATE-----"}
	case out.Index != "":
		if b.Index, err = strconv.Atoi(out.Index); err != nil || b.Index < 1 {
			err = &FieldError{Field: "index", Detail: "A number from 1, or nothing."}
		}
	}
	if err == nil {
		_, err = c.backend.Windows.Build(v.ctx(), v.actor(), b)
	}
	if err == nil {
		return done(v, "/boot/images", "build")
	}
	field, text, _, ok := inForm(err)
	if errors.Is(err, ErrNotFound) {
		field, text, ok = "", "Something that was chosen is not there any more.", true
	}
	if !ok {
		return err
	}
	out.Errors = map[string]string{field: text}
	if !slices.Contains([]string{"source", "index", "drivers", "roots", "keyboard"}, field) {
		out.Problem = text
	}
	return c.winPEForm(v, http.StatusUnprocessableEntity, out)
}

// showImage is the page of one boot image.
func (c *Console) showImage(v *visit) error {
	images, err := c.backend.Images.List(v.ctx())
	if err != nil {
		return err
	}
	i := slices.IndexFunc(images, func(m fleet.BootImage) bool { return m.ID == v.param("id") })
	if i < 0 {
		return ErrNotFound
	}
	p, err := c.page(v, view.KindText(images[i].Kind)+" image "+view.Short(images[i].ID), "images", "")
	if err != nil {
		return err
	}
	out := view.ImageView{M: images[i]}
	r, err := c.backend.Windows.Report(v.ctx(), images[i].ID)
	if err == nil {
		out.Report = reportView(r)
	} else if !errors.Is(err, ErrNotFound) {
		return err
	}
	return c.draw(v, http.StatusOK, view.Image(p, out))
}

func reportView(r WinPEReport) *view.ReportView {
	out := &view.ReportView{Source: r.Source, Name: r.Name, Version: r.Version, Index: r.Index, Why: r.Why, Languages: r.Languages, Drivers: r.Drivers,
		Hooks: r.Hooks, Roots: r.Roots, Notes: r.Notes, Overlay: r.Overlay, Wallpaper: r.Wallpaper}
	for _, x := range r.Components {
		out.Components = append(out.Components, view.ComponentRow{Name: x.Name, Package: x.Package, Present: x.Present})
	}
	return out
}

// downloadScript is the command file that adds what a Windows PE lacks.
func (c *Console) downloadScript(v *visit) error {
	r, err := c.backend.Windows.Report(v.ctx(), v.param("id"))
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="add-components.cmd"`)
	_, err = v.w.Write([]byte(r.Script))
	return err
}

// addWimboot takes the file of the form in.
func (c *Console) addWimboot(v *visit) error {
	file, err := uploaded(v, "wimboot")
	switch {
	case err != nil:
		return err
	case v.form("remove") == "yes":
		if err := c.backend.Windows.RemoveWimboot(v.ctx(), v.actor()); err != nil {
			return err
		}
		return done(v, "/boot/images", "wimboot-removed")
	case file == nil:
		return c.images(v, http.StatusUnprocessableEntity, view.ImagesView{WimbootError: "Choose the file wimboot."})
	}
	err = c.backend.Windows.AddWimboot(v.ctx(), v.actor(), strings.NewReader(string(file)))
	if err == nil {
		return done(v, "/boot/images", "wimboot-added")
	}
	_, text, _, ok := inForm(err)
	if !ok {
		return err
	}
	return c.images(v, http.StatusUnprocessableEntity, view.ImagesView{WimbootError: text})
}
