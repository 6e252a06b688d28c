package bzimage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// Tool is the xz program of XZ Utils.
type Tool struct {
	Path    string
	Version string // of liblzma, which decides on the bytes
}

// FindTool finds xz on this machine.
func FindTool(ctx context.Context) (*Tool, error) {
	path, err := exec.LookPath("xz")
	if err != nil {
		return nil, errors.New("xz is not installed (package xz-utils)")
	}
	out, err := quiet(ctx, path, "--robot", "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("xz --version: %w", err)
	}
	// XZ_VERSION=50040012 and LIBLZMA_VERSION=50040012
	for line := range strings.Lines(string(out)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "LIBLZMA_VERSION="); ok && v != "" {
			return &Tool{Path: path, Version: v}, nil
		}
	}
	return nil, errors.New("xz --version names no liblzma")
}

// Pack is a Packer. It takes about a second of processor time a megabyte, and memory
// of some eleven times the dictionary.
func (t *Tool) Pack(ctx context.Context, content []byte, x86 bool, dictionary int) ([]byte, error) {
	args := []string{"--format=raw", "--compress", "--stdout", "--threads=1"}
	if x86 {
		args = append(args, "--x86")
	}
	cmd := quiet(ctx, t.Path, append(args, fmt.Sprintf("--lzma2=preset=6e,dict=%d,nice=273", dictionary))...)
	var out, message bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(content), &out, &message
	if err := cmd.Run(); err != nil {
		return nil, errors.Join(ctx.Err(), fmt.Errorf("xz: %w %s", err, strings.TrimSpace(message.String())))
	}
	return out.Bytes(), nil
}

// quiet is a command without the user's defaults for xz (XZ_OPT, XZ_DEFAULTS).
func quiet(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = []string{"LC_ALL=C"}
	return cmd
}
