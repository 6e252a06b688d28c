package bootimages

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"slipway/bootimages/internal/bzimage"
	"slipway/bootimages/internal/kmod"
	"slipway/fleet"
)

// Builder builds boot images into <Data>/boot and keeps downloaded packages in
// <Data>/cache.
type Builder struct {
	Data    string
	Recipes fs.FS                     // linux/recipe.json, loaders/recipe.json and their lists
	Source  func(cache string) Source // default: this machine's apt
	Now     func() time.Time          // default: time.Now

	placing sync.Mutex // the loaders: a build and the start of the appliance bring them
}

// resolved is all a build depends on, named exactly.
type resolved struct {
	recipe    *recipe
	source    Source
	packages  []Package // the kernel's first
	agent     string
	agentSum  string
	agentSize int64
	caSet     []string
	overlay   []folderFile
	firmware  []folderFile
	noTools   string        // the package for want of which there is no tool pack
	windows   folderFile    // the agent for an installed Windows, which goes into the tool pack; no source: there is none
	packer    *bzimage.Tool // of the kernel; nil when there is none, and noPacker says why
	noPacker  error
}

// BootDir is the folder of images and loaders.
func (b *Builder) BootDir() string { return filepath.Join(b.Data, "boot") }

func (b *Builder) now() time.Time {
	if b.Now != nil {
		return b.Now().UTC()
	}
	return time.Now().UTC()
}

// source opens the folder of packages when one is named, else the machine's
// package source.
func (b *Builder) source(ctx context.Context, folder string) (Source, error) {
	if folder != "" {
		return OpenFolder(ctx, folder)
	}
	cache := filepath.Join(b.Data, "cache")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, plain(err, cache)
	}
	if b.Source != nil {
		return b.Source(cache), nil
	}
	return &AptSource{Cache: cache}, nil
}

// BuildLinux builds the Linux boot image that the options ask for, or returns the
// one that exists already for the same resolved inputs. It leaves nothing behind
// when it fails or ctx ends.
func (b *Builder) BuildLinux(ctx context.Context, o Options, report Report) (fleet.BootImage, error) {
	out, err := b.buildLinux(ctx, o, &meter{report: report})
	return out, plain(err, b.Data)
}

func (b *Builder) buildLinux(ctx context.Context, o Options, m *meter) (fleet.BootImage, error) {
	if err := o.Validate(); err != nil {
		return fleet.BootImage{}, err
	}
	m.begin("resolving packages", 0, 5)
	r, err := b.resolve(ctx, o)
	if err != nil {
		return fleet.BootImage{}, err
	}
	lines := inputLines(o, r)
	id := imageID(lines)
	for _, p := range r.packages {
		m.note("package " + p.String())
	}
	if have, err := Verify(filepath.Join(b.BootDir(), id)); err == nil {
		m.begin("image exists already", 100, 100)
		return have, nil
	}
	files, err := fetchAll(ctx, r, m)
	if err != nil {
		return fleet.BootImage{}, err
	}
	return b.publish(id, func(dir string) (fleet.BootImage, error) {
		image := fleet.BootImage{ID: id, Kind: KindLinux, Architecture: o.Architecture, AgentVersion: o.AgentVersion, Protocol: o.Protocol,
			CASet: r.caSet, Lab: o.Lab, Inputs: lines}
		err := b.assemble(ctx, o, r, files, dir, &image, m)
		image.BuiltAt = b.now()
		return image, err
	})
}

// resolve names every input exactly.
func (b *Builder) resolve(ctx context.Context, o Options) (*resolved, error) {
	r := &resolved{}
	var err error
	if r.recipe, err = loadRecipe(b.Recipes, o.Architecture, o.Profile); err != nil {
		return nil, err
	}
	if r.caSet, err = Fingerprints(o.CAs); err != nil {
		return nil, err
	}
	if r.agent, err = findAgent(o.Agent, o.Architecture); err != nil {
		return nil, err
	}
	if r.agentSum, r.agentSize, err = hashFile(r.agent); err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	if err := r.resolveWindowsAgent(o); err != nil {
		return nil, err
	}
	if err := r.readFolders(o); err != nil {
		return nil, err
	}
	if r.source, err = b.source(ctx, o.Packages); err != nil {
		return nil, err
	}
	arch := debianArch(o.Architecture)
	k, err := resolveKernel(ctx, r.source, r.recipe.KernelPackage[o.Architecture], arch)
	if err != nil {
		return nil, err
	}
	r.packages = append(r.packages, k)
	for _, name := range r.recipe.packages() {
		p, err := r.source.Resolve(ctx, name, "", arch)
		if err != nil {
			return nil, err
		}
		r.packages = append(r.packages, p)
	}
	if err := r.resolveStub(ctx, o.Architecture); err != nil {
		return nil, err
	}
	if err := r.findPacker(ctx, o.Architecture); err != nil {
		return nil, err
	}
	return r, r.resolveTools(ctx, o.Architecture)
}

