package content

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/appliance/internal/state"
)

// killDir names the folder of a process that adds content until it is killed.
const killDir = "SLIPWAY_CONTENT_KILL_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		fmt.Fprintln(os.Stderr, addUntilKilled(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// openIn opens state and service in a folder.
func openIn(ctx context.Context, dir string) (*Service, *state.Store, error) {
	quiet := slog.New(slog.DiscardHandler)
	store, err := state.Open(ctx, state.Options{Dir: filepath.Join(dir, "state"), Logger: quiet, SegmentSize: 256 << 10})
	if err != nil {
		return nil, nil, err
	}
	s, err := New(Options{Store: store, Dir: filepath.Join(dir, "content"), Audit: silent{}, Logger: quiet})
	return s, store, err
}

// addUntilKilled says each version that was acknowledged.
func addUntilKilled(dir string) error {
	ctx := context.Background()
	s, _, err := openIn(ctx, dir)
	if err != nil {
		return err
	}
	for n := uint64(0); ; n++ {
		path := filepath.Join(dir, "source")
		data := bytes.Repeat(binary.LittleEndian.AppendUint64(nil, n), 100_000)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
		j, err := s.Import(ctx, someone, Import{Name: fmt.Sprint("item ", n%3), Purpose: "other", Path: path})
		if err == nil {
			j, err = s.Wait(ctx, j.ID)
		}
		if err != nil {
			return err
		}
		fmt.Println(j.Version.Reference())
	}
}

// TestAcknowledgedVersionsSurviveAKill: they are whole afterwards, and nothing that
// was not acknowledged stays behind.
func TestAcknowledgedVersionsSurviveAKill(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	var acknowledged []string
	for range 3 {
		acknowledged = append(acknowledged, killOnce(t, dir, time.Duration(300+r.IntN(700))*time.Millisecond)...)
	}
	if len(acknowledged) == 0 {
		t.Fatal("nothing was acknowledged before the kills")
	}
	s, store, err := openIn(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	versions, err := s.versions()
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, v := range versions {
		there[v.Reference()] = true
	}
	for _, reference := range acknowledged {
		if !there[reference] {
			t.Errorf("version %s was acknowledged and is gone", reference)
		}
	}
	j, err := s.Verify(t.Context(), someone, "", 0)
	if err == nil {
		_, err = s.Wait(t.Context(), j.ID)
	}
	if err != nil {
		t.Error(err)
	}
	s.sweep(t.Context())
	named := map[string]bool{} // the same bytes were added again after each kill
	for _, v := range versions {
		m, err := s.manifests.get(s.blobs, v.Manifest)
		if err != nil {
			t.Fatal(err)
		}
		named[v.Manifest], named[m.Files[0].SHA256] = true, true
	}
	if got := len(filesIn(t, s.o.Dir)); got != len(named) {
		t.Errorf("%d files for %d versions, %d are named", got, len(versions), len(named))
	}
}

// killOnce runs the process, kills it after a while from its first version on, and
// returns what it acknowledged.
func killOnce(t *testing.T, dir string, after time.Duration) (said []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), killDir+"="+dir)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var kill *time.Timer
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if kill == nil {
			kill = time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
			defer kill.Stop()
		}
		said = append(said, strings.TrimSpace(lines.Text()))
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the process ended by itself: %v %s", err, errs.String())
	}
	return said
}
