// Package sevenzip reads files out of disc images with 7z (Debian package
// p7zip-full): Windows' discs have a UDF file system, which neither Debian's kernel
// nor xorriso reads.
package sevenzip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// Errors of this package.
var (
	ErrNoTool  = errors.New("7z was not found on the appliance's machine, and Windows discs cannot be read without it: install the Debian package p7zip-full (apt-get install p7zip-full)")
	ErrDamaged = errors.New("the disc image is cut short or damaged: copy or download it again")
)

// File is a file in a disc image.
type File struct {
	Path string // with slashes
	Size int64
}

// maxFiles bounds the list; Windows' discs have some thousand.
const maxFiles = 200_000

func tool() (string, error) {
	for _, name := range []string{"7z", "7zz"} {
		if p, err := exec.LookPath(name); err == nil {
			return p, nil
		}
	}
	return "", ErrNoTool
}

// List lists the files of a disc image.
func List(ctx context.Context, image string) ([]File, error) {
	p, err := tool()
	if err != nil {
		return nil, err
	}
	var out, errs bytes.Buffer
	// -spd: the name is no pattern.
	cmd := exec.CommandContext(ctx, p, "l", "-slt", "-sccUTF-8", "-spd", "--", image)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	files := parse(out.String())
	// Files that lie behind the cut are listed all the same; what is needed of them
	// shows when it is copied.
	if err != nil && len(files) == 0 {
		return nil, fmt.Errorf("%w (7z: %s)", ErrDamaged, lastLine(errs.String()+out.String()))
	}
	return files, nil
}

// parse reads the list of 7z -slt: after a line of dashes, blocks of "Name = value".
func parse(text string) []File {
	_, text, _ = strings.Cut(text, "\n----------\n")
	var files []File
	for block := range strings.SplitSeq(text, "\n\n") {
		var f File
		folder := false
		for line := range strings.SplitSeq(block, "\n") {
			name, value, _ := strings.Cut(strings.TrimRight(line, "\r"), " = ")
			switch name {
			case "Path":
				f.Path = strings.ReplaceAll(value, `\`, "/")
			case "Folder":
				folder = value == "+"
			case "Size":
				f.Size, _ = strconv.ParseInt(value, 10, 64) // folders have none
			}
		}
		if f.Path != "" && !folder && f.Size >= 0 && len(files) < maxFiles {
			files = append(files, f)
		}
	}
	return files
}

// Find returns the file of a path, whatever its case.
func Find(files []File, path string) (File, bool) {
	for _, f := range files {
		if strings.EqualFold(f.Path, path) {
			return f, true
		}
	}
	return File{}, false
}

// Copy writes a file of a disc image. Its size must be as listed.
func Copy(ctx context.Context, w io.Writer, image string, f File) error {
	p, err := tool()
	if err != nil {
		return err
	}
	if strings.ContainsAny(f.Path, "*?") {
		return fmt.Errorf("%w: the name %q", ErrDamaged, f.Path)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var errs bytes.Buffer
	// -spd: the names are no patterns.
	cmd := exec.CommandContext(ctx, p, "x", "-so", "-spd", "--", image, f.Path)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	count := &counter{w: w}
	cmd.Stdout, cmd.Stderr = count, &errs
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case count.err != nil:
		return count.err
	case err != nil || count.n != f.Size:
		return fmt.Errorf("%w: %d bytes of %d of %s are there (7z: %s)", ErrDamaged, count.n, f.Size, f.Path, lastLine(errs.String()))
	}
	return nil
}

type counter struct {
	w   io.Writer
	n   int64
	err error
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	if err != nil {
		c.err = err
	}
	return n, err
}

func lastLine(text string) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	for i := len(lines) - 1; i >= 0; i-- {
		if line := strings.TrimSpace(lines[i]); line != "" {
			return strings.Map(func(r rune) rune {
				if r < 0x20 || r == 0x7f {
					return ' '
				}
				return r
			}, line[:min(len(line), 200)])
		}
	}
	return "it says nothing"
}
