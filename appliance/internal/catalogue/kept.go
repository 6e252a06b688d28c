package catalogue

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"slipway/appliance/internal/durable"
)

// keptFormat is the number of the form in which catalogues lie in their folder: our own
// form and where it came from. Files of before are of format 1, our own form alone, and
// are read, too.
const keptFormat = 2

// kept is a catalogue as it lies in the folder.
type kept struct {
	Format   int       `json:"format"`
	Name     string    `json:"name"`
	Vendor   string    `json:"vendor,omitempty"` // empty: one in our own form
	From     string    `json:"from,omitempty"`   // the address, or the name of the file that was read
	Imported time.Time `json:"importedAt"`
	Left     int       `json:"leftOut,omitempty"` // entries of a maker's list that made no sense
	Entries  []Entry   `json:"entries"`

	problem error // why it cannot be read; then only the name is known
}

func (k kept) catalogue() Catalogue {
	return Catalogue{Format: Format, Name: k.Name, Entries: k.Entries}
}

// parseKept reads a file of the folder; at is when it was written.
func parseKept(text []byte, at time.Time) (k kept, err error) {
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return k, invalid("%w", err)
	}
	if head.Format != keptFormat {
		c, err := Parse(text)
		return kept{Format: keptFormat, Name: c.Name, Imported: at.UTC(), Entries: c.Entries}, err
	}
	if err := strictly(text, &k); err != nil {
		return k, err
	}
	return k, k.catalogue().Check()
}

// put keeps a catalogue: whole or not at all.
func (s *Service) put(k kept) error {
	text, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("write the catalogue %s: %w", k.Name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = nil
	if err := durable.Replace(s.file(k.Name), ".catalogue-*", text); err != nil {
		return fmt.Errorf("write the catalogue %s: %w", k.Name, err)
	}
	return nil
}

func (s *Service) file(name string) string { return filepath.Join(s.o.Dir, name+".json") }

// load reads what the folder holds, by the names. What cannot be read is in the list with
// its problem. The caller holds the lock.
func (s *Service) load() ([]kept, error) {
	if s.all != nil {
		return s.all, nil
	}
	files, err := fs.Glob(os.DirFS(s.o.Dir), "*.json") // the folder's own name is no pattern
	if err != nil {
		return nil, fmt.Errorf("list the catalogues: %w", err)
	}
	slices.Sort(files)
	all := []kept{}
	for _, file := range files {
		k, err := readKept(filepath.Join(s.o.Dir, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if name := strings.TrimSuffix(file, ".json"); err != nil || k.Name != name {
			if err == nil {
				err = invalid("it says that it is %q", k.Name)
			}
			k = kept{Name: name, problem: fmt.Errorf("the catalogue %s cannot be read: %w; import it again", name, err)}
		}
		all = append(all, k)
	}
	s.all = all
	return all, nil
}

func readKept(file string) (kept, error) {
	info, err := os.Stat(file)
	if err != nil {
		return kept{}, fmt.Errorf("read the catalogue: %w", err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return kept{}, fmt.Errorf("read the catalogue: %w", err)
	}
	return parseKept(text, info.ModTime())
}
