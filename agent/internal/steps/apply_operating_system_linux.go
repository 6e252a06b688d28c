package steps

import (
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
	"slipway/agent/internal/imaging"
	"slipway/agent/internal/targetstate"
	"slipway/agent/internal/windowstarget"
	"slipway/tasksequence"
)

// targetDrive is the variable that names where the target's system is mounted.
const targetDrive = "OSDTargetSystemDrive"

// applyOperatingSystem puts the image of a content version onto the target disk.
func applyOperatingSystem(ctx context.Context, s *Step) (Outcome, error) {
	if err := bootable.CheckOptions(s.Settings.Text("KernelOptions")); err != nil {
		return Outcome{}, err
	}
	ref, ok := s.Settings.Content("OperatingSystem")
	if !ok {
		return Outcome{}, errors.New("the step names no operating system")
	}
	manifest, err := s.Machine.Content.Manifest(ctx, ref)
	if err != nil {
		return Outcome{}, err
	}
	img, err := findImage(manifest)
	if err != nil {
		return Outcome{}, err
	}
	s.Log("info", fmt.Sprintf("%s, version %d: %s %s, %s", manifest.Name, manifest.Version, img.kind, img.Path, disk.Bytes(img.Size)))
	if err := applyImage(ctx, s, ref, img, manifest.Name); err != nil {
		return Outcome{}, err
	}
	return Outcome{}, nil
}

// applyImage chooses the way by the kind of image, and by what the disk was laid out for.
func applyImage(ctx context.Context, s *Step, ref tasksequence.Reference, img image, name string) error {
	switch img.kind {
	case imageTar:
		if onWindows(s) {
			return fmt.Errorf("%s is a root file system of Linux, and the target disk is laid out for Windows: Format disk with the layout linux has to come before", img.Path)
		}
		return applyFiles(ctx, s, ref, img, extractTar)
	case imageWIM:
		if onWindows(s) {
			return applyWindows(ctx, s, ref, img, s.Settings.Text("ImageName"), s.Settings.Int("ImageIndex"))
		}
		return applyFiles(ctx, s, ref, img, extractWIM)
	case imageRaw:
		return applyDisk(ctx, s, ref, img.ContentFile, name)
	}
	return fmt.Errorf("%s is a %s, which this agent cannot apply: rebuild the boot image", img.Path, img.kind)
}

// extract puts an image that streams in below root.
type extract func(ctx context.Context, s *Step, m *meter, root string) error

// applyFiles fills the target's file systems and makes them boot.
func applyFiles(ctx context.Context, s *Step, ref tasksequence.Reference, img image, into extract) error {
	layout, err := disk.ParseLayout(s.Vars.Text(tasksequence.VariableTargetLayout))
	if err != nil {
		return err
	}
	if part, ok := layout.Find(disk.RoleRoot); ok && img.RawSize > part.Size {
		return fmt.Errorf("the image has %s unpacked, the target's root has %s", disk.Bytes(img.RawSize), disk.Bytes(part.Size))
	}
	root, err := s.Machine.Disks.Mount(ctx, layout)
	if err != nil {
		return fmt.Errorf("mount the target disk: %w", err)
	}
	if err := imaging.Empty(root, "lost+found", strings.TrimPrefix(targetstate.Folder, "/")); err != nil {
		return err
	}
	stream, err := s.Machine.Content.Open(ctx, ref, img.Path)
	if err != nil {
		return err
	}
	defer stream.Close()
	m := newMeter(stream, img.Size, "applying "+img.Path, s)
	if err := into(ctx, s, m, root); err != nil {
		return fmt.Errorf("apply %s: %w", img.Path, whenFull(root, err))
	}
	if _, err := os.Lstat(root + "/etc"); err != nil {
		if windowstarget.IsWindows(root) {
			return fmt.Errorf("%s holds a Windows, and the target disk is laid out for Linux: Format disk with the layout windows has to come before", img.Path)
		}
		return fmt.Errorf("%s is no root file system of an operating system: it holds no /etc", img.Path)
	}
	if err := finishSystem(ctx, s, layout); err != nil {
		return err
	}
	return s.Vars.SetSystem(targetDrive, tasksequence.Value{Text: root})
}

