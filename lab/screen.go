package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"slices"
	"strings"
)

// Screenshot writes the machine's framebuffer to <run>/<name>.png and returns the path.
func (m *Machine) Screenshot(ctx context.Context, name string) (string, error) {
	ppm := m.run.Path(name + ".ppm")
	if err := m.QMP.Run(ctx, "screendump", map[string]string{"filename": ppm}, nil); err != nil {
		return "", err
	}
	defer os.Remove(ppm)
	b, err := os.ReadFile(ppm)
	if err != nil {
		return "", err
	}
	img, err := decodePPM(bytes.NewReader(b))
	if err != nil {
		return "", fmt.Errorf("the machine's screen: %w", err)
	}
	path := m.run.Path(name + ".png")
	out, err := os.Create(path)
	if err != nil {
		return "", err
	}
	if err := png.Encode(out, img); err != nil {
		out.Close()
		return "", err
	}
	return path, out.Close()
}

// TextScreen reads what a BIOS machine shows in text mode: the loader's messages,
// which no serial line has.
func (m *Machine) TextScreen(ctx context.Context) (string, error) {
	const columns, rows, address = 80, 25, 0xb8000 // VGA text mode 3
	file := m.run.Path(m.Name + ".vga")
	args := map[string]any{"val": address, "size": 2 * columns * rows, "filename": file}
	if err := m.QMP.Run(ctx, "pmemsave", args, nil); err != nil {
		return "", err
	}
	defer os.Remove(file)
	cells, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	return textOfCells(cells, columns), nil
}

// textOfCells takes the characters out of cells of a character and its colours.
func textOfCells(cells []byte, columns int) string {
	var lines []string
	for row := range slices.Chunk(cells, 2*columns) {
		var line []byte
		for i := 0; i < len(row); i += 2 {
			c := row[i]
			if c < ' ' || c > '~' {
				c = ' '
			}
			line = append(line, c)
		}
		lines = append(lines, strings.TrimRight(string(line), " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// decodePPM reads the one form QEMU writes: binary ("P6"), 8 bits a colour.
func decodePPM(r io.Reader) (image.Image, error) {
	in := bufio.NewReader(r)
	var magic string
	var w, h, top int
	if _, err := fmt.Fscan(in, &magic, &w, &h, &top); err != nil {
		return nil, fmt.Errorf("read PPM header: %w", err)
	}
	if magic != "P6" || top != 255 || w < 1 || h < 1 || w > 1<<14 || h > 1<<14 {
		return nil, errors.New("not an 8-bit binary PPM")
	}
	if _, err := in.ReadByte(); err != nil { // the one blank after the header
		return nil, err
	}
	row := make([]byte, 3*w)
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		if _, err := io.ReadFull(in, row); err != nil {
			return nil, fmt.Errorf("read PPM row %d: %w", y, err)
		}
		for x := range w {
			img.SetRGBA(x, y, color.RGBA{row[3*x], row[3*x+1], row[3*x+2], 255})
		}
	}
	return img, nil
}
