// Package assets holds the console's own style sheets, modules and icons. They
// are embedded and served under a folder named by the hash of all of them, so
// that a browser may keep each file for ever and modules can import each other
// by relative name.
package assets

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed static
var embedded embed.FS

// Prefix is the folder below which every asset lives.
const Prefix = "/static/"

type file struct {
	body []byte
	kind string
}

// Set is the assets of this build.
type Set struct {
	base  string
	files map[string]file
}

// Load reads the embedded files and computes the folder's name.
func Load() (*Set, error) {
	sub, err := fs.Sub(embedded, "static")
	if err != nil {
		return nil, fmt.Errorf("reading the console's assets: %w", err)
	}
	s := &Set{files: map[string]file{}}
	sum := sha256.New()
	err = fs.WalkDir(sub, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(sub, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n", name, len(body))
		sum.Write(body)
		s.files[name] = file{body: body, kind: contentType(name)}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the console's assets: %w", err)
	}
	s.base = Prefix + hex.EncodeToString(sum.Sum(nil))[:16] + "/"
	return s, nil
}

// contentType does not ask the machine's own table: it differs between hosts,
// and with nosniff a wrong type means a module that never runs.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(path.Ext(name))
}

// URL is the address of one asset.
func (s *Set) URL(name string) string { return s.base + name }

// Names lists the assets, for tests.
func (s *Set) Names() []string {
	var out []string
	for n := range s.files {
		out = append(out, n)
	}
	return out
}

// ServeHTTP answers one asset. A name with another hash is not found: an old
// page must not run a new module.
func (s *Set) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutPrefix(r.URL.Path, s.base)
	f, known := s.files[name]
	if !ok || !known {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Length", strconv.Itoa(len(f.body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(f.body) // the browser left: nothing to do
	}
}
