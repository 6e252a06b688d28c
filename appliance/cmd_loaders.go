package main

import (
	"debug/pe"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"slipway/bootimages"
	"slipway/fleet"
	"slipway/netboot"
)

// loader is a file that firmware may be given first, or the program that it starts.
type loader struct {
	File string `json:"file"` // below the data folder
	What string `json:"what"`
	Size int64  `json:"size,omitempty"` // bytes; 0 when it is missing
	// Signed says whether a signature is attached; by whom is the firmware's to judge.
	Signed  bool   `json:"signed"`
	Problem string `json:"problem,omitempty"`
}

// loadersCommand reads only the data folder: the appliance need not run.
func (a *app) loadersCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{Use: "loaders", Short: "List the boot loaders, with the signed iPXE files that you added", Args: usage(cobra.NoArgs),
		Long: "Lists what firmware may be given first: iPXE, Debian's signed shim and GRUB, and what lies in ipxeboot/x86_64-sb and\nipxeboot/arm64-sb of the data folder, with what is missing there for a whole pair (docs/secure-boot.md).",
		RunE: func(*cobra.Command, []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			list, err := loadersIn(cfg.Data)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"loaders": list, "given": givenPairs(cfg.Data)})
			}
			rows := [][]string{{"FILE", "SIZE", "SIGNED", "WHAT"}}
			for _, l := range list {
				size, signed := fleet.Bytes(l.Size), yesNo(l.Signed)
				if l.Size == 0 {
					size, signed = "missing", "-"
				}
				what := l.What
				if l.Problem != "" {
					what += ": " + l.Problem
				}
				rows = append(rows, []string{l.File, size, signed, what})
			}
			if err := a.table(rows); err != nil {
				return err
			}
			for _, arch := range []string{netboot.ArchX64, netboot.ArchARM64} {
				text := fmt.Sprintf("signed-ipxe gives %s nothing: no pair is whole, such machines get unsigned iPXE.", arch)
				if pair := wholePair(cfg.Data, arch); pair != nil {
					text = fmt.Sprintf("signed-ipxe gives %s %s, which starts %s.", arch, path.Base(pair[0]), path.Base(pair[1]))
				}
				if _, err := fmt.Fprintln(a.out, text); err != nil {
					return err
				}
			}
			return nil
		}})
}

func givenPairs(data string) map[string][]string {
	out := map[string][]string{}
	for _, arch := range []string{netboot.ArchX64, netboot.ArchARM64} {
		if pair := wholePair(data, arch); pair != nil {
			out[arch] = pair
		}
	}
	return out
}

// wholePair is the pair of signed iPXE that machines of an architecture are given, as
// the proxy chooses it; nil when none is whole.
func wholePair(data, arch string) []string {
	for _, c := range netboot.SignedChoices(arch) {
		if !slices.ContainsFunc(c[:], func(name string) bool { return !isFile(filepath.Join(data, name)) }) {
			return c[:]
		}
	}
	return nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// loadersIn lists the loaders of a data folder.
func loadersIn(data string) ([]loader, error) {
	boot := bootimages.Builder{Data: data}
	rel := func(path string) string { // both lie below data
		name, _ := filepath.Rel(data, path)
		return filepath.ToSlash(name)
	}
	parts := filepath.Join(boot.BootDir(), bootimages.PartsFolder)
	list := []loader{
		{File: rel(filepath.Join(boot.LoadersDir(), "undionly.kpxe")), What: "iPXE for BIOS"},
		{File: rel(filepath.Join(boot.LoadersDir(), "snponly.efi")), What: "iPXE for UEFI, x64"},
		{File: rel(filepath.Join(parts, "shimx64.efi")), What: "Debian's shim for UEFI, x64: starts GRUB"},
		{File: rel(filepath.Join(parts, "grubnetx64.efi")), What: "Debian's GRUB for UEFI, x64"},
	}
	for _, arch := range []string{netboot.ArchX64, netboot.ArchARM64} {
		added, err := signedIn(data, arch)
		if err != nil {
			return nil, err
		}
		list = append(list, added...)
	}
	for i := range list {
		if err := list[i].look(data); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// signedIn lists what lies in the folder of signed iPXE of an architecture, and what
// is missing there once somebody began to fill it.
func signedIn(data, arch string) (list []loader, err error) {
	known := map[string]string{}
	for _, c := range netboot.SignedChoices(arch) {
		known[c[0]] = "iPXE's shim for UEFI, " + arch + ": starts " + path.Base(c[1])
		known[c[1]] = "iPXE for UEFI, " + arch
	}
	folder := path.Dir(netboot.SignedChoices(arch)[0][0])
	entries, err := os.ReadDir(filepath.Join(data, folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the signed iPXE files: %w", err)
	}
	for _, e := range entries {
		name := folder + "/" + e.Name()
		what, used := known[name]
		if !used {
			what = "not used"
		}
		delete(known, name)
		list = append(list, loader{File: name, What: what})
	}
	for name, what := range known {
		list = append(list, loader{File: name, What: what})
	}
	slices.SortFunc(list, func(x, y loader) int { return strings.Compare(x.File, y.File) })
	return list, nil
}

// look reads what a loader is.
func (l *loader) look(data string) error {
	full := filepath.Join(data, l.File)
	info, err := os.Stat(full)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at a boot loader: %w", err)
	case !info.Mode().IsRegular():
		l.Problem = "no file"
		return nil
	}
	if l.Size = info.Size(); l.Size == 0 {
		l.Problem = "empty"
		return nil
	}
	if path.Ext(l.File) != ".efi" {
		return nil
	}
	p, err := pe.Open(full)
	if err != nil {
		l.Problem = "no UEFI program"
		return nil
	}
	defer p.Close()
	machine, want := map[uint16]string{pe.IMAGE_FILE_MACHINE_AMD64: netboot.ArchX64, pe.IMAGE_FILE_MACHINE_ARM64: netboot.ArchARM64}[p.Machine], netboot.ArchX64
	if path.Base(path.Dir(l.File)) == "arm64-sb" {
		want = netboot.ArchARM64
	}
	if machine != want {
		l.Problem = "a program for another kind of machine, not " + want
	}
	if h, ok := p.OptionalHeader.(*pe.OptionalHeader64); ok {
		l.Signed = h.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_SECURITY].Size > 0
	}
	return nil
}
