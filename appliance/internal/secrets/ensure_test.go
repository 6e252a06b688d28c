package secrets

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/appliance/internal/state"
)

// installation is a data folder with a store.
func installation(t *testing.T) (store *state.Store, keyFile string) {
	t.Helper()
	dir := t.TempDir()
	store, err := state.Open(t.Context(), state.Options{Dir: filepath.Join(dir, "state"),
		Logger: slog.New(slog.DiscardHandler), SegmentSize: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store, filepath.Join(dir, "secret.key")
}

func ensure(t *testing.T, store *state.Store, keyFile string) *Keyring {
	t.Helper()
	ring, err := Ensure(t.Context(), store, keyFile, time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestASecondStartOpensWhatTheFirstSealed(t *testing.T) {
	store, keyFile := installation(t)
	sealed, err := ensure(t, store, keyFile).Seal([]byte("value"), "p")
	if err != nil {
		t.Fatal(err)
	}
	got, err := ensure(t, store, keyFile).Open(sealed, "p")
	if err != nil || string(got) != "value" {
		t.Fatalf("%q, %v", got, err)
	}
	info, err := os.Stat(keyFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(keyFile + ".*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A crash after the key file and before the data key was kept is healed.
func TestAKeyFileWithoutADataKeyIsUsed(t *testing.T) {
	store, keyFile := installation(t)
	if err := writeKeyFile(keyFile, randomBytes(keySize)); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	ensure(t, store, keyFile)
	if after, err := os.ReadFile(keyFile); err != nil || string(after) != string(before) {
		t.Errorf("the key file changed: %v", err)
	}
}

func TestAKeyFileThatCannotBeUsed(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(path string) error
		says  string
	}{
		"missing":               {os.Remove, "put it back from a backup"},
		"readable by others":    {func(p string) error { return os.Chmod(p, 0o604) }, "chmod 600"},
		"readable by the group": {func(p string) error { return os.Chmod(p, 0o640) }, "chmod 600"},
		"empty":                 {func(p string) error { return os.Truncate(p, 0) }, "damaged"},
		"cut":                   {func(p string) error { return os.Truncate(p, 40) }, "damaged"},
		"another":               {func(p string) error { return writeKeyFile(p, randomBytes(keySize)) }, "does not belong to this state"},
	} {
		t.Run(name, func(t *testing.T) {
			store, keyFile := installation(t)
			ensure(t, store, keyFile)
			if err := c.spoil(keyFile); err != nil {
				t.Fatal(err)
			}
			_, err := Ensure(t.Context(), store, keyFile, time.Unix(2, 0))
			if !errors.Is(err, ErrKeyFile) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("message %v", err)
			}
		})
	}
}
