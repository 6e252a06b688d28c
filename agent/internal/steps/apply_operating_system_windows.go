package steps

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"slipway/agent/internal/disk"
	"slipway/agent/wire"
	"slipway/tasksequence"
	"slipway/tasksequence/unattend"
)

// applyOperatingSystem puts an image of a WIM onto the target disk with DISM, writes
// the answer file and makes the disk start it. DISM reads from a file only, so the WIM
// lies on the target disk meanwhile.
func applyOperatingSystem(ctx context.Context, s *Step) (Outcome, error) {
	ref, ok := s.Settings.Content("OperatingSystem")
	if !ok {
		return Outcome{}, errors.New("the step names no operating system")
	}
	choice := "/Index:" + strconv.Itoa(s.Settings.Int("ImageIndex"))
	if name := s.Settings.Text("ImageName"); name != "" {
		choice = "/Name:" + name
	}
	return applyVersion(ctx, s, ref, choice)
}

// applyVersion applies an image of a content version; choice names it for DISM.
func applyVersion(ctx context.Context, s *Step, ref tasksequence.Reference, choice string) (Outcome, error) {
	manifest, err := s.Machine.Content.Manifest(ctx, ref)
	if err != nil {
		return Outcome{}, err
	}
	wim, err := findWIM(manifest)
	if err != nil {
		return Outcome{}, err
	}
	settings := unattend.FromVariables(s.Vars.Run())
	given := s.Settings.Text("Unattend")
	if err := checkAnswers(settings, given); err != nil {
		return Outcome{}, err // before anything is overwritten
	}
	y, err := openTarget(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	s.Log("info", fmt.Sprintf("%s, version %d: %s, %s, onto %s", manifest.Name, manifest.Version, wim.Path, disk.Bytes(wim.Size), y.root))
	if err := y.applyWIM(ctx, ref, wim, choice); err != nil {
		return Outcome{}, err
	}
	if _, err := os.Stat(y.path(`Windows\System32`)); err != nil {
		return Outcome{}, fmt.Errorf("image %s of %s is no Windows: it holds no Windows\\System32", choice[strings.Index(choice, ":")+1:], wim.Path)
	}
	if err := y.answers(settings, given); err != nil {
		return Outcome{}, err
	}
	if err := y.bootable(ctx); err != nil {
		return Outcome{}, err
	}
	y.recovery(ctx)
	return Outcome{}, s.Vars.SetSystem(targetDrive, tasksequence.Value{Text: strings.TrimSuffix(y.root, `\`)})
}

// targetDrive is the variable that names the target's drive.
const targetDrive = "OSDTargetSystemDrive"

// findWIM finds the one WIM or ESD of a version, as it was given: DISM does not read the
// form for pipes that is made of it at intake.
func findWIM(m wire.ContentManifest) (wire.ContentFile, error) {
	var found []wire.ContentFile
	for _, f := range m.Files {
		ext := strings.ToLower(filepath.Ext(f.Path))
		if f.Form == "" && (ext == ".wim" || ext == ".esd") {
			found = append(found, f)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return wire.ContentFile{}, fmt.Errorf("the content %q holds no image that WinPE can apply: a .wim or .esd", m.Name)
	}
	return wire.ContentFile{}, fmt.Errorf("the content %q holds %d images. Keep each in an item of its own", m.Name, len(found))
}

// checkAnswers tries whether the answer file can be made.
func checkAnswers(settings unattend.Settings, given string) error {
	file := unattend.New()
	if given != "" {
		var err error
		if file, err = unattend.Parse([]byte(given)); err != nil {
			return fmt.Errorf("the option Unattend: %w", err)
		}
	}
	if _, err := file.Merge(settings); err != nil {
		return fmt.Errorf("the answer file: %w", err)
	}
	return nil
}

func (y *target) applyWIM(ctx context.Context, ref tasksequence.Reference, wim wire.ContentFile, choice string) error {
	folder, remove, err := y.work("image")
	if err != nil {
		return err
	}
	defer remove()
	file := filepath.Join(folder, "image"+strings.ToLower(filepath.Ext(wim.Path)))
	if err := y.fetchFile(ctx, ref, wim.Path, wim.Size, file); err != nil {
		return err
	}
	scratch := filepath.Join(folder, "scratch")
	if err := os.Mkdir(scratch, 0o700); err != nil {
		return fmt.Errorf("make a folder on the target disk: %w", err)
	}
	return y.tool(ctx, "applying "+wim.Path, "dism.exe", "/English", "/Apply-Image", "/ImageFile:"+file,
		choice, "/ApplyDir:"+y.root, "/ScratchDir:"+scratch)
}

// bootable writes the boot files: onto the EFI system partition, for a BIOS beside
// Windows, whose partition is the active one.
func (y *target) bootable(ctx context.Context) error {
	to, firmware := y.root, "BIOS"
	if y.layout.Firmware == disk.UEFI {
		esp, ok := y.layout.Find(disk.RoleESP)
		if !ok {
			return errors.New("the target disk has no EFI system partition: Format disk makes one")
		}
		var err error
		if to, err = y.step.Machine.Disks.Device(ctx, y.layout, esp.Number); err != nil {
			return fmt.Errorf("the EFI system partition: %w", err)
		}
		firmware = "UEFI"
	}
	return y.tool(ctx, "writing the boot files", "bcdboot.exe", y.path("Windows"), "/s", strings.TrimSuffix(to, `\`), "/f", firmware)
}
