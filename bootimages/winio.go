package bootimages

import (
	"context"
	"crypto/sha256"
	"debug/pe"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// limitedBuffer keeps what is written and refuses too much.
type limitedBuffer struct {
	b    []byte
	left int
}

func (l *limitedBuffer) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return 0, fmt.Errorf("%w: a boot file has more than %d MiB", ErrSourceDamaged, maxBootFile>>20)
	}
	l.left -= len(p)
	l.b = append(l.b, p...)
	return len(p), nil
}

// countWriter tells how much has been written.
type countWriter struct {
	w    io.Writer
	n    int64
	done func(int64)
}

func (c *countWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	c.done(c.n)
	return n, err
}

// hashWithProgress hashes a large file.
func hashWithProgress(ctx context.Context, p string, m *meter) (string, error) {
	f, err := os.Open(p)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(&countWriter{w: h, done: func(n int64) { m.done(n, info.Size()) }}, &contextReader{ctx, f})
	return hex.EncodeToString(h.Sum(nil)), err
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// WindowsAgentPaths lists where the agent for Windows is looked for.
func WindowsAgentPaths(arch string) []string {
	name := "slipway-agent.exe"
	if arch != X64 {
		name = "slipway-agent-" + arch + ".exe"
	}
	var out []string
	if exe, err := os.Executable(); err == nil {
		out = append(out, filepath.Join(filepath.Dir(exe), name))
	}
	return append(out, filepath.Join("bin", name), filepath.Join("/usr/lib/slipway", name))
}

// FindWindowsAgent returns the path of an agent for Windows on the architecture.
func FindWindowsAgent(given, arch string) (string, error) {
	paths := []string{given}
	if given == "" {
		paths = WindowsAgentPaths(arch)
	}
	for _, p := range paths {
		f, err := pe.Open(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("%w: %s: not a Windows program: %w", ErrNoAgent, p, err)
		}
		machine := f.Machine
		if err := f.Close(); err != nil {
			return "", err
		}
		if machine != peMachine(arch) {
			return "", fmt.Errorf("%w: %s is not for %s", ErrNoAgent, p, arch)
		}
		return p, nil
	}
	return "", fmt.Errorf("%w: looked at %s; run \"make build\"", ErrNoAgent, strings.Join(paths, ", "))
}
