package catalogue

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Format is the number of the form of catalogues.
const Format = 1

// The kinds of entries.
const (
	KindDriverPack      = "driverpack"
	KindOperatingSystem = "operatingsystem"
)

// Catalogue is a list of what can be fetched. docs/catalogues.md tells of its form.
type Catalogue struct {
	Format  int     `json:"format"`
	Name    string  `json:"name"` // e.g. dell; also that of its file
	Entries []Entry `json:"entries"`
}

// Entry is one file that can be fetched.
type Entry struct {
	Kind     string `json:"kind"`             // driverpack or operatingsystem
	Name     string `json:"name"`             // for people, and that of the content item
	URL      string `json:"url"`              // http or https
	Size     int64  `json:"size,omitempty"`   // bytes; 0: not known
	Digest   string `json:"digest,omitempty"` // "sha256:", "sha1:" or "md5:" and hex; empty: not checked
	Released string `json:"released,omitempty"`

	OS           string `json:"os,omitempty"`           // e.g. "Windows 11"
	Version      string `json:"version,omitempty"`      // e.g. 24H2
	Architecture string `json:"architecture,omitempty"` // x64, arm64, x86

	Manufacturer string   `json:"manufacturer,omitempty"` // of a driver pack, as the variable MakeAlias has it
	Models       []string `json:"models,omitempty"`       // models, machine types and board ids that it fits

	Edition      string `json:"edition,omitempty"`      // of an operating system, e.g. Professional
	LanguageCode string `json:"languageCode,omitempty"` // e.g. de-de
	Image        string `json:"image,omitempty"`        // name of the image in the file; empty: its number
	ImageIndex   int    `json:"imageIndex,omitempty"`   // 0: the first
}

// Limits of catalogues.
const (
	MaxBytes   = 64 << 20 // of a file that is imported, unpacked
	MaxEntries = 50_000
	maxText    = 1000
	maxModels  = 1000 // of an entry
)

// ErrInvalid is wrapped by what is wrong with a catalogue.
var ErrInvalid = errors.New("not a catalogue")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrInvalid, fmt.Errorf(format, args...))
}

// Parse reads a catalogue in our own form. It is strict: a member that is not known is
// an error.
func Parse(text []byte) (Catalogue, error) {
	var c Catalogue
	if err := strictly(text, &c); err != nil {
		return c, err
	}
	return c, c.Check()
}

// strictly decodes a document whose members are all known.
func strictly(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return invalid("%w", err)
	}
	if d.More() {
		return invalid("something follows its end")
	}
	return nil
}

// Check says what is wrong with a catalogue.
func (c Catalogue) Check() error {
	switch {
	case c.Format != Format:
		return invalid("format %d is not known; this version reads format %d", c.Format, Format)
	case checkName(c.Name) != nil:
		return checkName(c.Name)
	case len(c.Entries) > MaxEntries:
		return invalid("it has %d entries; at most %d are taken", len(c.Entries), MaxEntries)
	}
	for i, e := range c.Entries {
		if err := e.check(); err != nil {
			return invalid("entry %d (%.80q): %w", i+1, e.Name, err)
		}
	}
	return nil
}

// checkName holds a catalogue's name to what can be the name of a file.
func checkName(name string) error {
	if name == "" || len(name) > 40 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return invalid("name: %.60q is none; use up to 40 small letters, digits and hyphens", name)
	}
	return nil
}

func (e Entry) check() error {
	texts := append([]string{e.Name, e.URL, e.OS, e.Version, e.Architecture, e.Manufacturer, e.Edition, e.LanguageCode, e.Image, e.Released}, e.Models...)
	for _, t := range texts {
		if len(t) > maxText || strings.ContainsFunc(t, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return errors.New("a text is too long or holds control characters")
		}
	}
	u, err := url.Parse(e.URL)
	switch {
	case e.Kind != KindDriverPack && e.Kind != KindOperatingSystem:
		return fmt.Errorf("kind: %q is unknown; use %s or %s", e.Kind, KindDriverPack, KindOperatingSystem)
	case strings.TrimSpace(e.Name) == "":
		return errors.New("name: it is missing")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil:
		return fmt.Errorf("url: %.200q cannot be fetched; it has to begin with http:// or https:// and hold no password", e.URL)
	case e.Size < 0 || e.ImageIndex < 0:
		return errors.New("size, imageIndex: they cannot be negative")
	case e.Kind == KindDriverPack && (e.Manufacturer == "" || len(e.Models) == 0 || len(e.Models) > maxModels):
		return fmt.Errorf("manufacturer, models: a driver pack needs its maker and 1 to %d models", maxModels)
	case e.Kind == KindOperatingSystem && (e.OS == "" || e.Architecture == ""):
		return errors.New("os, architecture: an operating system needs both")
	case !slices.Contains([]string{"", "x64", "arm64", "x86"}, e.Architecture):
		return fmt.Errorf("architecture: %q is unknown; use x64, arm64 or x86", e.Architecture)
	}
	return checkDigest(e.Digest)
}

// checkDigest checks the form of a digest.
func checkDigest(text string) error {
	if text == "" {
		return nil
	}
	kind, sum, _ := strings.Cut(text, ":")
	want := map[string]int{"md5": 16, "sha1": 20, "sha256": 32}[kind]
	if b, err := hex.DecodeString(sum); err != nil || want == 0 || len(b) != want || strings.ToLower(sum) != sum {
		return fmt.Errorf("digest: %.100q is none; write sha256:, sha1: or md5: and hex digits in lower case", text)
	}
	return nil
}

// digest makes a digest of what a maker's list says; nothing when that is no hash.
func digest(kind, sum string) string {
	text := kind + ":" + strings.ToLower(strings.TrimSpace(sum))
	if checkDigest(text) != nil {
		return ""
	}
	return text
}

// strongest is the first digest that there is.
func strongest(digests ...string) string {
	for _, d := range digests {
		if d != "" {
			return d
		}
	}
	return ""
}

// day is a date as lists sort it, of the ways in which makers write dates.
func day(text string) string {
	text = strings.TrimSpace(text)
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02", "20060102", "200601", "January 2, 2006", "01/02/2006"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Format(time.DateOnly)
		}
	}
	return ""
}

// words makes one line of a maker's text.
func words(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	if len(text) > maxText/2 {
		text = strings.ToValidUTF8(text[:maxText/2], "")
	}
	return text
}
