package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"regexp"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/bootimages"
)

var saidImage = regexp.MustCompile(`^[0-9a-f]{32}$`)

// noteImage keeps which boot image a device says it runs. One that booted from a
// medium or from another server has asked nobody for it, and an image stays while a
// device uses it. An agent in an installed system says none.
func (a *API) noteImage(c *call) {
	image := c.Request.Header.Get(wire.HeaderImage)
	if c.Token.DeviceID == "" || !saidImage.MatchString(image) {
		return
	}
	if err := a.Devices.NoteImage(c.ctx(), c.Token.DeviceID, image); err != nil {
		a.log.WarnContext(c.ctx(), "the boot image of a device was not noted", slog.String("device", c.Token.DeviceID), slog.Any("error", err))
	}
}

// toolPack hands out the tools that belong to a device's boot image. Nothing in it is
// secret; a device checks the bytes against the hash in its image.
func (a *API) toolPack(c *call) (any, error) {
	a.noteImage(c)
	path, file, err := a.Images.ToolPack(c.Param("image"))
	var f *os.File
	if err == nil {
		f, err = os.Open(path)
	}
	switch {
	case errors.Is(err, state.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return nil, &Problem{Status: http.StatusNotFound, Code: "image-gone", Detail: fmt.Sprintf("The boot image %.12s of this machine is not kept on the appliance any more, and its tools with it. "+
			"Boot from the network, or make the medium or the export again (slipway image media, slipway image export).", c.Param("image"))}
	case errors.Is(err, bootimages.ErrOption):
		return nil, &Problem{Status: http.StatusNotFound, Code: "no-tools", Detail: fmt.Sprintf("The boot image %.12s was built without tools. "+
			"Fetch the packages (slipway image fetch) and build it again.", c.Param("image"))}
	case err != nil:
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	h := c.Writer.Header()
	h.Set("ETag", `"`+file.SHA256+`"`)
	h.Set("Content-Type", "application/octet-stream")
	http.ServeContent(c.Writer, c.Request, "", info.ModTime(), f)
	return written{}, nil
}
