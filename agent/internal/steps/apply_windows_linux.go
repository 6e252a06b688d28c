package steps

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/agent/internal/bootable"
	"slipway/agent/internal/disk"
	"slipway/agent/internal/windowstarget"
	"slipway/images/windows/wim"
	"slipway/tasksequence"
	"slipway/tasksequence/unattend"
)

// windowsDrive is what an installed Windows calls its own drive.
const windowsDrive = "C:"

// windowsImage is an image of a WIM, as far as the WIM tells.
type windowsImage struct{ wim.Image }

// locale is that of the boot manager's texts.
func (i windowsImage) locale() string { return cmp.Or(i.Language, first(i.Languages), "en-US") }

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// applyWindows puts an image of a Windows onto the target's NTFS volume while it is
// downloaded: wimlib writes it with rights, short names and attributes. Then it boots.
// The image is the one of that name, without one of that number.
// Everything that can be wrong with image, machine and answers is found before the
// volume is made anew.
func applyWindows(ctx context.Context, s *Step, ref tasksequence.Reference, img image, name string, index int) error {
	layout, err := disk.ParseLayout(s.Vars.Text(tasksequence.VariableTargetLayout))
	if err != nil {
		return err
	}
	if layout.Firmware != disk.UEFI || layout.Table != disk.GPT {
		return bootable.ErrNeedsUEFI
	}
	if err := s.needTools(ctx, append(disk.ToolsFor(layout), disk.NTFSMount, wimTool)...); err != nil {
		return err
	}
	stream, err := s.Machine.Content.Open(ctx, ref, img.Path)
	if err != nil {
		return err
	}
	defer stream.Close()
	m := newMeter(stream, img.Size, "applying "+img.Path, s)
	info, rest, err := wim.ReadPipable(m)
	if errors.Is(err, wim.ErrNotPipable) {
		return fmt.Errorf("%s was added to the content without a form that can be applied while it is downloaded: install wimtools on the appliance and add it again", img.Path)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", img.Path, err)
	}
	chosen, err := chooseWindows(info, name, index)
	if err != nil {
		return fmt.Errorf("%s: %w", img.Path, err)
	}
	settings := unattend.FromVariables(s.Vars.Run())
	if err := fits(s, chosen, layout, &settings); err != nil {
		return fmt.Errorf("%s: image %d (%s): %w", img.Path, chosen.Index, chosen.Name, err)
	}
	s.Log("info", fmt.Sprintf("image %d: %s, %s %s %s", chosen.Index, chosen.Name, chosen.Product(), chosen.Version, chosen.Architecture))
	if err := writeVolume(ctx, s, layout, chosen, rest, m); err != nil {
		return fmt.Errorf("apply %s: %w", img.Path, err)
	}
	return finishWindows(ctx, s, layout, chosen, settings)
}

// chooseWindows picks an image: by its name, else by its number.
func chooseWindows(info wim.Info, name string, index int) (windowsImage, error) {
	var names []string
	for _, i := range info.Images {
		names = append(names, fmt.Sprintf("%d (%s)", i.Index, i.Name))
		if name != "" && strings.EqualFold(i.Name, name) || name == "" && i.Index == index {
			return windowsImage{i}, nil
		}
	}
	wanted := fmt.Sprintf("number %d", index)
	if name != "" {
		wanted = fmt.Sprintf("called %q", name)
	}
	return windowsImage{}, fmt.Errorf("it holds no image %s. There are %s", wanted, strings.Join(names, ", "))
}

// fits says why an image cannot go onto this machine, or why its answers cannot be
// written.
func fits(s *Step, i windowsImage, l disk.Layout, settings *unattend.Settings) error {
	part, _ := l.Find(disk.RoleWindows)
	machine := s.Vars.Text("Architecture")
	switch {
	case !i.Windows:
		return errors.New("it is no Windows: its description names no version of it")
	case i.Architecture != "x64" && i.Architecture != "arm64":
		return fmt.Errorf("it is a Windows for %s, which no UEFI machine starts", cmp.Or(i.Architecture, "an unknown processor"))
	case machine != "" && !strings.EqualFold(machine, i.Architecture):
		return fmt.Errorf("it is a Windows for %s, and this machine is %s", i.Architecture, machine)
	case i.Bytes > part.Size:
		return fmt.Errorf("it has %s unpacked, the target's volume has %s", disk.Bytes(i.Bytes), disk.Bytes(part.Size))
	}
	settings.Architecture = map[string]string{"x64": unattend.AMD64, "arm64": unattend.ARM64}[i.Architecture]
	file := unattend.New()
	if given := s.Settings.Text("Unattend"); given != "" {
		var err error
		if file, err = unattend.Parse([]byte(given)); err != nil {
			return fmt.Errorf("the option Unattend: %w", err)
		}
	}
	if _, err := file.Merge(*settings); err != nil {
		return fmt.Errorf("the answer file: %w", err)
	}
	return nil
}

// writeVolume makes the volume anew and writes the image onto it. After an interruption
// it does the same again: nothing of the first try is left.
func writeVolume(ctx context.Context, s *Step, l disk.Layout, i windowsImage, in io.Reader, m *meter) error {
	part, _ := l.Find(disk.RoleWindows)
	for _, p := range l.Partitions {
		if p.Role == disk.RoleWindows || p.Role == disk.RoleRecovery {
			if err := s.Machine.Disks.Renew(ctx, l, p.Number); err != nil {
				return err
			}
		}
	}
	device, err := s.Machine.Disks.Device(ctx, l, part.Number)
	if err != nil {
		return err
	}
	if err := runWimlib(ctx, s, in, m, "apply", "-", strconv.Itoa(i.Index), device); err != nil {
		return err
	}
	f, err := os.OpenFile(device, os.O_RDWR|unix.O_EXCL, 0)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err != nil {
		return fmt.Errorf("write the volume to the disk: %w", err)
	}
	return nil
}

// finishWindows writes the answers and makes the disk boot.
func finishWindows(ctx context.Context, s *Step, l disk.Layout, i windowsImage, settings unattend.Settings) (err error) {
	v, err := openVolume(ctx, s, l)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.undo()) }()
	if !windowstarget.IsWindows(v.root) {
		return fmt.Errorf("image %d is no Windows: it holds no Windows\\System32", i.Index)
	}
	s.Progress(-1, "writing the answer file")
	if err := v.answers(settings, s.Settings.Text("Unattend")); err != nil {
		return err
	}
	s.Progress(-1, "writing the boot files")
	if err := v.boot(ctx, i); err != nil {
		return err
	}
	return s.Vars.SetSystem(targetDrive, tasksequence.Value{Text: windowsDrive})
}
