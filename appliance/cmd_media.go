package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
	"slipway/appliance/internal/socket"
	"slipway/bootimages"
	"slipway/fleet"
)

// mediumRequest is what `image media` and `image build --media` ask for.
type mediumRequest struct {
	image   string // id; "": the one that devices get
	kind    string
	file    string
	servers []string
	force   bool
}

func (a *app) mediaCommand() *cobra.Command {
	var m mediumRequest
	var list bool
	var forget string
	c := a.jsonFlag(&cobra.Command{Use: "media --kind iso|usb FILE", Short: "Write a CD or stick image of a boot image, for machines that cannot boot from the network",
		Long: `Writes a medium of a Linux image that starts on BIOS and on UEFI x64 firmware, with
Secure Boot on or off, and leads to the same prompt as a start from the network. Both
kinds are hybrids: burn FILE to a CD, attach it to a virtual machine, or copy it to a
whole stick:
  dd if=FILE of=/dev/sdX bs=4M oflag=direct
Its devices look for the appliance where DHCP says, then at the addresses of the medium;
else somebody types the address at the device.

Of a Windows PE image (--image ID), iso is the same for UEFI, and for BIOS machines from
CD when the image's source had Microsoft's loader for that; usb is a FAT32 disk for UEFI
machines. The addresses are those that the image was built with.`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case list:
				return a.listMedia(c.Context())
			case forget != "":
				return a.call(c.Context(), "DELETE", "/admin/media/"+escape(forget), nil, nil)
			case len(args) != 1:
				return usageError{errors.New("name the FILE to write, or say --list")}
			}
			m.file = args[0]
			if err := m.check(); err != nil {
				return err
			}
			return a.writeMedium(c.Context(), m)
		}})
	c.Flags().StringVar(&m.image, "image", "", "id of the boot image (default: the one that devices get)")
	c.Flags().StringVar(&m.kind, "kind", "", "iso (CD) or usb (stick)")
	c.Flags().BoolVar(&m.force, "force", false, "replace FILE when it exists")
	c.Flags().BoolVar(&list, "list", false, "list the media that were made")
	c.Flags().StringVar(&forget, "forget", "", "take a medium that is gone (its id) off the list")
	serverFlag(c, &m.servers)
	return c
}

func serverFlag(c *cobra.Command, servers *[]string) {
	c.Flags().StringArrayVar(servers, "server", nil, "address under which the devices reach the appliance, e.g. 192.0.2.10:8443 (may be repeated; default: as in slipway agent-config)")
}

// check refuses what would be refused after minutes of work.
func (m mediumRequest) check() error {
	if m.kind != bootimages.MediaISO && m.kind != bootimages.MediaUSB {
		return usageError{fmt.Errorf("media of kind %q are unknown; use iso or usb", m.kind)}
	}
	if _, err := os.Lstat(m.file); err == nil && !m.force {
		return errExists(m.file)
	}
	return nil
}

func (m mediumRequest) path(what string) string {
	id := m.image
	if id == "" {
		id = "current"
	}
	q := url.Values{"server": m.servers}
	if m.kind != "" {
		q.Set("kind", m.kind)
	}
	return "/api/v1/admin/images/" + escape(id) + "/" + what + "?" + q.Encode()
}

// writtenMedium is the answer of --json.
type writtenMedium struct {
	File   string `json:"file"`
	Medium string `json:"medium"`
	Image  string `json:"image"`
	Kind   string `json:"kind"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
	Starts string `json:"starts"` // on which firmware, for people
}

func (a *app) writeMedium(ctx context.Context, m mediumRequest) error {
	c, err := a.socket()
	if err != nil {
		return err
	}
	out := writtenMedium{File: m.file, Kind: m.kind}
	err = writeWhole("medium", m.file, m.force, func(f *os.File) error {
		meter := &downloadMeter{to: f}
		if !a.json {
			meter.say = func(percent int) { fmt.Fprintf(a.out, "[%3d%%] writing %s\n", percent, printable(m.file)) }
			fmt.Fprintln(a.out, "[  0%] making the medium")
		}
		sum := sha256.New()
		err := c.Download(ctx, m.path("media"), func(h http.Header, size int64) {
			meter.total = size
			out.Medium, out.Image, out.SHA256 = h.Get(api.HeaderMedium), h.Get(api.HeaderImage), h.Get(api.HeaderSHA256)
			out.Starts = h.Get(api.HeaderStarts)
		}, io.MultiWriter(meter, sum))
		if err != nil {
			return err
		}
		if got := hex.EncodeToString(sum.Sum(nil)); got != out.SHA256 {
			return errors.New("the medium did not arrive as it was made; try again")
		}
		out.Size = meter.done
		return f.Chmod(0o644) // nothing in it is secret
	})
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(out)
	}
	_, err = fmt.Fprintf(a.out, "%s: medium %s of image %s, starts on %s machines\n%d bytes, sha256 %s\n", m.file, out.Medium, out.Image, printable(out.Starts), out.Size, out.SHA256)
	return err
}

// downloadMeter says each tenth that has been written.
type downloadMeter struct {
	to          io.Writer
	say         func(percent int) // nil: nobody listens
	total, done int64
	last        int
}

func (m *downloadMeter) Write(p []byte) (int, error) {
	n, err := m.to.Write(p)
	m.done += int64(n)
	if m.say != nil && m.total > 0 {
		if tenth := int(m.done * 10 / m.total); tenth > m.last {
			m.last = tenth
			m.say(tenth * 10)
		}
	}
	return n, err
}

// socket is a client of the running appliance.
func (a *app) socket() (*socket.Client, error) {
	cfg, err := a.load()
	if err != nil {
		return nil, err
	}
	path, err := cfg.SocketPath()
	if err != nil {
		return nil, err
	}
	return socket.NewClient(path), nil
}

func (a *app) listMedia(ctx context.Context) error {
	var out api.Media
	if err := a.call(ctx, "GET", "/admin/media", nil, &out); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(out)
	}
	rows := [][]string{{"MEDIUM", "KIND", "IMAGE", "SIZE", "MADE", "BY"}}
	for _, m := range out.Media {
		rows = append(rows, []string{m.ID, m.Kind, m.Image, fleet.Bytes(m.Size), stamp(m.MadeAt), m.MadeBy})
	}
	return a.table(rows)
}
