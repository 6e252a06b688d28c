package secrets

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"slipway/appliance/internal/state"
)

const helperVariable = "SLIPWAY_SECRETS_HELPER"

// TestMain makes the test binary a process that rotates for ever, to be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(helperVariable); dir != "" {
		helperRotate(dir)
	}
	os.Exit(m.Run())
}

func helperRotate(dir string) {
	ctx := context.Background()
	store, err := openStore(ctx, dir)
	if err != nil {
		panic(err)
	}
	keyFile := filepath.Join(dir, "secret.key")
	ring, err := Ensure(ctx, store, keyFile, time.Now())
	if err != nil {
		panic(err)
	}
	for {
		sealed, err := ring.Seal([]byte("value"), "p")
		if err != nil {
			panic(err)
		}
		fmt.Printf("%x\n", sealed)
		if _, err := ring.Rotate(ctx, store, keyFile, time.Now()); err != nil {
			panic(err)
		}
	}
}

func openStore(ctx context.Context, dir string) (*state.Store, error) {
	return state.Open(ctx, state.Options{Dir: filepath.Join(dir, "state"), Logger: slog.New(slog.DiscardHandler), SegmentSize: 256 << 10})
}

func seal(t *testing.T, ring *Keyring, text string) []byte {
	t.Helper()
	sealed, err := ring.Seal([]byte(text), "p")
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func opens(t *testing.T, ring *Keyring, what string, sealed []byte, want string) {
	t.Helper()
	if got, err := ring.Open(sealed, "p"); err != nil || string(got) != want {
		t.Errorf("%s: %q, %v", what, got, err)
	}
}

func rotate(t *testing.T, ring *Keyring, store *state.Store, keyFile string) {
	t.Helper()
	if _, err := ring.Rotate(t.Context(), store, keyFile, time.Unix(9, 0)); err != nil {
		t.Fatal(err)
	}
}

func fileKeys(t *testing.T, keyFile string) [][]byte {
	t.Helper()
	keys, err := readKeyFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// After a rotation the old key file opens nothing, the new one everything, in this
// process and in the next.
func TestARotationReplacesTheKey(t *testing.T) {
	store, keyFile := installation(t)
	ring := ensure(t, store, keyFile)
	before, first := seal(t, ring, "before"), fileKeys(t, keyFile)
	count, err := ring.Rotate(t.Context(), store, keyFile, time.Unix(9, 0))
	if err != nil || count != 1 {
		t.Fatalf("%d data keys, %v", count, err)
	}
	after := seal(t, ring, "after")
	if bytes.Equal(after[1:headSize], before[1:headSize]) {
		t.Error("new values are sealed under the old data key")
	}
	now := fileKeys(t, keyFile)
	if len(now) != 1 || bytes.Equal(now[0], first[0]) {
		t.Errorf("the key file has %d keys, or the old one", len(now))
	}
	again := ensure(t, store, keyFile)
	for _, r := range []*Keyring{ring, again} {
		opens(t, r, "before", before, "before")
		opens(t, r, "after", after, "after")
	}
	if fresh := seal(t, again, "x"); !bytes.Equal(fresh[1:headSize], after[1:headSize]) {
		t.Error("the next start seals under another data key")
	}
	if err := writeKeyFile(keyFile, first...); err != nil {
		t.Fatal(err)
	}
	if _, err := Ensure(t.Context(), store, keyFile, time.Unix(9, 0)); !errors.Is(err, ErrKeyFile) {
		t.Errorf("the old key still opens the state: %v", err)
	}
}

// What each step leaves when the process dies after it is opened and tidied up by
// the next start, and by the next rotation.
func TestARotationCutShort(t *testing.T) {
	for name, leave := range map[string]func(t *testing.T, ring *Keyring, store *state.Store, keyFile string) (keep []byte){
		"an unfinished key file": func(t *testing.T, _ *Keyring, _ *state.Store, keyFile string) []byte {
			if err := os.WriteFile(keyFile+".new", []byte(keyFileHead+"half of a k"), 0o600); err != nil {
				t.Fatal(err)
			}
			return fileKeys(t, keyFile)[0]
		},
		"both keys, the state under the old": func(t *testing.T, _ *Keyring, _ *state.Store, keyFile string) []byte {
			old := fileKeys(t, keyFile)[0]
			if err := writeKeyFile(keyFile, old, randomBytes(keySize)); err != nil {
				t.Fatal(err)
			}
			return old
		},
		"both keys, the state under the new": func(t *testing.T, ring *Keyring, store *state.Store, keyFile string) []byte {
			old := fileKeys(t, keyFile)[0]
			rotate(t, ring, store, keyFile)
			fresh := fileKeys(t, keyFile)[0]
			if err := writeKeyFile(keyFile, old, fresh); err != nil {
				t.Fatal(err)
			}
			return fresh
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, keyFile := installation(t)
			ring := ensure(t, store, keyFile)
			sealed := seal(t, ring, "value")
			keep := leave(t, ring, store, keyFile)
			copied := filepath.Join(t.TempDir(), "copy.key") // for the rotation without a start
			if err := writeKeyFile(copied, fileKeys(t, keyFile)...); err != nil {
				t.Fatal(err)
			}
			opens(t, ensure(t, store, keyFile), "after a start", sealed, "value")
			if keys := fileKeys(t, keyFile); len(keys) != 1 || !bytes.Equal(keys[0], keep) {
				t.Errorf("the key file was not tidied up: %d keys", len(keys))
			}
			if left, _ := filepath.Glob(keyFile + ".*"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			rotate(t, ring, store, copied)
			opens(t, ensure(t, store, copied), "after a rotation", sealed, "value")
			if keys := fileKeys(t, copied); len(keys) != 1 {
				t.Errorf("%d keys after a rotation", len(keys))
			}
		})
	}
}

// Killed wherever it is, a rotation leaves a key file that opens all that was sealed.
func TestAKilledRotation(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	rounds := 8
	if os.Getenv("SLIPWAY_SOAK") != "" {
		rounds = 200
	}
	var sealed [][]byte
	for round := range rounds {
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), helperVariable+"="+dir, "GORACE=atexit_sleep_ms=0")
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			value, err := hex.DecodeString(lines.Text())
			if err != nil {
				break // a line that was cut
			}
			sealed = append(sealed, value)
			if n == 2 {
				time.AfterFunc(time.Duration(round*700)*time.Microsecond, func() { _ = cmd.Process.Kill() })
			}
		}
		_ = cmd.Wait()
		store, err := openStore(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		ring := ensure(t, store, filepath.Join(dir, "secret.key"))
		for i, value := range sealed {
			opens(t, ring, fmt.Sprintf("round %d, value %d", round, i), value, "value")
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(sealed) < 2*rounds {
		t.Errorf("only %d values were sealed", len(sealed))
	}
}

// Sealing and opening go on while the key is rotated (run with -race).
func TestTheKeyringIsUsedDuringARotation(t *testing.T) {
	store, keyFile := installation(t)
	ring := ensure(t, store, keyFile)
	stop, wg := make(chan struct{}), sync.WaitGroup{}
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				value, err := ring.Seal([]byte("busy"), "p")
				if err != nil {
					t.Error(err)
					return
				}
				opens(t, ring, "meanwhile", value, "busy")
			}
		})
	}
	for range 5 {
		rotate(t, ring, store, keyFile)
		err := ring.Still(keyFile, func(content []byte) error { return Check(store, content) })
		if err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
}

