package catalogue

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/content"
	"slipway/fleet"
)

// ErrNotThere is wrapped when no catalogue has what is asked for.
var ErrNotThere = errors.New("not in the catalogues")

// Auditor is the audit log.
type Auditor interface {
	Write(ctx context.Context, e fleet.AuditEntry) error
}

// Library is what the service needs of package content.
type Library interface {
	List() ([]content.Listed, error)
	Import(ctx context.Context, by content.Actor, in content.Import) (content.Job, error)
	Job(id string) (content.Job, error)
	Find(ctx context.Context, deployment string, q wire.ContentQuery) (wire.ContentAnswer, error)
	Download(ctx context.Context, url string, limit int64, to io.Writer) error
}

// Options are what the service is made of. All but Now must be set.
type Options struct {
	Dir     string // of its own
	Library Library
	Audit   Auditor
	Logger  *slog.Logger
	Now     func() time.Time
}

// Service keeps catalogues and has fetched what devices need. Safe for concurrent use.
type Service struct {
	o Options

	mu   sync.Mutex
	all  []Catalogue       // as the files are; nil: to be read
	jobs map[string]string // imports that go on, by the URL of their entry
}

// New returns the service.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{o: o, jobs: map[string]string{}}
}

// Info is a catalogue for people.
type Info struct {
	Name     string    `json:"name"`
	Drivers  int       `json:"driverPacks"`
	Systems  int       `json:"operatingSystems"`
	Imported time.Time `json:"importedAt"`
	Left     int       `json:"leftOut,omitempty"` // entries of a maker's list that made no sense; told by an import
}

// Source says what to import: a maker's list, or a catalogue in our own form. Path and
// URL may be empty for a maker, whose own address is taken then.
type Source struct {
	Vendor string
	Path   string // on the appliance's disk
	URL    string
}

// Import reads a list and keeps it in place of the one of the same name. Errors wrap
// ErrInvalid, or are those of the download.
func (s *Service) Import(ctx context.Context, by content.Actor, from Source) (Info, error) {
	var vendor Vendor
	if from.Vendor != "" {
		var err error
		if vendor, err = FindVendor(from.Vendor); err != nil {
			return Info{}, err
		}
	}
	if from.Path == "" {
		from.URL = cmp.Or(from.URL, vendor.URL)
	}
	if (from.Path == "") == (from.URL == "") {
		return Info{}, invalid("path, url: exactly one of them says where the list is")
	}
	if err := os.MkdirAll(s.o.Dir, 0o700); err != nil {
		return Info{}, fmt.Errorf("make the folder for catalogues: %w", err)
	}
	path, remove, err := s.bring(ctx, from)
	if err != nil {
		return Info{}, err
	}
	defer remove()
	text, err := readList(ctx, path)
	if err != nil {
		return Info{}, err
	}
	var c Catalogue
	left := 0
	if from.Vendor != "" {
		c, left, err = vendor.Read(text)
	} else {
		c, err = Parse(text)
	}
	if err != nil {
		return Info{}, err
	}
	if err := s.put(c); err != nil {
		return Info{}, err
	}
	s.audit(ctx, by, "catalogue.imported", c.Name, fmt.Sprintf("%d entries from %s", len(c.Entries), cmp.Or(from.Path, from.URL)))
	out := info(c, s.o.Now())
	out.Left = left
	return out, nil
}

// bring makes a file of what is imported.
func (s *Service) bring(ctx context.Context, from Source) (path string, remove func(), err error) {
	if from.Path != "" {
		return from.Path, func() {}, nil
	}
	f, err := os.CreateTemp(s.o.Dir, ".list-*")
	if err != nil {
		return "", nil, fmt.Errorf("keep the list: %w", err)
	}
	remove = func() { _ = os.Remove(f.Name()) }
	err = s.o.Library.Download(ctx, from.URL, MaxBytes, f)
	if err = errors.Join(err, f.Close()); err != nil {
		remove()
		return "", nil, fmt.Errorf("fetch %s: %w", from.URL, err)
	}
	return f.Name(), remove, nil
}

// put keeps a catalogue: whole or not at all.
func (s *Service) put(c Catalogue) error {
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("write the catalogue %s: %w", c.Name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := os.CreateTemp(s.o.Dir, ".catalogue-*")
	if err != nil {
		return fmt.Errorf("write the catalogue %s: %w", c.Name, err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), s.file(c.Name))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the catalogue %s: %w", c.Name, err), os.Remove(f.Name()))
	}
	s.all = nil
	return nil
}

func (s *Service) file(name string) string { return filepath.Join(s.o.Dir, name+".json") }

// Remove forgets a catalogue. What was fetched of it stays in the library.
func (s *Service) Remove(ctx context.Context, by content.Actor, name string) error {
	if checkName(name) != nil {
		return fmt.Errorf("%w: no catalogue %.60q", ErrNotThere, name)
	}
	s.mu.Lock()
	err := os.Remove(s.file(name))
	s.all = nil
	s.mu.Unlock()
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: no catalogue %q", ErrNotThere, name)
	}
	if err == nil {
		s.audit(ctx, by, "catalogue.removed", name, "")
	}
	return err
}

// Catalogues are all that are kept, by their names.
func (s *Service) Catalogues() ([]Catalogue, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all != nil {
		return s.all, nil
	}
	names, err := filepath.Glob(filepath.Join(s.o.Dir, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list the catalogues: %w", err)
	}
	slices.Sort(names)
	all := []Catalogue{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the catalogue: %w", err)
		}
		c, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: import it again", filepath.Base(name), err)
		}
		all = append(all, c)
	}
	s.all = all
	return all, nil
}

// List describes all catalogues.
func (s *Service) List() ([]Info, error) {
	all, err := s.Catalogues()
	if err != nil {
		return nil, err
	}
	out := []Info{}
	for _, c := range all {
		var at time.Time
		if f, err := os.Stat(s.file(c.Name)); err == nil {
			at = f.ModTime()
		}
		out = append(out, info(c, at))
	}
	return out, nil
}

func info(c Catalogue, at time.Time) Info {
	i := Info{Name: c.Name, Imported: at.UTC()}
	for _, e := range c.Entries {
		if e.Kind == KindDriverPack {
			i.Drivers++
		} else {
			i.Systems++
		}
	}
	return i
}

// Search are the entries that hold a text in name, model or edition, at most limit.
func (s *Service) Search(text string, limit int) ([]Entry, error) {
	all, err := s.Catalogues()
	if err != nil {
		return nil, err
	}
	out := []Entry{}
	text = strings.ToLower(strings.TrimSpace(text))
	for _, c := range all {
		for _, e := range c.Entries {
			held := strings.ToLower(strings.Join(append([]string{e.Name, e.Manufacturer, e.OS + " " + e.Version, e.Edition, e.LanguageCode}, e.Models...), "\n"))
			if strings.Contains(held, text) {
				if out = append(out, e); len(out) == limit {
					return out, nil
				}
			}
		}
	}
	return out, nil
}

func (s *Service) audit(ctx context.Context, by content.Actor, action, object, reason string) {
	e := fleet.AuditEntry{Time: s.o.Now(), Actor: by.Name, Address: by.Address, Device: by.Device, Action: action, Outcome: "ok", Object: object, Reason: reason}
	if err := s.o.Audit.Write(context.WithoutCancel(ctx), e); err != nil {
		s.o.Logger.ErrorContext(ctx, "audit entry not written", "action", action, "error", err)
	}
}
