package appliancetest

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"slipway/agent/wire"
)

// Shelf answers the calls about content out of a folder: an item is a folder with
// the files of its one version, 1. It is an Appliance's Content.
type Shelf struct {
	Dir string

	mu    sync.Mutex
	items map[string]wire.ContentManifest
}

// Add makes an item of the files that lie in its folder, in the order given. change
// may say more of a file: its form, its size unpacked.
func (s *Shelf) Add(item string, change func(*wire.ContentFile), paths ...string) error {
	m := wire.ContentManifest{Item: item, Version: 1, Name: item, Purpose: "operatingsystem"}
	for _, path := range paths {
		f, err := describe(filepath.Join(s.Dir, item, path))
		if err != nil {
			return err
		}
		f.Path = path
		if change != nil {
			change(&f)
		}
		m.Files = append(m.Files, f)
		m.Size += f.Size
	}
	if err := m.Check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.items == nil {
		s.items = map[string]wire.ContentManifest{}
	}
	s.items[item] = m
	return nil
}

func describe(path string) (wire.ContentFile, error) {
	out := wire.ContentFile{Mode: 0o644}
	f, err := os.Open(path)
	if err != nil {
		return out, err
	}
	defer f.Close()
	all := sha256.New()
	for {
		piece := sha256.New()
		n, err := io.Copy(io.MultiWriter(all, piece), io.LimitReader(f, wire.ChunkSize))
		if err != nil {
			return out, err
		}
		if n == 0 {
			break
		}
		out.Size += n
		out.Chunks = append(out.Chunks, hex.EncodeToString(piece.Sum(nil)))
	}
	if len(out.Chunks) < 2 {
		out.Chunks = nil
	}
	out.SHA256 = hex.EncodeToString(all.Sum(nil))
	return out, nil
}

// ServeHTTP implements http.Handler: manifests, files by ranges, and all files as a tar
// archive.
func (s *Shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	item, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/api/v1/content/"), "/")
	number, path, _ := strings.Cut(rest, "/")
	s.mu.Lock()
	m, ok := s.items[item]
	s.mu.Unlock()
	if version, err := strconv.Atoi(number); !ok || err != nil || version != m.Version || r.Method != http.MethodGet {
		http.Error(w, fmt.Sprintf("there is no %s %s", r.Method, r.URL.Path), http.StatusNotFound)
		return
	}
	if path == "" && r.URL.Query().Get("stream") == "tar" {
		s.stream(w, m, r.URL.Query().Get("from"))
		return
	}
	if path == "" {
		_ = json.NewEncoder(w).Encode(m)
		return
	}
	for _, f := range m.Files {
		if f.Path != path {
			continue
		}
		file, err := os.Open(filepath.Join(s.Dir, item, path))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer file.Close()
		w.Header().Set("ETag", `"`+f.SHA256+`"`)
		http.ServeContent(w, r, "", time.Time{}, file)
		return
	}
	http.Error(w, "there is no file "+path, http.StatusNotFound)
}

// stream sends the files of a version, from one on, as a tar archive.
func (s *Shelf) stream(w io.Writer, m wire.ContentManifest, from string) {
	out := tar.NewWriter(w)
	for i, f := range m.Files {
		if first, err := strconv.Atoi(from); err != nil || i < first {
			continue
		}
		content, err := os.ReadFile(filepath.Join(s.Dir, m.Item, f.Path))
		if err != nil || out.WriteHeader(&tar.Header{Name: f.Path, Size: int64(len(content)), Mode: 0o644, Typeflag: tar.TypeReg}) != nil {
			return
		}
		if _, err := out.Write(content); err != nil {
			return
		}
	}
	_ = out.Close()
}