// resolveStub names the package of the one-file image's stub. A source without it
// gives an image without that file: machines boot the other ways all the same.
func (r *resolved) resolveStub(ctx context.Context, arch string) error {
	rule, ok := r.recipe.OneFile[arch]
	if !ok {
		return nil
	}
	p, err := r.source.Resolve(ctx, rule.Package, "", debianArch(arch))
	if errors.Is(err, ErrNoPackage) {
		return nil
	}
	if err == nil {
		r.packages = append(r.packages, p)
	}
	return err
}

func (r *resolved) readFolders(o Options) error {
	var err error
	all := func(string) bool { return true }
	if o.Overlay != "" {
		if r.overlay, err = readFolder(o.Overlay, all); err != nil {
			return err
		}
	}
	firmware := o.Firmware
	if firmware != "" {
		// A copy of a whole root file system is as good as its lib/firmware.
		if inner := filepath.Join(firmware, "lib", "firmware"); isDir(inner) {
			firmware = inner
		}
		if r.firmware, err = readFolder(firmware, all); err != nil {
			return err
		}
		if len(r.firmware) == 0 {
			return fmt.Errorf("%w: the firmware folder %s is empty", ErrOption, firmware)
		}
	}
	if o.AllowSecrets {
		return nil
	}
	if err := refuseSecrets(o.Overlay, r.overlay); err != nil {
		return err
	}
	return refuseSecrets(firmware, r.firmware)
}

func isDir(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.IsDir()
}

// fetchAll brings every package here; the result maps its name to its file.
func fetchAll(ctx context.Context, r *resolved, m *meter) (map[string]string, error) {
	m.begin("fetching packages", 5, 30)
	var total, before int64
	for _, p := range r.packages {
		total += p.Size
	}
	files := map[string]string{}
	for _, p := range r.packages {
		path, err := r.source.Fetch(ctx, p, func(n int64) { m.done(before+n, total) })
		if err != nil {
			return nil, err
		}
		files[p.Name] = path
		before += p.Size
	}
	return files, nil
}

// assemble writes vmlinuz and the initrd into dir.
func (b *Builder) assemble(ctx context.Context, o Options, r *resolved, files map[string]string, dir string, image *fleet.BootImage, m *meter) error {
	m.begin("unpacking the kernel", 30, 60)
	kernelDeb := files[r.packages[0].Name]
	k, err := unpackKernel(ctx, kernelDeb, dir, r.recipe, func(n int64) { m.done(n, r.packages[0].Size) })
	if err != nil {
		return err
	}
	defer k.Close()
	m.begin("choosing modules", 60, 62)
	main, err := baseTree()
	if err != nil {
		return err
	}
	set, err := addModules(main, k, r.recipe, m.note)
	if err != nil {
		return err
	}
	if err := errors.Join(addIdentity(main, o, r, image.ID), addCopies(main, r, files), addOverlay(main, r.overlay, "")); err != nil {
		return err
	}
	tools, err := r.addTools(ctx, main, files, dir, m)
	if err != nil {
		return err
	}
	archives := []tree{main}
	if len(r.firmware) > 0 {
		extra := tree{}
		if err := addOverlay(extra, r.firmware, "lib/firmware/"); err != nil {
			return err
		}
		archives = append(archives, extra)
		noteFirmware(set, r.firmware, m)
	}
	m.begin("writing the initrd", 62, 85)
	initrd, err := writeInitrd(ctx, filepath.Join(dir, "initrd.zst"), archives, m.done)
	if err != nil {
		return err
	}
	initrd.Name = "initrd.zst"
	kernelFile := fleet.ImageFile{Name: "vmlinuz"}
	if kernelFile.SHA256, kernelFile.Size, err = hashFile(filepath.Join(dir, "vmlinuz")); err != nil {
		return err
	}
	image.Files = []fleet.ImageFile{kernelFile, initrd}
	image.Size = kernelFile.Size + initrd.Size
	image.KernelRelease, image.ModuleCount = k.release, len(set)
	m.begin("packing the kernel", 85, 97)
	if err := b.addFastKernel(ctx, r, dir, image, m); err != nil {
		return err
	}
	m.begin("writing the one-file image", 97, 98)
	if err := r.addOneFile(dir, files, o, image, m); err != nil {
		return err
	}
	if tools.Name != "" {
		image.Files = append(image.Files, tools)
		image.Size += tools.Size
	}
	m.note(fmt.Sprintf("kernel %s, %d modules, vmlinuz %.1f MB, initrd %.1f MB", k.release, len(set), float64(kernelFile.Size)/1e6, float64(initrd.Size)/1e6))
	return nil
}

// noteFirmware says when a firmware folder holds nothing any driver asks for:
// most often its layout is wrong.
func noteFirmware(set []*kmod.Module, files []folderFile, m *meter) {
	named := 0
	for _, f := range files {
		name := strings.TrimSuffix(strings.TrimSuffix(f.name, ".xz"), ".zst")
		for _, mod := range set {
			if mod.WantsFirmware(name) {
				named++
				break
			}
		}
	}
	m.note(fmt.Sprintf("firmware: %d files, %d of them named by drivers in this image", len(files), named))
	if named == 0 {
		m.note("warning: no driver in this image asks for a file of the firmware folder; its files belong where they are below /lib/firmware, e.g. rtl_nic/rtl8168h-2.fw")
	}
}
