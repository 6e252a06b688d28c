package catalogue

import (
	"strings"

	"slipway/appliance/internal/content"
	"slipway/fleet"
)

// Query narrows the entries of all catalogues. Empty fields match everything.
type Query struct {
	Text      string // each of its words in name, maker, models, Windows, edition or language
	Catalogue string // of this name
	Kind      string // driverpack, operatingsystem
	OS        string // e.g. Windows 11
	Skip      int    // entries that match, from the first
	Limit     int    // entries, at most
}

// Found is an entry that was searched for.
type Found struct {
	Catalogue string `json:"catalogue"`
	Entry
	Content  string `json:"content,omitempty"`  // the version that it became: "item:version"
	Fetching string `json:"fetching,omitempty"` // how far the appliance is with it
}

// Search are the entries that match, and how many there are in all. A catalogue that
// cannot be read has none; List tells of it.
func (s *Service) Search(q Query) (out []Found, total int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.load()
	if err != nil {
		return nil, 0, err
	}
	out = []Found{}
	words := strings.Fields(strings.ToLower(q.Text))
	for _, k := range all {
		for _, e := range k.Entries {
			if q.Catalogue != "" && q.Catalogue != k.Name || !e.matches(q, words) {
				continue
			}
			if total++; total > q.Skip && len(out) < q.Limit {
				out = append(out, Found{Catalogue: k.Name, Entry: e})
			}
		}
	}
	return out, total, s.fetched(out)
}

func (e Entry) matches(q Query, words []string) bool {
	if q.Kind != "" && q.Kind != e.Kind || q.OS != "" && !same(q.OS, e.OS) {
		return false
	}
	held := strings.ToLower(strings.Join(append([]string{e.Name, e.Manufacturer, e.OS + " " + e.Version, e.Architecture, e.Edition, e.LanguageCode}, e.Models...), "\n"))
	for _, w := range words {
		if !strings.Contains(held, w) {
			return false
		}
	}
	return true
}

// fetched says of entries what the library has of them. The caller holds the lock.
func (s *Service) fetched(list []Found) error {
	if len(list) == 0 {
		return nil
	}
	have, err := s.o.Library.List()
	if err != nil {
		return err
	}
	versions := map[string]string{}
	for _, item := range have {
		for _, v := range item.Versions {
			if v.Status == fleet.ContentActive && versions[item.Purpose+v.Source] == "" {
				versions[item.Purpose+v.Source] = v.Reference()
			}
		}
	}
	for i, f := range list {
		list[i].Content = versions[f.Kind+f.URL]
		if id, ok := s.jobs[f.URL]; ok && list[i].Content == "" {
			if job, err := s.o.Library.Job(id); err == nil && job.Status == content.JobRunning {
				list[i].Fetching = job.Stage
			}
		}
	}
	return nil
}
