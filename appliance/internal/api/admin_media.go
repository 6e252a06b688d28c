package api

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"strconv"

	"slipway/appliance/internal/imaging"
	"slipway/appliance/internal/socket"
	"slipway/bootimages"
	"slipway/fleet"
)

// Media lists the media that were made of boot images.
type Media struct {
	Media []fleet.Medium `json:"media"`
}

// currentImage stands for the id of the image that devices get now.
const currentImage = "current"

// Headers of a medium's answer, known before its first byte.
const (
	HeaderMedium = "Slipway-Medium" // its id
	HeaderStarts = "Slipway-Starts" // the firmware of the machines that start from it, for people: "UEFI and BIOS"
	HeaderImage  = "Slipway-Image"
	HeaderSHA256 = "Slipway-Sha256" // of the body, hex
)

// mediaRoutes make media and folders of boot images, for machines that do not boot
// from this appliance.
func (a *API) mediaRoutes() []route {
	return []route{
		{Method: "GET", Path: admin + "/media", Access: Viewer, Summary: "Media that were made of boot images, newest first", Out: Media{}, Handle: func(*call) (any, error) {
			list, err := a.Images.Media()
			return Media{nonNil(list)}, err
		}},
		{Method: "DELETE", Path: admin + "/media/{id}", Access: Administrator, Summary: "Forget a medium that is no longer in use", Handle: func(c *call) (any, error) {
			return nil, a.Images.ForgetMedium(c.ctx(), imagingActor(c), c.Param("id"))
		}},
		{Method: "GET", Path: admin + "/images/{id}/media", Access: Technician, Summary: "A CD or stick image (kind iso or usb) of a boot image, or of the current one", Query: []string{"kind", "server"}, Out: raw{}, Handle: a.makeMedium},
		{Method: "GET", Path: admin + "/images/{id}/export", Access: Technician, Summary: "A boot image for other PXE servers, as a tar archive", Query: []string{"server"}, Out: raw{}, Handle: a.exportImage},
	}
}

func imagingActor(c *call) imaging.Actor { return imaging.Actor{Name: c.Actor, Address: addressOf(c)} }

func imageID(c *call) string {
	if id := c.Param("id"); id != currentImage {
		return id
	}
	return ""
}

// servers are the addresses the caller names, or the one that installed systems are
// told. A port may be left out.
func (a *API) servers(c *call) ([]string, error) { return a.serverList(c.QueryArray("server")) }

func (a *API) serverList(named []string) ([]string, error) {
	own := a.Agent().Server
	if len(named) == 0 {
		return []string{own}, nil
	}
	port := uint16(8443)
	if p, err := netip.ParseAddrPort(own); err == nil {
		port = p.Port()
	}
	var out []string
	for _, s := range named {
		if addr, err := netip.ParseAddr(s); err == nil {
			s = netip.AddrPortFrom(addr, port).String()
		}
		if _, err := netip.ParseAddrPort(s); err != nil {
			return nil, badRequest(fmt.Sprintf("%q is not an address: write it as 192.0.2.10 or 192.0.2.10:8443.", s), err)
		}
		out = append(out, s)
	}
	return out, nil
}

func (a *API) makeMedium(c *call) (any, error) {
	servers, err := a.servers(c)
	if err != nil {
		return nil, err
	}
	m, err := a.Images.MakeMedium(c.ctx(), imagingActor(c), imageID(c), bootimages.MediaOptions{Kind: c.Query("kind"), Servers: servers})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := m.Remove(); err != nil {
			a.log.WarnContext(c.ctx(), "a medium's file was not removed", slog.Any("error", err))
		}
	}()
	f, err := os.Open(m.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := c.Writer.Header()
	h.Set(HeaderMedium, m.ID)
	h.Set(HeaderImage, m.Image)
	h.Set(HeaderStarts, m.Firmware)
	h.Set(HeaderSHA256, m.SHA256)
	h.Set("Content-Length", strconv.FormatInt(m.Size, 10))
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="slipway-%.12s.%s"`, m.Image, m.Kind))
	h.Set("Content-Type", "application/octet-stream")
	c.Writer.WriteHeader(http.StatusOK)
	if _, err := io.Copy(c.Writer, f); err != nil {
		a.log.InfoContext(c.ctx(), "a medium was not fetched to its end", slog.Any("error", err))
	}
	return written{}, nil
}

// exportImage streams the archive. What goes wrong after its first byte cannot
// become another answer: the trailer that says that all is there is missing then.
func (a *API) exportImage(c *call) (any, error) {
	servers, err := a.servers(c)
	if err != nil {
		return nil, err
	}
	out := &stream{to: c.Writer}
	err = a.Images.Export(c.ctx(), imagingActor(c), imageID(c), bootimages.ExportOptions{Servers: servers}, out)
	if err != nil && !out.begun {
		return nil, err
	}
	if err != nil {
		a.log.ErrorContext(c.ctx(), "an export was not finished", slog.Any("error", err))
		return written{}, nil
	}
	c.Writer.Header().Set(socket.TrailerComplete, "yes")
	return written{}, nil
}
