package catalogue

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/content"
	"slipway/fleet"
)

var imported = time.Date(2026, 7, 1, 12, 30, 0, 0, time.UTC)

// library is the part of the content that a catalogue needs: addresses and what they
// give, items that there are, and imports.
type library struct {
	web      map[string]string
	items    []content.Listed
	jobs     map[string]content.Job
	imported []content.Import
}

func (l *library) List() ([]content.Listed, error)    { return l.items, nil }
func (l *library) Job(id string) (content.Job, error) { return l.jobs[id], nil }

func (l *library) Import(_ context.Context, _ content.Actor, in content.Import) (content.Job, error) {
	l.imported = append(l.imported, in)
	job := content.Job{ID: in.URL, Status: content.JobRunning, Stage: "fetching"}
	l.jobs[job.ID] = job
	return job, nil
}

func (l *library) Find(_ context.Context, _ string, q wire.ContentQuery) (wire.ContentAnswer, error) {
	return wire.ContentAnswer{}, nil
}

func (l *library) Download(_ context.Context, url string, _ int64, to io.Writer) error {
	text, ok := l.web[url]
	if !ok {
		return content.ErrNotFound
	}
	_, err := io.WriteString(to, text)
	return err
}

type notes []string

func (n *notes) Write(_ context.Context, e fleet.AuditEntry) error {
	*n = append(*n, e.Actor+" "+e.Action+" "+e.Object)
	return nil
}

func newService(t *testing.T) (*Service, *library, *notes) {
	t.Helper()
	l, n := &library{web: map[string]string{}, jobs: map[string]content.Job{}}, &notes{}
	return New(Options{Dir: filepath.Join(t.TempDir(), "dell [new]", "catalogues"), Library: l, Audit: n, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return imported }}), l, n
}

var anna = content.Actor{Name: "anna"}

const ownAt = "https://files.example.com/own.json"

func own(name, windows string) string {
	return `{"format":1,"name":"` + name + `","entries":[{"kind":"operatingsystem","name":"` + windows + `","url":"https://files.example.com/x.wim","os":"Windows 11","architecture":"x64"}]}`
}