// whenFull says what to do when the target's file system ran full. Tools tell that in
// their own words: it is asked for too.
func whenFull(root string, err error) error {
	var st unix.Statfs_t
	if !errors.Is(err, unix.ENOSPC) && (unix.Statfs(root, &st) != nil || st.Bavail > 0 && st.Ffree > 0) {
		return err
	}
	return fmt.Errorf("the target's file system is full: the image needs a larger disk or root partition (%w)", err)
}

func extractTar(ctx context.Context, s *Step, m *meter, root string) error {
	done, err := imaging.Extract(ctx, m, root, imaging.ExtractOptions{
		System:   true,
		Warn:     func(text string) { s.Log("warn", text) },
		Progress: func(int64) { m.tell() },
	})
	if err != nil {
		return err
	}
	s.Log("info", fmt.Sprintf("%d entries, %s", done.Entries, disk.Bytes(done.Bytes)))
	return nil
}

// extractWIM has wimlib read a pipable WIM from a pipe.
func extractWIM(ctx context.Context, s *Step, m *meter, root string) error {
	if err := s.needTools(ctx, wimTool); err != nil {
		return err
	}
	return runWimlib(ctx, s, m, m, "apply", "-", strconv.Itoa(s.Settings.Int("ImageIndex")), root, "--unix-data")
}

// wimTool is the program that reads WIMs (wimlib).
const wimTool = "wimlib-imagex"

// runWimlib runs it on a stream whose reading m counts.
func runWimlib(ctx context.Context, s *Step, in io.Reader, m *meter, args ...string) error {
	last := ""
	code, err := s.Machine.Exec.Run(ctx, Command{
		Args: append([]string{wimTool}, args...), Input: in,
		Stdout: func(line string) {
			m.tell()
			if line = strings.TrimSpace(line); line != "" && !strings.Contains(line, "% done") && !strings.HasSuffix(line, "%) done") {
				s.Log("info", line)
			}
		},
		Stderr: func(line string) {
			if line = strings.TrimSpace(line); line != "" {
				last = ": " + line
				s.Log("warn", line)
			}
		},
	})
	if err == nil && code != 0 {
		err = fmt.Errorf("it ended with exit code %d%s", code, last)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", wimTool, err)
	}
	return nil
}

// finishSystem gives the new system an identity of its own and makes it boot. It is
// mounted before and afterwards.
func finishSystem(ctx context.Context, s *Step, layout disk.Layout) error {
	y, err := openSystem(ctx, s)
	if err != nil {
		return err
	}
	err = newIdentity(ctx, y)
	t := bootable.Target{Root: y.root, Layout: layout, Disks: s.Machine.Disks, Options: s.Settings.Text("KernelOptions"),
		Timeout: s.Settings.Int("BootTimeout"), Run: y.run, Log: s.Log, EFIVariables: s.Machine.efiVariables()}
	y.close()
	if err == nil {
		err = bootable.Make(ctx, t)
	}
	if err != nil {
		return err
	}
	if _, err := s.Machine.Disks.Mount(ctx, layout); err != nil {
		return fmt.Errorf("mount the target disk: %w", err)
	}
	return nil
}

// newIdentity removes what was another machine's, and makes SSH host keys where the
// system has a server: Debian's makes none at its start.
func newIdentity(ctx context.Context, y *system) (err error) {
	done, err := bootable.ResetIdentity(y.dir)
	for _, text := range done {
		y.step.Log("info", text)
	}
	if err != nil || !y.has("ssh-keygen") || !y.exists("etc/ssh") {
		return err
	}
	undo, err := bootable.Bind(y.root)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, undo()) }()
	if err := y.run(ctx, "ssh-keygen", "-A"); err != nil {
		y.step.Log("warn", fmt.Sprintf("no SSH host keys were made: %v", err))
	}
	return nil
}