func TestARotationThatCannotBegin(t *testing.T) {
	store, keyFile := installation(t)
	ring := ensure(t, store, keyFile)
	sealed, good := seal(t, ring, "value"), fileKeys(t, keyFile)[0]
	other := randomBytes(keySize)
	full := bytes.Repeat([]byte{1}, keySize*maxFileKeys)
	for name, spoil := range map[string]func() error{
		"missing":         func() error { return os.Remove(keyFile) },
		"of another":      func() error { return writeKeyFile(keyFile, other) },
		"read by others":  func() error { return os.Chmod(keyFile, 0o644) },
		"too many to add": func() error { return writeKeyFile(keyFile, bytesOf(full, keySize)...) },
	} {
		if err := writeKeyFile(keyFile, good); err != nil {
			t.Fatal(err)
		}
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if _, err := ring.Rotate(t.Context(), store, keyFile, time.Unix(9, 0)); !errors.Is(err, ErrKeyFile) {
			t.Errorf("%s: %v", name, err)
		}
		opens(t, ring, name, sealed, "value")
	}
	if err := writeKeyFile(keyFile, good); err != nil {
		t.Fatal(err)
	}
	opens(t, ensure(t, store, keyFile), "in the end", sealed, "value")
}

func bytesOf(all []byte, size int) (out [][]byte) {
	for len(all) > 0 {
		out, all = append(out, all[:size]), all[size:]
	}
	return out
}

func FuzzParseKeyFile(f *testing.F) {
	f.Add(encodeKeyFile(bytes.Repeat([]byte{1}, keySize)))
	f.Add(encodeKeyFile(bytes.Repeat([]byte{1}, keySize), bytes.Repeat([]byte{2}, keySize)))
	f.Add([]byte(keyFileHead))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := parseKeyFile("f", data)
		if err != nil {
			return
		}
		again, err := parseKeyFile("f", encodeKeyFile(keys...))
		if err != nil || len(again) != len(keys) || len(keys) == 0 {
			t.Fatalf("%d keys, then %d, %v", len(keys), len(again), err)
		}
	})
}
