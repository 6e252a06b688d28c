package catalogue

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// ErrNoTool tells what reads cabinets.
var ErrNoTool = errors.New("neither cabextract nor 7z was found on the appliance's machine, and makers publish their lists as cabinets: install the Debian package cabextract")

// unpackTime bounds the unpacking of a list.
const unpackTime = 2 * time.Minute

// readList reads a list; of a cabinet, the XML in it.
func readList(ctx context.Context, path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, invalid("%w", err)
	}
	defer f.Close()
	head := make([]byte, 4)
	if _, err := io.ReadFull(f, head); err != nil {
		return nil, invalid("the file is empty or cut short")
	}
	if string(head) == "MSCF" {
		return fromCabinet(ctx, path)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err == nil && len(text) > MaxBytes {
		err = invalid("the list is larger than %d bytes", MaxBytes)
	}
	return text, err
}

// fromCabinet has a tool write the XML files of a cabinet.
func fromCabinet(ctx context.Context, path string) ([]byte, error) {
	var args []string
	if tool, err := exec.LookPath("cabextract"); err == nil {
		args = []string{tool, "--pipe", "--quiet", "--filter", "*.xml", "--", path}
	} else if tool, err := exec.LookPath("7z"); err == nil {
		args = []string{tool, "x", "-so", "-bd", "-tcab", "--", path, "*.xml"}
	} else {
		return nil, ErrNoTool
	}
	ctx, cancel := context.WithTimeout(ctx, unpackTime)
	defer cancel()
	out, errs := &bounded{most: MaxBytes, full: cancel}, &bounded{most: 1000}
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Stdout, c.Stderr, c.WaitDelay = out, errs, time.Second
	err := c.Run()
	switch {
	case out.over:
		return nil, invalid("the list in the cabinet is larger than %d bytes", MaxBytes)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, invalid("the cabinet cannot be unpacked: %w: %s", err, strings.ToValidUTF8(strings.TrimSpace(errs.kept.String()), "?"))
	case out.kept.Len() == 0:
		return nil, invalid("the cabinet holds no XML")
	}
	return out.kept.Bytes(), nil
}

// bounded keeps the first bytes of an output; full, if there is one, is called when there
// are more. Its buffer is no part of its face: the buffer's ReadFrom knows no bound.
type bounded struct {
	kept bytes.Buffer
	most int
	over bool
	full func()
}

func (b *bounded) Write(p []byte) (int, error) {
	room := b.most - b.kept.Len()
	if room < len(p) && !b.over {
		b.over = true
		if b.full != nil {
			b.full()
		}
	}
	b.kept.Write(p[:min(len(p), room)])
	return len(p), nil // what the tool says beside its output must not end it
}
