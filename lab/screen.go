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
