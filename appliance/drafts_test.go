package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// What an account left unsaved, secrets among it, goes with the account: the next one
// of that name is somebody else.
func TestDraftsOfARemovedAccountAreForgotten(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	const password = "Quartz-Plover 31 moss"
	r.must(password+"\n", "account", "add", "ada", "--role", "administrator")
	r.must(password+"\n", "account", "add", "tom", "--role", "technician")
	of := sha256.Sum256([]byte("tom"))
	draft := filepath.Join(dir, "data", "drafts", hex.EncodeToString(of[:16])+"-1.draft")
	if err := os.WriteFile(draft, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.must("", "account", "remove", "tom")
	if _, err := os.Stat(draft); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the draft is still there: %v", err)
	}
}
