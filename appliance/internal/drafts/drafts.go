// Package drafts keeps what people are editing and have not saved, one file for each
// account and thing. A draft is sealed: it may hold secrets. Files are replaced whole,
// so that a crash leaves the draft before or the one after. They are no part of the
// state: a backup does not hold them, and what is saved is in the library.
package drafts

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"slipway/appliance/internal/durable"
)

// Format is the number of the files' form.
const Format = 1

// MaxBytes is the largest draft that is kept.
const MaxBytes = 24 << 20

// maxDrafts bounds how many one account has.
const maxDrafts = 100

// Errors of a Store.
var (
	ErrNotFound = errors.New("there is no such draft")
	ErrTooLarge = errors.New("the draft is too large to be kept")
	ErrTooMany  = fmt.Errorf("one account keeps at most %d drafts: save or discard some", maxDrafts)
)

// Sealer encrypts for a purpose that must be named again to open.
type Sealer interface {
	Seal(plain []byte, purpose string) ([]byte, error)
	Open(sealed []byte, purpose string) ([]byte, error)
}

// Store is a folder of drafts. Safe for concurrent use.
type Store struct {
	dir    string
	sealer Sealer
	mu     sync.Mutex
}

// kept is the content of a file.
type kept struct {
	Format  int    `json:"format"`
	Account string `json:"account"`
	ID      string `json:"id"`
	Sealed  []byte `json:"sealed"`
}

const (
	suffix     = ".draft"
	unfinished = "new-"
)

// Open makes the folder if it is not there.
func Open(dir string, sealer Sealer) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder of drafts: %w", err)
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), unfinished) { // by a crash
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("unfinished drafts: %w", err)
	}
	return &Store{dir: dir, sealer: sealer}, nil
}

func purpose(account, id string) string { return fmt.Sprintf("draft/%q/%q", account, id) }

// name keeps an account's drafts together, and says nothing of either.
func name(account, id string) string {
	a, i := sha256.Sum256([]byte(account)), sha256.Sum256([]byte(id))
	return hex.EncodeToString(a[:16]) + "-" + hex.EncodeToString(i[:16]) + suffix
}

// Get returns a draft. ErrNotFound.
func (s *Store) Get(account, id string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, body, err := s.read(name(account, id))
	return body, err
}

func (s *Store) read(file string) (k kept, body []byte, err error) {
	text, err := os.ReadFile(filepath.Join(s.dir, file))
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil, ErrNotFound
	}
	if err != nil {
		return k, nil, fmt.Errorf("read a draft: %w", err)
	}
	if err := json.Unmarshal(text, &k); err != nil || k.Format != Format || name(k.Account, k.ID) != file {
		return k, nil, fmt.Errorf("the draft %s cannot be read: %w", file, errors.Join(err, errors.New("it is damaged, or of another version")))
	}
	if body, err = s.sealer.Open(k.Sealed, purpose(k.Account, k.ID)); err != nil {
		return k, nil, fmt.Errorf("open the draft %s: %w", file, err)
	}
	return k, body, nil
}

// Put keeps a draft, on the disk before it returns. ErrTooLarge, ErrTooMany.
func (s *Store) Put(account, id string, body []byte) error {
	if len(body) > MaxBytes {
		return ErrTooLarge
	}
	sealed, err := s.sealer.Seal(body, purpose(account, id))
	if err != nil {
		return fmt.Errorf("seal the draft: %w", err)
	}
	text, err := json.Marshal(kept{Format: Format, Account: account, ID: id, Sealed: sealed})
	if err != nil {
		return fmt.Errorf("write the draft: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	file := name(account, id)
	if _, err := os.Stat(filepath.Join(s.dir, file)); errors.Is(err, fs.ErrNotExist) {
		if files, err := s.files(account); err != nil || len(files) >= maxDrafts {
			return errors.Join(err, ErrTooMany)
		}
	}
	if err := durable.Replace(filepath.Join(s.dir, file), unfinished+"*", text); err != nil {
		return fmt.Errorf("keep the draft: %w", err)
	}
	return nil
}

// Remove forgets a draft; one that is not there is no error.
func (s *Store) Remove(account, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := os.Remove(filepath.Join(s.dir, name(account, id))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the draft: %w", err)
	}
	return nil
}

// Forget removes all drafts of an account: who gets its name next must not see them.
func (s *Store) Forget(account string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	files, err := s.files(account)
	for _, file := range files {
		if gone := os.Remove(filepath.Join(s.dir, file)); gone != nil {
			err = errors.Join(err, fmt.Errorf("remove the draft: %w", gone))
		}
	}
	return err
}

// List returns an account's drafts by id. What cannot be opened is left out.
func (s *Store) List(account string) (map[string][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	files, err := s.files(account)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, file := range files {
		if k, body, err := s.read(file); err == nil && k.Account == account {
			out[k.ID] = body
		}
	}
	return out, nil
}

func (s *Store) files(account string) (out []string, err error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list the drafts: %w", err)
	}
	prefix, _, _ := strings.Cut(name(account, ""), "-")
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix+"-") && strings.HasSuffix(e.Name(), suffix) {
			out = append(out, e.Name())
		}
	}
	return out, nil
}
