package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/durable"
)

func (a *app) exportCommand() *cobra.Command {
	var m mediumRequest
	c := &cobra.Command{Use: "export DIR", Short: "Write a boot image as files for other PXE, WDS or HTTP servers, with instructions",
		Long: `Writes a new folder with kernel, initrd, boot loaders and their configuration, checksums
and README.txt: how dnsmasq, ISC dhcpd, Kea, Windows DHCP and WDS are set up to serve them,
filled with this appliance's values. Of a Windows PE image (--image ID) it holds what
Microsoft's boot manager asks for, and the addresses are those that it was built with.`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error { return a.export(c.Context(), m, args[0]) }}
	c.Flags().StringVar(&m.image, "image", "", "id of the boot image (default: the one that devices get)")
	serverFlag(c, &m.servers)
	return c
}

// export fills a folder under another name first: DIR is whole or not there.
func (a *app) export(ctx context.Context, m mediumRequest, dir string) error {
	if _, err := os.Lstat(dir); err == nil {
		return fmt.Errorf("%s exists: choose another name; nothing was written", dir)
	}
	c, err := a.socket()
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(filepath.Clean(dir)), ".slipway-export-*")
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	defer os.RemoveAll(tmp)
	err = extract(tmp, func(w io.Writer) error {
		return c.Whole(ctx, "GET", m.path("export"), nil, w)
	})
	if err == nil {
		err = errors.Join(os.Chmod(tmp, 0o755), durable.Folder(tmp))
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("there is no room for the export at %s: nothing was written", dir)
	}
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, dir); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if err := durable.Folder(filepath.Dir(filepath.Clean(dir))); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "The boot image is in %s; README.txt there says how other servers are set up.\n", dir)
	return err
}

// extract unpacks the archive that fill writes into dir.
func extract(dir string, fill func(io.Writer) error) error {
	r, w := io.Pipe()
	filled := make(chan error, 1)
	go func() {
		err := fill(w)
		w.CloseWithError(err)
		filled <- err
	}()
	err := unpack(dir, tar.NewReader(r))
	if err == nil {
		_, err = io.Copy(io.Discard, r) // what follows the archive's end
	}
	r.CloseWithError(errors.New("the export was given up"))
	if fillErr := <-filled; err == nil {
		err = fillErr
	}
	return err
}

// unpack writes plain files and folders; a root keeps them below dir.
func unpack(dir string, t *tar.Reader) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch h.Typeflag {
		case tar.TypeDir:
			err = root.Mkdir(filepath.Clean(h.Name), 0o755)
		case tar.TypeReg:
			err = place(root, h.Name, t)
		default:
			err = fmt.Errorf("export: %q is neither file nor folder", h.Name)
		}
		if err != nil {
			return err
		}
	}
}

func place(root *os.Root, name string, content io.Reader) error {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Sync(), f.Close())
}

// mediumOfBuild checks the flags of `image build` that ask for a medium.
func mediumOfBuild(m *mediumRequest) error {
	if m.kind == "" {
		if m.file != "" || len(m.servers) > 0 || m.force {
			return usageError{errors.New("--output, --server and --force go with --media")}
		}
		return nil
	}
	if m.file == "" {
		m.file = "slipway." + m.kind
		if m.kind == "usb" {
			m.file = "slipway-usb.img"
		}
	}
	return m.check()
}
