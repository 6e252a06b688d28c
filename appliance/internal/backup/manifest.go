package backup

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"time"
)

// The format numbers of the archive. Readers take every number up to the newest; a
// writer uses the lowest that says all, so that older versions read what they can.
const (
	formatPlain      = 1
	formatContent    = 2 // blobs of content follow the listed files
	formatCatalogues = 3 // catalogues are among the listed files
	manifestFormat   = formatCatalogues
)

// The names of the archive's entries, and of what they become in the data folder.
const (
	manifestName = "manifest.json"
	stateName    = "state"
	keyName      = "secret.key"
	auditFolder  = "audit"
	// catalogueFolder holds catalogues/<name>.json, in the form of package catalogue.
	catalogueFolder = "catalogues"
	// contentFolder holds blobs in the archive, content/<sha256>; in the data folder
	// they stand as package content keeps them.
	contentFolder = "content"

	// ConfigurationName is the configuration file of then. It is there to be read; no
	// appliance looks for it in the data folder.
	ConfigurationName = "slipway.yaml"
)

var (
	auditName     = regexp.MustCompile(`^` + auditFolder + `/audit-[0-9]{8}\.jsonl$`)
	catalogueName = regexp.MustCompile(`^` + catalogueFolder + `/[a-z0-9-]{1,40}\.json$`)
)

// Limits of what a reader takes.
const (
	maxManifest = 4 << 20
	maxFiles    = 4096
	maxSmall    = 1 << 20   // key file and configuration, in bytes
	maxAudit    = 256 << 20 // each audit file
	maxList     = 256 << 20 // each catalogue
	maxState    = 64 << 30
)

// Manifest is the first entry of the archive.
type Manifest struct {
	Format       int       `json:"format"`
	Product      string    `json:"product"` // "slipway"
	Version      string    `json:"version"` // that wrote it
	Installation string    `json:"installation"`
	Created      time.Time `json:"created"`
	Files        []File    `json:"files"`             // the other entries, in order
	Content      *Content  `json:"content,omitempty"` // nil: without content
}

// Content says what follows the listed files: entries that are named by their
// SHA-256, in ascending order.
type Content struct {
	Blobs int   `json:"blobs"`
	Size  int64 `json:"size"` // of all together, in bytes
}

// File is an entry of the archive.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex
}

const product = "slipway"

func (m Manifest) encode() ([]byte, error) {
	out, err := json.MarshalIndent(m, "", "  ")
	return append(out, '\n'), err
}

// parseManifest reads and checks a manifest. Fields it does not know are ignored, of
// a format that it knows.
func parseManifest(data []byte) (m Manifest, err error) {
	var head struct {
		Format  int    `json:"format"`
		Product string `json:"product"`
	}
	if err := json.Unmarshal(data, &head); err != nil || head.Format < 1 || head.Product != product {
		return m, fmt.Errorf("%w (its manifest cannot be read)", ErrDamaged)
	}
	if head.Format > manifestFormat {
		return m, fmt.Errorf("%w (format %d)", ErrNewer, head.Format)
	}
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&m); err != nil {
		return m, fmt.Errorf("%w (its manifest cannot be read)", ErrDamaged)
	}
	return m, m.check()
}

// check refuses what no writer makes.
func (m Manifest) check() error {
	bad := func(what string) error { return fmt.Errorf("%w (%s)", ErrDamaged, what) }
	if len(m.Files) > maxFiles {
		return bad("too many entries")
	}
	seen := map[string]bool{}
	for _, f := range m.Files {
		limit := f.limit()
		sum, err := hex.DecodeString(f.SHA256)
		if catalogueName.MatchString(f.Name) && m.Format < formatCatalogues {
			limit = 0
		}
		if limit == 0 || seen[f.Name] || f.Size < 0 || f.Size > limit || err != nil || len(sum) != 32 {
			return bad(fmt.Sprintf("the entry %q", f.Name))
		}
		seen[f.Name] = true
	}
	if !seen[stateName] || !seen[keyName] || m.Installation == "" {
		return bad("the state or its key is missing")
	}
	if c := m.Content; c != nil && (m.Format < formatContent || c.Blobs < 0 || c.Size < 0) {
		return bad("its content")
	}
	return nil
}

// limit is the largest size of an entry; 0 for a name that is not known.
func (f File) limit() int64 {
	switch f.Name {
	case stateName:
		return maxState
	case keyName, ConfigurationName:
		return maxSmall
	}
	if auditName.MatchString(f.Name) {
		return maxAudit
	}
	if catalogueName.MatchString(f.Name) {
		return maxList
	}
	return 0
}
