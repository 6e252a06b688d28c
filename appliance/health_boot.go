package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"slipway/bootimages"
	"slipway/fleet"
	"slipway/netboot"
	"slipway/ui"
)

// loaders looks for what firmware is given first by the ways that are in use: by the
// configuration, or by one device.
func (h *health) loaders(ctx context.Context) ui.Check {
	const name = "Boot loaders"
	for _, file := range []string{"undionly.kpxe", "snponly.efi"} {
		if !h.has(file) {
			return ui.Check{Name: name, State: ui.CheckFailed, Text: file + " is missing.", Next: "Build a boot image: the loaders come with it."}
		}
	}
	used, err := h.ways(ctx)
	if err != nil {
		return ui.Check{Name: name, State: ui.CheckFailed, Text: err.Error(), Next: "See the appliance's log."}
	}
	words := []string{"iPXE for BIOS and UEFI"}
	for _, way := range fleet.BootWays() {
		who, ok := used[way]
		if !ok {
			continue
		}
		text, next := h.lacks(way)
		if text != "" {
			return ui.Check{Name: name, State: ui.CheckFailed, Text: fmt.Sprintf("%s boots by %s: %s", who, way, text), Next: next}
		}
		if way != fleet.BootByIPXE {
			words = append(words, "what "+string(way)+" needs")
		}
	}
	return ui.Check{Name: name, State: ui.CheckOK, Text: strings.Join(words, ", ") + ": served over TFTP and HTTP"}
}

// ways are the ways in use, with who uses them.
func (h *health) ways(ctx context.Context) (map[fleet.BootWay]string, error) {
	used := map[fleet.BootWay]string{}
	devices, err := h.a.devices.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("look how devices boot: %w", err)
	}
	for _, d := range devices {
		if d.Boot.Way != "" {
			used[d.Boot.Way] = cmp.Or(d.Name, d.ID)
		}
	}
	if way := fleet.BootWay(h.a.cfg.Boot.UEFI); way != "" {
		used[way] = "UEFI firmware"
	}
	return used, nil
}

// lacks says what a way needs and does not find, and what to do.
func (h *health) lacks(way fleet.BootWay) (text, next string) {
	switch way {
	case fleet.BootByShim:
		for _, file := range []string{"shimx64.efi", "grubx64.efi"} {
			if !h.has(file) {
				return "Debian's signed " + file + " is missing, machines get iPXE, which Secure Boot refuses.", "Build a boot image with the packages shim-signed and grub-efi-amd64-signed."
			}
		}
	case fleet.BootBySignedIPXE:
		if wholePair(h.a.cfg.Data, netboot.ArchX64) == nil {
			return "no pair of signed iPXE files for x64 is whole, machines get unsigned iPXE, which Secure Boot refuses.",
				"Unpack a release's ipxeboot.tar.gz in the data folder; slipway image loaders lists what is there."
		}
	case fleet.BootByOneFile:
		image, ok := h.a.images.Current(bootimages.X64)
		if !ok {
			return "", "" // there is a line of its own for the image
		}
		for _, f := range image.Files {
			if f.Name == bootimages.OneFile {
				return "", ""
			}
		}
		return "the boot image was built without " + bootimages.OneFile + ", machines get iPXE.", "Build a boot image with the package systemd-boot-efi."
	}
	return "", ""
}

// has reports a loader that can be served.
func (h *health) has(name string) bool {
	f, err := h.a.images.Loaders().Open(name)
	if err != nil {
		return false
	}
	_ = f.Close()
	return true
}

// image looks for the files of the image that is served: at its start the appliance
// compares their hashes, here a file that went missing since shows.
func (h *health) image() ui.Check {
	const name = "Boot image"
	image, ok := h.a.images.Current(bootimages.X64)
	if !ok {
		return ui.Check{Name: name, State: ui.CheckWarning, Text: "None has been built.", Next: "Build the Linux boot image."}
	}
	short := image.ID[:min(12, len(image.ID))]
	folder := filepath.Join((&bootimages.Builder{Data: h.a.cfg.Data}).BootDir(), image.ID)
	for _, f := range image.Files {
		if info, err := os.Stat(filepath.Join(folder, f.Name)); err != nil || info.Size() != f.Size {
			return ui.Check{Name: name, State: ui.CheckFailed, Text: fmt.Sprintf("%s of %s is missing or damaged.", f.Name, short), Next: "Build the boot image again, or restore the file from a backup."}
		}
	}
	return ui.Check{Name: name, State: ui.CheckOK, Text: "Serving " + short}
}
