package catalogue

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
)

// Vendor is a maker whose published list is understood.
type Vendor struct {
	Name string // of the catalogue
	URL  string // where the maker publishes its list
	read func(text []byte) ([]Entry, error)
}

// Vendors lists them.
func Vendors() []Vendor {
	return []Vendor{
		{Name: "dell", URL: "https://downloads.dell.com/catalog/DriverPackCatalog.cab", read: readDell},
		{Name: "hp", URL: "https://hpia.hpcloud.hp.com/downloads/driverpackcatalog/HPClientDriverPackCatalog.cab", read: readHP},
		{Name: "lenovo", URL: "https://download.lenovo.com/cdrt/td/catalogv2.xml", read: readLenovo},
		{Name: "microsoft", URL: "https://go.microsoft.com/fwlink/?LinkId=2156292", read: readMicrosoft},
	}
}

// FindVendor finds a maker by its name.
func FindVendor(name string) (Vendor, error) {
	var names []string
	for _, v := range Vendors() {
		if strings.EqualFold(v.Name, name) {
			return v, nil
		}
		names = append(names, v.Name)
	}
	return Vendor{}, invalid("vendor: %.60q is unknown; use one of %s", name, strings.Join(names, ", "))
}

// Read reads a maker's list, the XML. Entries that make no sense are left out and
// counted: a maker's mistake in one of thousands takes nothing from the others.
func (v Vendor) Read(text []byte) (c Catalogue, left int, err error) {
	if len(text) > MaxBytes {
		return c, 0, invalid("the list is larger than %d bytes", MaxBytes)
	}
	entries, err := v.read(text)
	if err != nil {
		return c, 0, invalid("the list of %s cannot be read: %w", v.Name, err)
	}
	c = Catalogue{Format: Format, Name: v.Name}
	for _, e := range entries {
		if e.check() != nil || len(c.Entries) >= MaxEntries {
			left++
			continue
		}
		c.Entries = append(c.Entries, e)
	}
	if len(c.Entries) == 0 {
		return c, left, invalid("the list of %s holds nothing that can be fetched: is it the right file?", v.Name)
	}
	return c, left, nil
}

// decode reads XML in UTF-8 or UTF-16.
func decode(text []byte, into any) error {
	d := xml.NewDecoder(bytes.NewReader(plainText(text)))
	d.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		switch strings.ToLower(label) {
		case "utf-8", "utf-16", "utf-16le", "us-ascii": // made UTF-8 already
			return in, nil
		}
		return nil, fmt.Errorf("it is written in %.40q, which is not known", label)
	}
	err := d.Decode(into)
	if errors.Is(err, io.EOF) {
		err = errors.New("it is empty")
	}
	return err
}

// plainText makes UTF-8 of a text.
func plainText(b []byte) []byte {
	order := 0
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		b = b[2:]
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		b, order = b[2:], 1
	case len(b) > 1 && b[0] == '<' && b[1] == 0:
	default:
		return bytes.TrimPrefix(b, []byte("\ufeff"))
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = uint16(b[2*i+order]) | uint16(b[2*i+1-order])<<8
	}
	return []byte(string(utf16.Decode(units)))
}

// windowsName finds the Windows that a text speaks of; empty: none.
func windowsName(text string) string {
	text = strings.ToLower(strings.ReplaceAll(text, " ", ""))
	for _, n := range []string{"11", "10"} {
		if strings.Contains(text, "windows"+n) || strings.Contains(text, "win"+n) {
			return "Windows " + n
		}
	}
	return ""
}

// processor is the architecture that a maker's word means; x64 when it says nothing.
func processor(text string) string {
	switch text = strings.ToLower(strings.TrimSpace(text)); {
	case strings.Contains(text, "arm"):
		return "arm64"
	case strings.Contains(text, "86") && !strings.Contains(text, "64"), strings.HasPrefix(text, "32"):
		return "x86"
	}
	return "x64"
}

// set is texts that are not empty, each once, whatever the case.
type set struct {
	list []string
	has  map[string]bool
}

func (s *set) add(texts ...string) {
	if s.has == nil {
		s.has = map[string]bool{}
	}
	for _, t := range texts {
		if t = words(t); t != "" && !s.has[strings.ToLower(t)] {
			s.has[strings.ToLower(t)] = true
			s.list = append(s.list, t)
		}
	}
}

// distinct are the texts that are not empty, each once, whatever the case.
func distinct(texts ...string) []string {
	var s set
	s.add(texts...)
	return s.list
}
