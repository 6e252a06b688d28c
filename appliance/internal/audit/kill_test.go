package audit

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const writerDir = "SLIPWAY_TEST_AUDIT_WRITER"

// TestWriterProcess is the process that TestKilledWriter kills. Run by itself it
// has nothing to do.
func TestWriterProcess(t *testing.T) {
	dir := os.Getenv(writerDir)
	if dir == "" {
		return
	}
	l, err := Open(dir, Options{FileBytes: 4000, TotalBytes: 1 << 20, SyncEvery: time.Millisecond})
	if err != nil {
		fmt.Println("failed", err)
		return
	}
	for i := 0; ; i++ {
		name := fmt.Sprintf("w%d.%d", os.Getpid(), i)
		write(t, l, ok(name))
		fmt.Println("kept", name)
		write(t, l, refused("192.0.2.1", name))
	}
}

// The writer is killed at random moments, and once more the file's end is torn as
// a power loss may leave it: every acknowledged entry is found again, numbers go
// on without a gap, and nothing unreadable is left between them.
func TestKilledWriter(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	kept := map[string]bool{}
	for range 6 {
		writeUntilKilled(t, dir, 1+random.IntN(120), kept)
		if random.IntN(2) == 0 {
			tear(t, dir, random.IntN(60))
		}
	}
	l := open(t, dir, Options{FileBytes: 4000, TotalBytes: 1 << 20})
	var next int64
	for before := int64(0); ; {
		page, err := l.Recent(Filter{}, before, 200)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			if next != 0 && e.Number != next-1 {
				t.Errorf("entry %d stands before %d", e.Number, next)
			}
			next = e.Number
			delete(kept, e.Action)
		}
		before = next
	}
	if next != 1 {
		t.Errorf("the oldest entry is %d", next)
	}
	for name := range kept {
		t.Errorf("acknowledged entry %s is missing", name)
	}
}

// writeUntilKilled lets a process write until it acknowledged n entries.
func writeUntilKilled(t *testing.T, dir string, n int, kept map[string]bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestWriterProcess$")
	cmd.Env = append(os.Environ(), writerDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	seen := 0
	for lines.Scan() {
		var name string
		if _, err := fmt.Sscanf(lines.Text(), "kept %s", &name); err != nil {
			t.Errorf("the writer says %q", lines.Text())
			break
		}
		kept[name] = true
		if seen++; seen == n {
			cmd.Process.Kill() // what it still says counts, too
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	if seen < n {
		t.Errorf("the writer ended after %d entries", seen)
	}
}

// tear appends n bytes of an entry that was never acknowledged.
func tear(t *testing.T, dir string, n int) {
	t.Helper()
	seqs, err := listSegments(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, segmentName(seqs[len(seqs)-1]))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(`{"format":1,"n":99,"t":"2026-11-21T08:00:00Z","actor":"torn"}`[:n]); err != nil {
		t.Fatal(err)
	}
}