// How a catalogue lies in its folder stands in golden files. Every later version reads
// them.
func TestGoldenKept(t *testing.T) {
	want := kept{Format: 2, Name: "own", From: ownAt, Imported: imported, Left: 3,
		Entries: []Entry{{Kind: KindOperatingSystem, Name: "Ours", URL: "https://files.example.com/x.wim", OS: "Windows 11", Architecture: "x64"}}}
	got, err := json.MarshalIndent(want, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "kept-format-2.json")
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(golden)
	if err != nil || string(got)+"\n" != string(text) {
		t.Errorf("%v\n%s", err, got)
	}
	if k, err := parseKept(text, time.Time{}); err != nil || !reflect.DeepEqual(k, want) {
		t.Errorf("%+v, %v", k, err)
	}
	text, err = os.ReadFile(filepath.Join("testdata", "dell-format-1.json"))
	if err != nil {
		t.Fatal(err)
	}
	if k, err := parseKept(text, imported); err != nil || k.Name != "dell" || !k.Imported.Equal(imported) || len(k.Entries) != 2 {
		t.Errorf("a file of format 1: %+v, %v", k, err)
	}
	for _, text := range []string{`{"format":3,"name":"own","entries":[]}`, `{"format":2,"name":"own","entries":[],"more":1}`, `{"format":2,"name":"../own","entries":[]}`, `[]`} {
		if _, err := parseKept([]byte(text), imported); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A catalogue remembers where it came from, and is read anew from there.
func TestRefresh(t *testing.T) {
	s, l, n := newService(t)
	l.web[ownAt] = own("ours", "Before")
	if _, err := s.Import(t.Context(), anna, Source{URL: ownAt}); err != nil {
		t.Fatal(err)
	}
	l.web[ownAt] = own("ours", "After")
	i, err := s.Refresh(t.Context(), anna, "ours")
	if err != nil || i.From != ownAt || i.Systems != 1 {
		t.Errorf("%+v, %v", i, err)
	}
	found, total, err := s.Search(Query{Limit: 10})
	if err != nil || total != 1 || found[0].Name != "After" {
		t.Errorf("%+v, %v", found, err)
	}
	l.web[ownAt] = own("theirs", "Another")
	if _, err := s.Refresh(t.Context(), anna, "ours"); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), `"theirs"`) {
		t.Errorf("a list of another name: %v", err)
	}
	if _, err := s.Import(t.Context(), anna, Source{Text: []byte(own("file", "Of a file")), File: "C:/lists/file.json"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Refresh(t.Context(), anna, "file"); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "import its file again") {
		t.Errorf("one of a file: %v", err)
	}
	if _, err := s.Import(t.Context(), anna, Source{Vendor: "DELL", Text: sample(t, "dell"), File: "dell.xml"}); err != nil {
		t.Fatal(err)
	}
	l.web[vendorOf(t, "dell").URL] = string(sample(t, "dell"))
	if i, err = s.Refresh(t.Context(), anna, "dell"); err != nil || i.From != vendorOf(t, "dell").URL || i.Left != 1 {
		t.Errorf("a maker's of a file: %+v, %v", i, err)
	}
	if _, err := s.Refresh(t.Context(), anna, "none"); !errors.Is(err, ErrNotThere) {
		t.Error(err)
	}
	if got := strings.Join(*n, ", "); got != "anna catalogue.imported ours, anna catalogue.imported ours, anna catalogue.imported file, anna catalogue.imported dell, anna catalogue.imported dell" {
		t.Error(got)
	}
}

// One file that cannot be read takes nothing from the others but is told, and is mended
// by reading it anew.
func TestACatalogueThatIsDamaged(t *testing.T) {
	s, l, _ := newService(t)
	if _, err := s.Import(t.Context(), anna, Source{Text: []byte(own("good", "Good")), File: "good.json"}); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"dell": `{"format":2,`, "other": own("good", "Under another name")} {
		if err := os.WriteFile(s.file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = New(s.o)
	list, err := s.List()
	if err != nil || len(list) != 3 || !strings.Contains(list[0].Problem, "dell cannot be read") || list[1].Problem != "" || list[2].Problem == "" {
		t.Errorf("%+v, %v", list, err)
	}
	if _, total, err := s.Search(Query{Limit: 10}); err != nil || total != 1 {
		t.Errorf("%d, %v", total, err)
	}
	if _, err := s.Catalogues(); err == nil || !strings.Contains(err.Error(), "dell") {
		t.Error(err) // a device must not be told that there is no driver
	}
	l.web[vendorOf(t, "dell").URL] = string(sample(t, "dell"))
	if _, err := s.Refresh(t.Context(), anna, "dell"); err != nil {
		t.Error(err)
	}
	if err := s.Remove(t.Context(), anna, "other"); err != nil {
		t.Error(err)
	}
	if all, err := s.Catalogues(); err != nil || len(all) != 2 {
		t.Errorf("%d, %v", len(all), err)
	}
}

// Driver packs are unpacked when they are fetched; of images the form is made that the
// Linux boot image applies. What is checked is what the list says.
func TestWhatIsFetched(t *testing.T) {
	s, l, _ := newService(t)
	sum := "sha256:" + strings.Repeat("ab", 32)
	for _, e := range []Entry{
		{Kind: KindDriverPack, Name: strings.Repeat("ä", 130), URL: "https://files.example.com/x.cab", Size: 7, Digest: sum, Manufacturer: "Dell", Models: []string{"5440"}},
		{Kind: KindOperatingSystem, Name: "Ours", URL: "https://files.example.com/x.esd", OS: "Windows 11", Architecture: "x64", Digest: sum},
	} {
		if a, err := s.Answer(t.Context(), "d", anna, e); err != nil || a.Wait == 0 || a.Name != e.Name {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	if a, err := s.Answer(t.Context(), "d", anna, Entry{URL: "https://files.example.com/x.esd"}); err != nil || a.Wait == 0 || len(l.imported) != 2 {
		t.Errorf("asked again: %+v, %v, %d imports", a, err, len(l.imported))
	}
	pack, system := l.imported[0], l.imported[1]
	if !pack.Unpack || pack.Manufacturer != "Dell" || len(pack.Models) != 1 || pack.Size != 7 || pack.Digest != sum || len([]rune(pack.Name)) != 120 || pack.Purpose != KindDriverPack {
		t.Errorf("the pack: %+v", pack)
	}
	if system.Unpack || system.AsIs || system.Digest != sum || system.Purpose != KindOperatingSystem {
		t.Errorf("the system: %+v", system)
	}
	l.jobs["https://files.example.com/x.esd"] = content.Job{Status: content.JobFailed, Error: "no room"}
	var failed *FetchError
	if _, err := s.Answer(t.Context(), "d", anna, Entry{Name: "Ours", URL: "https://files.example.com/x.esd"}); !errors.As(err, &failed) || failed.Reason != "no room" {
		t.Errorf("a fetch that failed: %v", err)
	}
	// What was fetched and then deleted is fetched again, not waited for.
	l.jobs["https://files.example.com/x.cab"] = content.Job{Status: content.JobDone}
	if a, err := s.Answer(t.Context(), "d", anna, Entry{Kind: KindDriverPack, URL: "https://files.example.com/x.cab"}); err != nil || a.Wait == 0 || len(l.imported) != 3 {
		t.Errorf("deleted after it was fetched: %+v, %v, %d imports", a, err, len(l.imported))
	}
}

// A search is narrowed by words and by each field, is cut in pages, and says what the
// library has.
func TestSearch(t *testing.T) {
	s, l, _ := newService(t)
	for _, v := range Vendors() {
		if _, err := s.Import(t.Context(), anna, Source{Vendor: v.Name, Text: sample(t, v.Name), File: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	count := func(q Query) int {
		t.Helper()
		q.Limit = 100
		list, total, err := s.Search(q)
		if err != nil || total != len(list) {
			t.Errorf("%+v: %d of %d, %v", q, len(list), total, err)
		}
		return total
	}
	every := count(Query{})
	if n := count(Query{Kind: KindDriverPack}); n == 0 || n+count(Query{Kind: KindOperatingSystem}) != every {
		t.Errorf("%d of %d are driver packs", n, every)
	}
	if n := count(Query{OS: "windows 10"}); n == 0 || n >= every {
		t.Errorf("%d are for Windows 10", n)
	}
	for q, want := range map[Query]int{{Text: "5440 LATITUDE", Catalogue: "dell", OS: "Windows 11"}: 1, {Text: "latitude", Catalogue: "hp"}: 0, {Text: "latitude 21he"}: 0, {Text: "21he", OS: "Windows 10"}: 1} {
		if n := count(q); n != want {
			t.Errorf("%+v: %d, want %d", q, n, want)
		}
	}
	first, _, err := s.Search(Query{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	second, total, err := s.Search(Query{Limit: 1, Skip: 1})
	if err != nil || len(second) != 1 || total != every || reflect.DeepEqual(second[0], first[0]) {
		t.Errorf("%+v, %d, %v", second, total, err)
	}
	e := first[0].Entry
	if _, err := s.Answer(t.Context(), "d", anna, e); err != nil || len(l.imported) != 1 {
		t.Fatal(err)
	}
	if found, _, err := s.Search(Query{Limit: 1}); err != nil || found[0].Fetching != "fetching" || found[0].Content != "" {
		t.Errorf("while it is fetched: %+v, %v", found, err)
	}
	version := fleet.ContentVersion{Item: "i", Version: 2, Source: e.URL, Status: fleet.ContentActive}
	l.items = []content.Listed{{ContentItem: fleet.ContentItem{ID: "i", Purpose: e.Kind}, Versions: []fleet.ContentVersion{version}}}
	if found, _, err := s.Search(Query{Limit: 1}); err != nil || found[0].Content != version.Reference() || found[0].Fetching != "" {
		t.Errorf("when it is there: %+v, %v", found, err)
	}
	l.items[0].Versions[0].Status = fleet.ContentDeprecated
	if found, _, err := s.Search(Query{Limit: 1}); err != nil || found[0].Content != "" {
		t.Errorf("deprecated: %+v, %v", found, err)
	}
}
