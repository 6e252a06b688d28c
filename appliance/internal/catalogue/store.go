package catalogue

import (
	"cmp"
	"context"
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
	all  []kept            // as the files are; nil: to be read
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
	Vendor   string    `json:"vendor,omitempty"` // empty: one in our own form
	From     string    `json:"from,omitempty"`   // the address, or the name of the file that was read
	Drivers  int       `json:"driverPacks"`
	Systems  int       `json:"operatingSystems"`
	Imported time.Time `json:"importedAt"`
	Left     int       `json:"leftOut,omitempty"` // entries of a maker's list that made no sense
	Problem  string    `json:"problem,omitempty"` // why it cannot be read
}

// Refreshes reports whether it can be read anew without being told from where.
func (i Info) Refreshes() bool {
	_, err := FindVendor(i.Name)
	return err == nil || fromAddress(i.From)
}

func fromAddress(from string) bool {
	return strings.HasPrefix(from, "http://") || strings.HasPrefix(from, "https://")
}

// Source says what to import: a maker's list, or a catalogue in our own form. Path, URL
// and Text may all be empty for a maker, whose own address is taken then.
type Source struct {
	Vendor string
	Path   string // on the appliance's disk
	URL    string
	Text   []byte // of a file that was uploaded
	File   string // its name, for people

	name string // that the catalogue must have; empty: any
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
	if from.Path == "" && from.Text == nil {
		from.URL = cmp.Or(from.URL, vendor.URL)
	}
	if len(slices.DeleteFunc([]string{from.Path, from.URL, string(from.Text)}, func(t string) bool { return t == "" })) != 1 {
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
	k := kept{Format: keptFormat, Vendor: vendor.Name, From: cmp.Or(from.URL, filepath.Base(cmp.Or(from.Path, from.File, "a file"))), Imported: s.o.Now().UTC().Truncate(time.Second)}
	var c Catalogue
	if vendor.Name != "" {
		c, k.Left, err = vendor.Read(text)
	} else {
		c, err = Parse(text)
	}
	if err == nil && from.name != "" && c.Name != from.name {
		err = invalid("the list there is called %q now, not %q: import it as a new one", c.Name, from.name)
	}
	if err != nil {
		return Info{}, err
	}
	k.Name, k.Entries = c.Name, c.Entries
	if err := s.put(k); err != nil {
		return Info{}, err
	}
	s.audit(ctx, by, "catalogue.imported", k.Name, fmt.Sprintf("%d entries from %s", len(k.Entries), k.From))
	return k.info(), nil
}

// Refresh reads a catalogue anew from the address it came from; a maker's list that came
// of a file, from where the maker publishes it. Errors: those of Import, ErrNotThere.
func (s *Service) Refresh(ctx context.Context, by content.Actor, name string) (Info, error) {
	s.mu.Lock()
	all, err := s.load()
	s.mu.Unlock()
	if err != nil {
		return Info{}, err
	}
	i := slices.IndexFunc(all, func(k kept) bool { return k.Name == name })
	if i < 0 {
		return Info{}, fmt.Errorf("%w: no catalogue %.60q", ErrNotThere, name)
	}
	from := Source{Vendor: all[i].Vendor, name: name}
	if vendor, err := FindVendor(name); err == nil && from.Vendor == "" && !fromAddress(all[i].From) {
		from.Vendor = vendor.Name // one that cannot be read, or was kept before its vendor was noted
	}
	if fromAddress(all[i].From) {
		from.URL = all[i].From
	}
	if from.Vendor == "" && from.URL == "" {
		return Info{}, invalid("%s did not come from an address: import its file again", name)
	}
	return s.Import(ctx, by, from)
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
	if from.Text != nil {
		_, err = f.Write(from.Text)
	} else if err = s.o.Library.Download(ctx, from.URL, MaxBytes, f); err != nil {
		err = fmt.Errorf("fetch %s: %w", from.URL, err)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		remove()
		return "", nil, err
	}
	return f.Name(), remove, nil
}

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

// Catalogues are all that are kept, by their names. One that cannot be read is an error.
func (s *Service) Catalogues() ([]Catalogue, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.load()
	if err != nil {
		return nil, err
	}
	out := make([]Catalogue, 0, len(all))
	for _, k := range all {
		if k.problem != nil {
			return nil, k.problem
		}
		out = append(out, k.catalogue())
	}
	return out, nil
}

// List describes all catalogues, also those that cannot be read.
func (s *Service) List() ([]Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.load()
	if err != nil {
		return nil, err
	}
	out := make([]Info, 0, len(all))
	for _, k := range all {
		out = append(out, k.info())
	}
	return out, nil
}

func (k kept) info() Info {
	i := Info{Name: k.Name, Vendor: k.Vendor, From: k.From, Imported: k.Imported, Left: k.Left}
	if k.problem != nil {
		i.Problem = k.problem.Error()
	}
	for _, e := range k.Entries {
		if e.Kind == KindDriverPack {
			i.Drivers++
		} else {
			i.Systems++
		}
	}
	return i
}

func (s *Service) audit(ctx context.Context, by content.Actor, action, object, reason string) {
	e := fleet.AuditEntry{Time: s.o.Now(), Actor: by.Name, Address: by.Address, Device: by.Device, Action: action, Outcome: "ok", Object: object, Reason: reason}
	if err := s.o.Audit.Write(context.WithoutCancel(ctx), e); err != nil {
		s.o.Logger.ErrorContext(ctx, "audit entry not written", "action", action, "error", err)
	}
}
