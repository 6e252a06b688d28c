package wim

import (
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
)

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
	Edition      string
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
		Windows     *struct {
			Arch      string   `xml:"ARCH"`
			Edition   string   `xml:"EDITIONID"`
			Languages []string `xml:"LANGUAGES>LANGUAGE"`
			Version   struct {
				Major   string `xml:"MAJOR"`
				Minor   string `xml:"MINOR"`
				Build   string `xml:"BUILD"`
				SPBuild string `xml:"SPBUILD"`
			} `xml:"VERSION"`
		} `xml:"WINDOWS"`
	} `xml:"IMAGE"`
}

// parseXML reads a description of that many images.
func parseXML(raw []byte, images int) (Info, error) {
	var d document
	dec := xml.NewDecoder(strings.NewReader(text(raw)))
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
		image := Image{Index: i.Index, Name: printable(i.Name), Description: printable(i.Description)}
		if image.Name == "" {
			image.Name = printable(i.Display)
		}
		if w := i.Windows; w != nil {
			image.Architecture, image.Edition = architectures[strings.TrimSpace(w.Arch)], printable(w.Edition)
			for _, l := range w.Languages {
				image.Languages = append(image.Languages, printable(l))
			}
			if v := w.Version; v.Major != "" && v.Build != "" {
				image.Version = printable(v.Major + "." + v.Minor + "." + v.Build)
				if v.SPBuild != "" {
					image.Version += "." + printable(v.SPBuild)
				}
			}
		}
		out.Images = append(out.Images, image)
	}
	return out, nil
}

// text converts UTF-16 LE with its mark.
func text(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff")
}

// printable makes one line of what stands in a file of others, bounded.
func printable(s string) string {
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
