package bootimages

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"slipway/bootimages/internal/wim"
	"slipway/fleet"
)

// winBuilderFormat is to Windows PE images what builderFormat is to Linux images.
const winBuilderFormat = 5

// The files of a Windows PE image. Fonts stand beside them under their own names.
const (
	BootWIM     = "boot.wim"
	BootSDI     = "boot.sdi"
	BootManager = "bootmgfw.efi"
	BootStore   = "BCD"       // of UEFI machines that load by TFTP
	BIOSStore   = "BCD.bios"  // of BIOS machines
	MediaStore  = "BCD.media" // of disks and of wimboot
	BIOSLoader  = "pxeboot.n12"
	BIOSManager = "bootmgr.exe"

	// Of CDs on BIOS machines.
	CDLoader    = "etfsboot.com"
	CDManager   = "bootmgr"
	BIOSCDStore = "BCD.cd"
)

// BuildWinPE builds a Windows PE boot image from the administrator's source, or
// returns the one that exists already for the same resolved inputs. The source is
// only read. It leaves nothing behind when it fails or ctx ends.
func (b *Builder) BuildWinPE(ctx context.Context, o Options, report Report) (fleet.BootImage, error) {
	out, err := b.buildWinPE(ctx, o, &meter{report: report})
	return out, plain(err, b.Data)
}

func (b *Builder) buildWinPE(ctx context.Context, o Options, m *meter) (image fleet.BootImage, err error) {
	if err := o.ValidateKind(KindWinPE); err != nil {
		return image, err
	}
	tool, err := wim.FindTool(ctx)
	if err != nil {
		return image, err
	}
	dir, err := b.tempDir("winpe-")
	if err != nil {
		return image, err
	}
	defer os.RemoveAll(dir)
	s, err := openSource(ctx, o, tool, dir, m)
	if err != nil {
		return image, err
	}
	w := &winBuild{b: b, o: o, tool: tool, source: s, m: m, dir: dir, report: s.report()}
	if err := w.resolve(ctx); err != nil {
		return image, err
	}
	if have, err := Verify(filepath.Join(b.BootDir(), w.id)); err == nil {
		m.begin("image exists already", 100, 100)
		return have, nil
	}
	return b.publish(w.id, func(dir string) (fleet.BootImage, error) { return w.write(ctx, dir) })
}

// winBuild is one build.
type winBuild struct {
	b      *Builder
	o      Options
	tool   *wim.Tool
	source *winSource
	in     *winInputs
	agent  folderFile
	boot   []bootFile
	caSet  []string
	report WinPEReport
	lines  []string
	id     string
	dir    string // of temporary files
	m      *meter
}

// resolve names every input exactly.
func (w *winBuild) resolve(ctx context.Context) (err error) {
	arch := w.source.image.Architecture
	if w.caSet, err = Fingerprints(w.o.CAs); err != nil {
		return err
	}
	agent, err := FindWindowsAgent(w.o.Agent, arch)
	if err != nil {
		return err
	}
	w.agent = folderFile{name: "slipway-agent.exe", source: agent}
	if w.agent.sum, w.agent.size, err = hashFile(agent); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	if w.in, err = readWinInputs(w.o, arch, w.m); err != nil {
		return err
	}
	if err := w.fits(); err != nil {
		return err
	}
	if w.boot, err = w.findBootFiles(ctx); err != nil {
		return err
	}
	w.lines = []string{fmt.Sprintf("builder %d", winBuilderFormat), "kind " + KindWinPE, "architecture " + arch, "installation " + w.o.Installation,
		"keyboard " + w.o.Keyboard, fmt.Sprintf("lab %t", w.o.Lab), fmt.Sprintf("protocol %d", w.o.Protocol),
		"agent " + w.o.AgentVersion + " sha256:" + w.agent.sum, "wimlib " + w.tool.Version,
		fmt.Sprintf("source sha256:%s index %d", w.source.sum, w.source.image.Index)}
	for _, s := range w.o.Servers {
		w.lines = append(w.lines, "server "+s)
	}
	for _, f := range w.caSet {
		w.lines = append(w.lines, "ca sha256:"+f)
	}
	for _, f := range w.boot {
		w.lines = append(w.lines, "boot "+f.name+" sha256:"+Fingerprint(f.content))
	}
	w.lines = append(w.lines, w.in.lines()...)
	w.id = imageID(w.lines)
	w.in.tell(&w.report)
	if w.source.image.Architecture == X64 && !w.startsBIOSFromCD() {
		w.report.Notes = append(w.report.Notes, "the source has no "+CDLoader+" and "+CDManager+": CDs of this image start on UEFI machines only")
	}
	return nil
}

