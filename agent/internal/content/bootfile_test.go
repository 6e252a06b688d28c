package content

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/wire"
)

// A file of a boot image comes over broken connections, is checked, and fetched a second
// time when it is another one; then the step fails.
func TestBootFilesAreResumedAndChecked(t *testing.T) {
	wim := bytes.Repeat([]byte("Windows PE "), 300_000)
	s := newServer(t, map[string][]byte{"boot.wim": wim}, "boot.wim")
	file := wire.BootFile{Name: "boot.wim", Path: "/api/v1/content/i/2/boot.wim", Size: int64(len(wim)), SHA256: hashOf(wim)}
	fetch := func(spoil func(call int, path string, w http.ResponseWriter, body []byte) ([]byte, bool)) (got []byte, told int64, err error) {
		t.Helper()
		s.mu.Lock()
		s.spoil, s.calls = spoil, nil
		s.mu.Unlock()
		name := filepath.Join(t.TempDir(), "boot.wim")
		err = s.source().BootFile(t.Context(), file, name, func(n int64) { told += n })
		got, readErr := os.ReadFile(name)
		if readErr != nil {
			t.Fatal(readErr)
		}
		return got, told, err
	}
	cut := func(call int, _ string, _ http.ResponseWriter, body []byte) ([]byte, bool) {
		return body[:len(body)/2], call < 4
	}
	whole := func(cut func(int, string, http.ResponseWriter, []byte) ([]byte, bool)) func(int, string, http.ResponseWriter, []byte) ([]byte, bool) {
		return func(call int, path string, w http.ResponseWriter, body []byte) ([]byte, bool) {
			if short, is := cut(call, path, w, body); is {
				return short, true
			}
			return body, false
		}
	}
	got, told, err := fetch(whole(cut))
	if err != nil || !bytes.Equal(got, wim) || told != file.Size {
		t.Errorf("cut off: %d bytes, told of %d, %v", len(got), told, err)
	}
	if len(s.calls) != 4 || !strings.HasSuffix(s.calls[0], " bytes=0-") || strings.HasSuffix(s.calls[3], " bytes=0-") {
		t.Errorf("the calls: %q", s.calls)
	}
	other := func(until int) func(int, string, http.ResponseWriter, []byte) ([]byte, bool) {
		return func(call int, _ string, _ http.ResponseWriter, body []byte) ([]byte, bool) {
			if call <= until {
				body = bytes.Repeat([]byte("x"), len(body))
			}
			return body, false
		}
	}
	if got, told, err = fetch(other(1)); err != nil || !bytes.Equal(got, wim) || told != file.Size {
		t.Errorf("once another one: %d bytes, told of %d, %v", len(got), told, err)
	}
	if _, _, err = fetch(other(9)); !errors.Is(err, ErrBootFile) || len(s.calls) != 2 {
		t.Errorf("always another one: %v after %q", err, s.calls)
	}
	file.SHA256 = strings.Repeat("0", 64) // the appliance does not have that one
	if _, _, err = fetch(nil); err == nil || len(s.calls) != 1 {
		t.Errorf("not there: %v after %q", err, s.calls)
	}
}
