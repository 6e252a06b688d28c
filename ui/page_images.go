package ui

import (
	"net/http"
	"slices"

	"slipway/fleet"
	"slipway/ui/internal/view"
)

func (c *Console) showImages(v *visit) error { return c.images(v, http.StatusOK, view.ImagesView{}) }

// images draws the page; out carries what a form brought.
func (c *Console) images(v *visit, status int, out view.ImagesView) error {
	p, err := c.page(v, "Boot images", "images", "builds,changed:image")
	if err != nil {
		return err
	}
	images, err := c.backend.Images.List(v.ctx())
	if err != nil {
		return err
	}
	slices.SortFunc(images, func(a, b fleet.BootImage) int { return b.BuiltAt.Compare(a.BuiltAt) })
	builds, err := c.backend.Images.Builds(v.ctx())
	if err != nil {
		return err
	}
	w, err := c.backend.Windows.Wimboot(v.ctx())
	if err != nil {
		return err
	}
	out.Images, out.Wimboot = images, view.WimbootView{Present: w.Present, BIOS: w.BIOS, Version: w.Version, SHA256: w.SHA256, Warning: w.Warning}
	for _, b := range builds {
		out.Builds = append(out.Builds, view.BuildRow{B: b, F: view.BuildFields(b, p.Now)})
		out.Busy = out.Busy || b.State == "running"
	}
	return c.draw(v, status, view.Images(p, out))
}

func (c *Console) buildImage(v *visit) error {
	kind := v.form("kind")
	if kind != "linux" {
		return c.images(v, http.StatusUnprocessableEntity, view.ImagesView{Problem: "This button builds Linux boot images."})
	}
	_, err := c.backend.Images.Build(v.ctx(), v.actor(), kind)
	if err == nil {
		return done(v, "/boot/images", "build")
	}
	if _, text, _, ok := inForm(err); ok {
		return c.images(v, http.StatusConflict, view.ImagesView{Problem: text})
	}
	return err
}