// fits refuses inputs that this source could not use.
func (w *winBuild) fits() error {
	if name := w.in.usesPowerShell(); name != "" && !w.report.Has("powershell") {
		return fmt.Errorf("%w: the hook %s needs PowerShell, which the source lacks: write it as .cmd, or add PowerShell to the source (slipway image report --script prints how)", ErrOption, name)
	}
	for _, n := range []struct {
		program string
		needed  bool
		for_    string
	}{{"drvload.exe", len(w.in.infs) > 0, "drivers"}, {"reg.exe", len(w.in.roots) > 0, "root certificates"}, {"wpeinit.exe", true, "the network"}, {"cmd.exe", true, "the start"}} {
		if n.needed && !w.source.has("/Windows/System32/"+n.program) {
			return fmt.Errorf("%w: the image has no %s, which %s need: take another source", ErrOption, n.program, n.for_)
		}
	}
	return nil
}

// write makes the image's files in dir.
func (w *winBuild) write(ctx context.Context, dir string) (image fleet.BootImage, err error) {
	image = fleet.BootImage{ID: w.id, Kind: KindWinPE, Architecture: w.source.image.Architecture, KernelRelease: w.source.image.Version,
		AgentVersion: w.o.AgentVersion, Protocol: w.o.Protocol, CASet: w.caSet, Lab: w.o.Lab, Inputs: w.lines}
	if err := w.room(dir); err != nil {
		return image, err
	}
	out := filepath.Join(dir, BootWIM)
	if err := w.writeWIM(ctx, out); err != nil {
		return image, err
	}
	w.m.begin("writing the boot files", 95, 97)
	if err := w.writeBootFiles(dir); err != nil {
		return image, err
	}
	text, err := json.MarshalIndent(w.report, "", "  ")
	if err == nil {
		err = writeFile(filepath.Join(dir, ReportName), bytes.NewReader(append(text, '\n')))
	}
	if err != nil {
		return image, err
	}
	w.m.begin("hashing", 97, 99)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return image, err
	}
	for _, e := range entries {
		f := fleet.ImageFile{Name: e.Name()}
		if f.SHA256, f.Size, err = hashFile(filepath.Join(dir, e.Name())); err != nil {
			return image, err
		}
		if err := syncFile(filepath.Join(dir, e.Name())); err != nil {
			return image, err
		}
		image.Files = append(image.Files, f)
		image.Size += f.Size
	}
	image.BuiltAt = w.b.now()
	for _, line := range w.report.lines() {
		w.m.note(line)
	}
	return image, nil
}

// writeWIM takes the one image out of the source and lays our files over it.
func (w *winBuild) writeWIM(ctx context.Context, out string) error {
	part := func(n int) { w.m.done(int64(n), 100) }
	w.m.begin("copying the image", 22, 50)
	if err := w.tool.Export(ctx, w.source.wim, w.source.image.Index, out, part); err != nil {
		return err
	}
	stage := filepath.Join(w.dir, "stage")
	if err := w.in.stage(stage, w.o, w.agent, w.id, w.source); err != nil {
		return err
	}
	w.m.begin("adding the agent, drivers and files", 50, 80)
	if err := w.tool.Overlay(ctx, out, 1, stage, part); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte("wim " + w.id))
	if err := wim.Stamp(out, [16]byte(sum[:16]), stagedTime); err != nil {
		return err
	}
	if err := os.Chmod(out, 0o644); err != nil {
		return err
	}
	w.m.begin("checking the image", 80, 95)
	if err := w.tool.Verify(ctx, out, part); err != nil {
		return err
	}
	info, err := os.Stat(out)
	if err == nil && info.Size() > maxBootWIM {
		err = fmt.Errorf("%w: the image of %d MB is larger than FAT32 and the memory of devices hold: leave drivers or files out", ErrOption, info.Size()/1e6)
	}
	return err
}

// room refuses before anything is written when the disk cannot hold the image:
// wimlib writes it twice.
func (w *winBuild) room(dir string) error {
	info, err := os.Stat(w.source.wim)
	if err != nil {
		return err
	}
	need := 2 * info.Size()
	for _, list := range [][]folderFile{w.in.overlay, w.in.drivers, w.in.hooks, {w.agent}} {
		for _, f := range list {
			need += 3 * f.size
		}
	}
	return roomFor(dir, need, w.b.Data)
}
