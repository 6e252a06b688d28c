package backup

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"slipway/appliance/internal/audit"
	"slipway/appliance/internal/content"
	"slipway/appliance/internal/secrets"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

const passphrase = "sextant plywood oregano umbrella quartz"

// created is the clock of the tests' writers.
var created = time.Date(2026, 7, 1, 12, 30, 0, 0, time.UTC)

// appliance is the parts of a running appliance that a backup needs.
type appliance struct {
	*Writer
	store  *state.Store
	ring   *secrets.Keyring
	log    *audit.Log
	sealed []byte

	content *content.Service // nil: the backups are without content
}

// withContent gives the appliance content: "Big" of several pieces, "Folder" whose
// file holds the same bytes as the first version of "Small".
func (a *appliance) withContent(t *testing.T, big int) *appliance {
	t.Helper()
	var err error
	a.content, err = content.New(content.Options{Store: a.store, Dir: filepath.Join(a.from.Data, contentFolder), Audit: a.log, Logger: slog.New(slog.DiscardHandler), Reserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.content.Close() })
	a.from.Content = a.content
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "small"), []byte("small"), 0o600); err != nil {
		t.Fatal(err)
	}
	a.bring(t, "Small", filepath.Join(dir, "small"))
	a.bring(t, "Folder", dir)
	a.bring(t, "Big", a.sparse(t, big))
	return a
}

const (
	catalogueFile = "catalogues/dell.json"
	catalogueText = `{"format":2,"name":"dell","vendor":"dell","from":"dell.cab","importedAt":"2026-07-01T12:30:00Z","entries":[]}`
)

// withCatalogue gives the appliance a catalogue, and what an import that goes on leaves
// beside it.
func (a *appliance) withCatalogue(t *testing.T) *appliance {
	t.Helper()
	file := filepath.Join(a.from.Data, catalogueFile)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(catalogueText), 0o600),
		os.WriteFile(filepath.Join(filepath.Dir(file), ".list-1"), []byte("half"), 0o600)); err != nil {
		t.Fatal(err)
	}
	return a
}

// sparse is a file whose bytes are zero but for the last.
func (a *appliance) sparse(t *testing.T, size int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "big.bin")
	f, err := os.Create(path)
	if err == nil {
		_, err = f.WriteAt([]byte("x"), int64(size)-1)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func (a *appliance) bring(t *testing.T, name, path string) {
	t.Helper()
	j, err := a.content.Import(t.Context(), content.Actor{Name: "somebody"}, content.Import{Name: name, Purpose: "other", Path: path})
	if err == nil {
		_, err = a.content.Wait(t.Context(), j.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func newAppliance(t *testing.T) *appliance {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	quiet := slog.New(slog.DiscardHandler)
	a := &appliance{}
	var err error
	if a.store, err = state.Open(t.Context(), state.Options{Dir: filepath.Join(data, stateName), Logger: quiet, SegmentSize: 256 << 10}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.store.Close() })
	if a.ring, err = secrets.Ensure(t.Context(), a.store, filepath.Join(data, keyName), created); err != nil {
		t.Fatal(err)
	}
	if a.log, err = audit.Open(filepath.Join(data, auditFolder), audit.Options{Logger: quiet, FileBytes: 4 << 10, TotalBytes: 64 << 10}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.log.Close() })
	if a.sealed, err = a.ring.Seal([]byte("the CA's key"), "test"); err != nil {
		t.Fatal(err)
	}
	err = a.store.Update(t.Context(), func(tx *state.Tx) error {
		return tx.Installation().Put(fleet.Installation{ID: "aaaabbbbccccdddd",
			Authorities: []fleet.Authority{{Certificate: []byte("certificate"), SealedKey: a.sealed}}})
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 40 { // several files
		a.note(t, "passcode.set")
	}
	a.Writer = NewWriter(Sources{Store: a.store, Keyring: a.ring, Data: data, Version: "1.2.3",
		Installation: "aaaabbbbccccdddd", Now: func() time.Time { return created }})
	a.factor = 10
	return a
}

func (a *appliance) note(t *testing.T, action string) {
	t.Helper()
	if err := a.log.Write(t.Context(), fleet.AuditEntry{Actor: "somebody", Action: action, Outcome: audit.OutcomeOK, Reason: string(bytes.Repeat([]byte("r"), 200))}); err != nil {
		t.Fatal(err)
	}
}

// backup is a whole backup file.
func (a *appliance) backup(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := a.Write(t.Context(), &b, passphrase, Wanted{Configuration: []byte("data: ./data\n"), Content: a.content != nil}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// opened opens a restored data folder as the appliance does.
func opened(t *testing.T, data string) (*state.Store, *secrets.Keyring) {
	t.Helper()
	store, err := state.Open(t.Context(), state.Options{Dir: filepath.Join(data, stateName), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	ring, err := secrets.Ensure(t.Context(), store, filepath.Join(data, keyName), created)
	if err != nil {
		t.Fatal(err)
	}
	return store, ring
}

// names are what stands in a folder.
func names(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}
