package api

import (
	"net/http"
	"os"
)

// toolPack hands out the tools that belong to a device's boot image. Nothing in it is
// secret; a device checks the bytes against the hash in its image.
func (a *API) toolPack(c *call) (any, error) {
	path, file, err := a.Images.ToolPack(c.Param("image"))
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
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
