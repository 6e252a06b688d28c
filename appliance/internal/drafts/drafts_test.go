package drafts

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// mirror seals by turning each byte over; purpose must match.
type mirror struct{}

func (mirror) Seal(plain []byte, purpose string) ([]byte, error) {
	return turn(append([]byte(purpose+"\x00"), plain...)), nil
}

func (mirror) Open(sealed []byte, purpose string) ([]byte, error) {
	body, ok := bytes.CutPrefix(turn(sealed), []byte(purpose+"\x00"))
	if !ok {
		return nil, errors.New("another purpose")
	}
	return body, nil
}

func turn(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = ^b[i]
	}
	return out
}

func TestDraftsAreKeptForTheirAccount(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "drafts")
	s, err := Open(dir, mirror{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put("anna", "office", []byte("first hunter2")); err != nil {
		t.Fatal(err)
	}
	if err := s.Put("anna", "office", []byte("second hunter2")); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, mirror{}); err != nil { // the appliance restarts
		t.Fatal(err)
	}
	if body, err := s.Get("anna", "office"); err != nil || string(body) != "second hunter2" {
		t.Errorf("%q, %v", body, err)
	}
	if _, err := s.Get("bert", "office"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another account's draft: %v", err)
	}
	if list, err := s.List("anna"); err != nil || len(list) != 1 || string(list["office"]) != "second hunter2" {
		t.Errorf("%v, %v", list, err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil || bytes.Contains(text, []byte("hunter2")) {
		t.Errorf("the draft lies in clear: %v", err)
	}
	if err := errors.Join(s.Remove("anna", "office"), s.Remove("anna", "office")); err != nil {
		t.Error(err)
	}
	if _, err := s.Get("anna", "office"); !errors.Is(err, ErrNotFound) {
		t.Errorf("after removal: %v", err)
	}
}

func TestBounds(t *testing.T) {
	s, err := Open(t.TempDir(), mirror{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put("anna", "x", make([]byte, MaxBytes+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	for i := range maxDrafts {
		if err := s.Put("anna", fmt.Sprint(i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put("anna", "more", nil); !errors.Is(err, ErrTooMany) {
		t.Errorf("too many: %v", err)
	}
	if err := errors.Join(s.Put("anna", "0", []byte("again")), s.Put("bert", "more", nil)); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, name("anna", "1")), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if list, err := s.List("anna"); err != nil || len(list) != maxDrafts-1 {
		t.Errorf("a damaged draft hides the others: %d, %v", len(list), err)
	}
}

// TestDraftsGoWithTheirAccount, and what a crash left unfinished goes at the start.
func TestDraftsGoWithTheirAccount(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "new-123"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, mirror{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Put("anna", "office", []byte("1")), s.Put("anna", "lab", []byte("2")), s.Put("bert", "office", []byte("3")), s.Forget("anna")); err != nil {
		t.Fatal(err)
	}
	if list, err := s.List("anna"); err != nil || len(list) != 0 {
		t.Errorf("of the removed account: %v, %v", list, err)
	}
	if body, err := s.Get("bert", "office"); err != nil || string(body) != "3" {
		t.Errorf("of another account: %q, %v", body, err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
}
