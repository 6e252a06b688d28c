// Package wim reads what Windows image files say of themselves ("Windows Imaging File
// Format (WIM)", Microsoft 2007): names, architecture, language and size of the images
// in them.
package wim

import (
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
)

// ErrDamaged: a file does not hold what its parts say.
var ErrDamaged = errors.New("the image is damaged: copy or download it again")

// Info describes an image file.
type Info struct {
	Images []Image
	Boot   int // index of the image that is booted; 0: none
}

// Image is one image of the file.
type Image struct {
	Index        int // from 1
	Name         string
	Description  string
	Architecture string // x64, arm64, x86, arm; "": not said
	Version      string // "10.0.26100.1742"
	Languages    []string
	Language     string // the one it starts with
	Edition      string
	Installation string // Client, Server, Server Core, WindowsPE, ...
	Windows      bool   // it says that it is a Windows
	Bytes        int64  // of all files, unpacked; 0: not said
}

// Product is what Windows of this image is called, as its boot entry shows it:
// Windows 11 counts its builds from 22000, and still calls itself 10.
func (i Image) Product() string {
	var major, minor, build int
	if n, _ := fmt.Sscanf(i.Version, "%d.%d.%d", &major, &minor, &build); n < 3 || major < 10 {
		return "Windows"
	}
	switch {
	case strings.HasPrefix(i.Installation, "Server"):
		return "Windows Server"
	case build >= 22000:
		return "Windows 11"
	}
	return "Windows 10"
}

// architectures are the processor numbers of winnt.h.
var architectures = map[string]string{"0": "x86", "5": "arm", "9": "x64", "12": "arm64"}

// document is the description's form.
type document struct {
	Images []struct {
		Index       int    `xml:"INDEX,attr"`
		Name        string `xml:"NAME"`
		Description string `xml:"DESCRIPTION"`
		Display     string `xml:"DISPLAYNAME"`
		Bytes       string `xml:"TOTALBYTES"`
		Windows     *struct {
			Arch      string   `xml:"ARCH"`
			Edition   string   `xml:"EDITIONID"`
			Install   string   `xml:"INSTALLATIONTYPE"`
			Languages []string `xml:"LANGUAGES>LANGUAGE"`
			Language  string   `xml:"LANGUAGES>DEFAULT"`
			Version   struct {
				Major   string `xml:"MAJOR"`
				Minor   string `xml:"MINOR"`
				Build   string `xml:"BUILD"`
				SPBuild string `xml:"SPBUILD"`
			} `xml:"VERSION"`
		} `xml:"WINDOWS"`
	} `xml:"IMAGE"`
}

// Parse reads a description of that many images, as it stands in the file: UTF-16.
// Its errors wrap ErrDamaged.
func Parse(raw []byte, images int) (Info, error) {
	var d document
	dec := xml.NewDecoder(strings.NewReader(Text(raw)))
	dec.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // it was converted
	if err := dec.Decode(&d); err != nil {
		return Info{}, fmt.Errorf("%w: its description: %w", ErrDamaged, err)
	}
	if len(d.Images) != images {
		return Info{}, fmt.Errorf("%w: it describes %d images and holds %d", ErrDamaged, len(d.Images), images)
	}
	var out Info
	for n, i := range d.Images {
		if i.Index != n+1 {
			return Info{}, fmt.Errorf("%w: its description: image %d stands as number %d", ErrDamaged, i.Index, n+1)
		}
		image := Image{Index: i.Index, Name: Printable(i.Name), Description: Printable(i.Description)}
		if image.Name == "" {
			image.Name = Printable(i.Display)
		}
		if w := i.Windows; w != nil {
			image.Windows, image.Architecture, image.Edition = true, architectures[strings.TrimSpace(w.Arch)], Printable(w.Edition)
			image.Installation, image.Language = Printable(w.Install), Printable(w.Language)
			for _, l := range w.Languages {
				image.Languages = append(image.Languages, Printable(l))
			}
			if v := w.Version; v.Major != "" && v.Build != "" {
				image.Version = Printable(v.Major + "." + v.Minor + "." + v.Build)
				if v.SPBuild != "" {
					image.Version += "." + Printable(v.SPBuild)
				}
			}
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(i.Bytes), 10, 64); err == nil && n > 0 {
			image.Bytes = n
		}
		out.Images = append(out.Images, image)
	}
	return out, nil
}

// Text makes text of a description as it stands in the file: UTF-16 LE with its mark.
func Text(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff")
}

// Printable makes one line of what stands in a file of others, bounded.
func Printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == '\ufffd' {
			return -1
		}
		return r
	}, strings.TrimSpace(s))
	if r := []rune(s); len(r) > 200 {
		return string(r[:200])
	}
	return s
}
