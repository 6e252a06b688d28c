package steps

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"slipway/agent/internal/disk"
	"slipway/agent/internal/imaging"
	"slipway/tasksequence"
)

// leftOut is what no capture holds: file systems of the running kernel, what is made
// anew at each start, boot loaders (Apply operating system installs them), and the
// agent's own files.
var leftOut = [...]string{"dev/*", "proc/*", "sys/*", "run/*", "tmp/*", "var/tmp/*", "lost+found", "boot/efi/*", "swapfile", "swap.img",
	"var/cache/slipway", "var/lib/slipway-agent", "usr/local/sbin/slipway-agent", "etc/slipway-agent.json",
	"etc/systemd/system/slipway-agent.service", "etc/systemd/system/multi-user.target.wants/slipway-agent.service"}

// captureImage packs the target's system into new content.
func captureImage(ctx context.Context, s *Step) (Outcome, error) {
	y, err := openSystem(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	defer y.close()
	exclude := leftOut[:]
	for line := range strings.Lines(s.Settings.Text("Exclude")) {
		if line = strings.Trim(strings.TrimSpace(line), "/"); line != "" {
			exclude = append(exclude, line)
		}
	}
	kind := s.Settings.Text("ImageType")
	to, name, err := beginCapture(ctx, s, kind)
	if err != nil {
		return Outcome{}, err
	}
	out := &tally{Writer: to}
	if kind == tasksequence.CaptureWIM {
		err = captureWIM(ctx, s, y.root, out, exclude)
	} else {
		err = captureTar(ctx, s, y.root, out, exclude)
	}
	if err != nil {
		to.Abort()
		return Outcome{}, err
	}
	return Outcome{}, endCapture(ctx, s, to, name, out.n.Load())
}

func captureTar(ctx context.Context, s *Step, root string, out *tally, exclude []string) error {
	last := int64(-1)
	done, err := imaging.Pack(ctx, root, out, imaging.PackOptions{
		Exclude: exclude, Strength: s.Settings.Text("Compression"),
		Warn: func(text string) { s.Log("warn", text) },
		Progress: func(done int64) {
			if done>>26 != last { // each 64 MiB
				last = done >> 26
				s.Progress(-1, "captured "+disk.Bytes(done))
			}
		}})
	if err != nil {
		return fmt.Errorf("capture the system: %w", err)
	}
	s.Log("info", fmt.Sprintf("%d entries, %s", done.Entries, disk.Bytes(done.Bytes)))
	return nil
}

// captureWIM has wimlib write a WIM that can be applied from a pipe.
func captureWIM(ctx context.Context, s *Step, root string, out *tally, exclude []string) error {
	const tool = "wimlib-imagex"
	config, err := s.Machine.Files.Temporary("capture-*.ini")
	if err != nil {
		return fmt.Errorf("make a list of what is left out: %w", err)
	}
	defer func() { _ = s.Machine.Files.Remove(config) }()
	list := "[ExclusionList]\n"
	for _, pattern := range exclude {
		list += "/" + strings.Trim(pattern, "/") + "\n"
	}
	if err := s.Machine.Files.Write(config, []byte(list)); err != nil {
		return fmt.Errorf("make a list of what is left out: %w", err)
	}
	strength := map[string]string{"fast": "XPRESS", "default": "LZX:20", "best": "LZX:100"}[s.Settings.Text("Compression")]
	code, err := s.Machine.Exec.Run(ctx, Command{
		Args: []string{tool, "capture", root, "-", s.Settings.Text("Name"), s.Settings.Text("Description"),
			"--pipable", "--unix-data", "--no-acls", "--compress=" + strength, "--config=" + config},
		Output: out, Stderr: func(line string) {
			s.Progress(-1, "captured, packed: "+disk.Bytes(out.n.Load()))
			if strings.HasPrefix(line, "[") {
				s.Log("info", line)
			}
		}})
	if err == nil && code != 0 {
		err = fmt.Errorf("it ended with exit code %d", code)
	}
	if err != nil {
		return fmt.Errorf("capture the system: %s: %w", tool, err)
	}
	return nil
}

// tally counts what is written. A program's output and its messages come at once.
type tally struct {
	io.Writer
	n atomic.Int64
}

func (t *tally) Write(p []byte) (int, error) {
	n, err := t.Writer.Write(p)
	t.n.Add(int64(n))
	return n, err
}
