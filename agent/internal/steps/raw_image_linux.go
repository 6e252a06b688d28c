package steps

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"slipway/agent/internal/bootable"
	"slipway/agent/internal/disk"
	"slipway/agent/internal/imaging"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// applyRawImage writes the image of the option Image onto the disk that the step's
// settings mean, and makes it the target. name is that of the boot entry.
func applyRawImage(ctx context.Context, s *Step, name string) (Outcome, error) {
	ref, _ := s.Settings.Content("Image") // a required option
	m, err := s.Machine.Content.Manifest(ctx, ref)
	if err != nil {
		return Outcome{}, err
	}
	file, err := rawFile(m)
	if err != nil {
		return Outcome{}, err
	}
	if s.Machine.Disks == nil {
		return Outcome{}, errNoDisks
	}
	if err := s.Machine.Disks.Unmount(ctx); err != nil { // of a Format disk step
		return Outcome{}, err
	}
	chosen, err := chooseDisk(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	s.Log("info", fmt.Sprintf("%s, version %d: %s, %s, onto %s", m.Name, m.Version, file.Path, disk.Bytes(file.Size), chosen))
	l, err := writeDisk(ctx, s, ref, file, chosen.ID, s.Settings.Bool("Verify"), false)
	if errors.Is(err, disk.ErrNoTable) {
		return Outcome{}, fmt.Errorf("%s was written, but is no image of a whole disk: %w", file.Path, err)
	}
	if err != nil {
		return Outcome{}, err
	}
	for name, text := range map[string]string{tasksequence.VariableTargetLayout: l.Text(), disk.TargetVariable: l.Disk} {
		if err := s.Vars.SetSystem(name, tasksequence.Value{Text: text}); err != nil {
			return Outcome{}, err
		}
	}
	return Outcome{Message: announce(ctx, s, l, name)}, nil
}

// announce tells the firmware where the boot loader of a disk image lies, and people
// what became of it.
func announce(ctx context.Context, s *Step, l disk.Layout, name string) string {
	text, warn := bootable.Announce(ctx, bootable.RawTarget{Layout: l, Disks: s.Machine.Disks, Name: name, EFIVariables: s.Machine.efiVariables()})
	if text != "" {
		level := "info"
		if warn {
			level = "warn"
		}
		s.Log(level, text)
	}
	return text
}

// rawFile finds the one disk image of a version. What was made of another file at
// intake stands for it.
func rawFile(m wire.ContentManifest) (wire.ContentFile, error) {
	var found []wire.ContentFile
	originals := map[string]bool{}
	for _, f := range m.Files {
		originals[f.Original] = true
	}
	for _, f := range m.Files {
		if !originals[f.Path] && f.Size > 0 {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		return wire.ContentFile{}, fmt.Errorf("the content %q holds %d files: one is needed, the disk image", m.Name, len(found))
	}
	f := found[0]
	if strings.HasSuffix(strings.ToLower(f.Path), ".qcow2") && f.Form == "" {
		return f, fmt.Errorf("%s was not converted when it was added: add it to the content anew", f.Path)
	}
	return f, nil
}

// writeDisk puts a disk image onto a disk, moves the table's backup to the disk's
// end, grows the last partition if wanted, and returns what is on the disk then.
func writeDisk(ctx context.Context, s *Step, ref tasksequence.Reference, file wire.ContentFile, id string, verify, grow bool) (disk.Layout, error) {
	t, err := s.Machine.Disks.Open(ctx, id, disk.OpenOptions{Direct: true})
	if err != nil {
		return disk.Layout{}, err
	}
	written, err := streamDisk(ctx, s, ref, file, t, verify)
	err = errors.Join(err, t.Close())
	if err != nil {
		return disk.Layout{}, fmt.Errorf("write %s: %w", file.Path, err)
	}
	s.Log("info", fmt.Sprintf("%s written, %s of them data", disk.Bytes(written.Size), disk.Bytes(written.Data)))
	if verify {
		s.Log("info", "read back: the disk holds what was written")
	}
	l, err := s.Machine.Disks.Grow(ctx, id, grow)
	if err != nil {
		return l, err
	}
	l.Firmware = disk.BIOS
	if strings.EqualFold(s.Vars.Text("IsUEFI"), "true") {
		l.Firmware = disk.UEFI
	}
	return l, nil
}

func streamDisk(ctx context.Context, s *Step, ref tasksequence.Reference, file wire.ContentFile, t disk.Target, verify bool) (imaging.Written, error) {
	r, err := s.Machine.Content.Open(ctx, ref, file.Path)
	if err != nil {
		return imaging.Written{}, err
	}
	in := &counted{Reader: r, size: file.Size}
	last, lastStage := -1, ""
	written, err := imaging.WriteRaw(ctx, in, t, imaging.RawOptions{
		Holes: file.Form == wire.FormHoles, Size: file.RawSize, Verify: verify, Discard: true,
		Progress: func(stage string, done, total int64) {
			percent := in.percent()
			if total > 0 {
				percent = int(done * 100 / total)
			}
			if percent != last || stage != lastStage {
				last, lastStage = percent, stage
				s.Progress(percent, stage+" "+file.Path)
			}
		}})
	return written, errors.Join(err, r.Close())
}

// counted says how much of a file was read; the reader behind it may be ahead of
// what reached the disk by some megabytes.
type counted struct {
	io.Reader
	size int64
	read atomic.Int64 // by a goroutine of its own
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read.Add(int64(n))
	return n, err
}

func (c *counted) percent() int { return int(c.read.Load() * 100 / max(c.size, 1)) }
