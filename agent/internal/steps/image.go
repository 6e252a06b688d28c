package steps

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"slipway/agent/wire"
)

// imageKind is what an image is, which decides how it is put onto a disk.
type imageKind string

const (
	imageTar imageKind = "root file system"
	imageWIM imageKind = "WIM"
	imageRaw imageKind = "disk image"
)

// image is the file of a version that is an image.
type image struct {
	wire.ContentFile
	kind imageKind
}

// kindOf tells an image by its form or its name; "" when it is none.
func kindOf(f wire.ContentFile) imageKind {
	switch f.Form {
	case wire.FormHoles:
		return imageRaw
	case wire.FormPipableWIM:
		return imageWIM
	}
	name := strings.ToLower(f.Path)
	for _, packed := range []string{".zst", ".gz", ".xz"} {
		name = strings.TrimSuffix(name, packed)
	}
	for kind, ends := range map[imageKind][]string{
		imageTar: {".tar", ".tgz", ".txz", ".tzst"},
		imageWIM: {".wim", ".esd"},
		imageRaw: {".img", ".raw", ".dd", ".qcow2"},
	} {
		for _, end := range ends {
			if strings.HasSuffix(name, end) {
				return kind
			}
		}
	}
	return ""
}

// findImage finds the one file of a version that is an image. A form that was made
// at intake stands for the file it was made of.
func findImage(m wire.ContentManifest) (image, error) {
	originals := map[string]bool{}
	for _, f := range m.Files {
		if f.Original != "" {
			originals[f.Original] = true
		}
	}
	var found []image
	var names []string
	for _, f := range m.Files {
		if kind := kindOf(f); kind != "" && !originals[f.Path] {
			found = append(found, image{f, kind})
			names = append(names, f.Path)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return image{}, fmt.Errorf("the content %q holds no image: a root file system (.tar, .tar.zst, .tar.gz, .tar.xz), a WIM (.wim) or a disk image (.img, .raw, .qcow2)", m.Name)
	}
	return image{}, fmt.Errorf("the content %q holds more than one image: %s. Keep each in an item of its own", m.Name, strings.Join(names, ", "))
}

// meter counts what is read of an image and reports it in percent. tell is called
// by the consumer: reading may happen elsewhere.
type meter struct {
	io.Reader
	size int64
	text string
	step *Step
	read atomic.Int64
	last int
}

func newMeter(r io.Reader, size int64, text string, s *Step) *meter {
	return &meter{Reader: r, size: size, text: text, step: s, last: -1}
}

// Read implements io.Reader.
func (m *meter) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	m.read.Add(int64(n))
	return n, err
}

func (m *meter) tell() {
	if percent := int(m.read.Load() * 100 / max(m.size, 1)); percent != m.last {
		m.last = percent
		m.step.Progress(percent, m.text)
	}
}
