package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc64"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// forgeSnapshot rewrites the newest snapshot with a checksum that fits.
func forgeSnapshot(t *testing.T, dir string, change func([]byte) []byte) {
	t.Helper()
	snap := newestSnapshotDir(t, dir)
	state := filepath.Join(snap, "state.bin")
	data, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	data = change(data)
	var meta map[string]any
	raw, err := os.ReadFile(filepath.Join(snap, "meta.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &meta); err != nil {
		t.Fatal(err)
	}
	sum := crc64.New(crc64.MakeTable(crc64.ECMA))
	sum.Write(data)
	meta["CRC"] = sum.Sum(nil)
	if raw, err = json.Marshal(meta); err != nil {
		t.Fatal(err)
	}
	writeFile(t, state, data)
	writeFile(t, filepath.Join(snap, "meta.json"), raw)
}

func newestSnapshotDir(t *testing.T, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "snapshots", "*"))
	if err != nil || len(names) == 0 {
		t.Fatal("no snapshot", err)
	}
	slices.SortFunc(names, func(a, b string) int { return int(snapIndex(a)) - int(snapIndex(b)) })
	return names[len(names)-1]
}

func snapIndex(path string) (index uint64) {
	var term uint64
	fmt.Sscanf(filepath.Base(path), "%d-%d-", &term, &index)
	return index
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// folder is the content of a state folder, by path below it.
type folder map[string][]byte

func readFolder(t *testing.T, dir string) folder {
	t.Helper()
	for {
		f, err := tryReadFolder(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a file got its final name meanwhile: look again
		}
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
}

func tryReadFolder(dir string) (folder, error) {
	f := folder{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == reserveName {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		f[rel], err = os.ReadFile(path)
		return err
	})
	return f, err
}

func (f folder) clone() folder {
	c := folder{}
	for name, data := range f {
		c[name] = slices.Clone(data)
	}
	return c
}

// write makes a folder with this content.
func (f folder) write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range f {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, name), data)
	}
	return dir
}

// segments are the log files in their order.
func (f folder) segments() []string {
	var names []string
	for name := range f {
		if strings.HasSuffix(name, ".wal") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (f folder) tail() string { names := f.segments(); return names[len(names)-1] }

func smallSegments(dir string) Options {
	o := quiet(dir)
	o.SegmentSize = 64 << 10
	return o
}

// writeNumbered writes devices n000 to n<to>, each with a payload of size bytes.
func writeNumbered(t *testing.T, s *Store, from, to, size int) {
	t.Helper()
	for i := from; i < to; i++ {
		update(t, s, putDevice(fmt.Sprintf("n%03d", i), strings.Repeat(string(rune('a'+i%26)), size)))
	}
}

// mustHold opens a folder, finds n numbered devices, writes on, and finds them
// again. It returns how many there were at first.
func mustHold(t *testing.T, f folder, n int) (total int) {
	t.Helper()
	dir := f.write(t)
	for round := range 2 {
		s := open(t, smallSegments(dir))
		for i := range n {
			deviceName(t, s, fmt.Sprintf("n%03d", i))
		}
		if round == 0 {
			view(t, s, func(tx *Tx) error { total = tx.Devices().Len(); return nil })
		}
		writeNumbered(t, s, n, n+3, 100)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		n += 3
	}
	return total
}

// mustRefuse opens a folder and wants one clear line.
func mustRefuse(t *testing.T, f folder) {
	t.Helper()
	dir := f.write(t)
	s, err := Open(t.Context(), smallSegments(dir))
	if err == nil {
		s.Close()
		t.Fatal("opened, although acknowledged writes are lost")
	}
	if !errors.Is(err, ErrDamaged) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "restore a backup") {
		t.Fatalf("message %q", err)
	}
}

// closedFolder is the folder of a store after fn.
func closedFolder(t *testing.T, fn func(s *Store)) folder {
	t.Helper()
	o := smallSegments(t.TempDir())
	s := open(t, o)
	fn(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return readFolder(t, o.Dir)
}

// A power loss in the middle of a write leaves any mixture of old and new sectors.
func TestATornWriteLosesNothingThatWasAcknowledged(t *testing.T) {
	rnd := random(t)
	var before, after folder
	after = closedFolder(t, func(s *Store) {
		writeNumbered(t, s, 0, 10, 500)
		before = readFolder(t, s.opts.Dir)
		writeNumbered(t, s, 10, 11, 20000)
	})
	tail := after.tail()
	rounds := 25
	if soak() {
		rounds = 1000
	}
	kept := 0
	for range rounds {
		f := before.clone()
		odds := 1 + rnd.IntN(100) // from all old to nearly all new
		for off := 0; off < len(after[tail]); off += 512 {
			if rnd.IntN(odds) > 0 {
				copy(f[tail][off:off+512], after[tail][off:off+512])
			}
		}
		if mustHold(t, f, 10) == 11 {
			kept++
		}
	}
	t.Logf("the unfinished write was there %d of %d times", kept, rounds)
}

// sealing catches the folder before and after the write that fills a segment. The
// second is that of a closed store: a rotation under way may have made the new
// segment and not noted it yet.
func sealing(t *testing.T) (before, after folder, n int) {
	t.Helper()
	final := closedFolder(t, func(s *Store) {
		for ; ; n++ {
			before = readFolder(t, s.opts.Dir)
			writeNumbered(t, s, n, n+1, 5000)
			eventually(t, "the rotation", func() bool { // it goes on in the background
				after = readFolder(t, s.opts.Dir)
				sealed := scanSegment(after[before.tail()]).indexStart != 0
				return !sealed || len(after.segments()) > len(before.segments())
			})
			if len(after.segments()) > len(before.segments()) {
				break
			}
		}
	})
	return before, final, n + 1
}

func TestACrashBetweenTwoSegments(t *testing.T) {
	before, after, n := sealing(t)
	tail := before.tail()
	sealed := before.clone()
	sealed[tail] = after[tail]
	t.Run("sealed but not entered", func(t *testing.T) { mustHold(t, sealed, n) })
	t.Run("entered but not made", func(t *testing.T) {
		dir := sealed.write(t)
		meta, err := openMeta(dir, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := repairSegments(dir, meta, 0); err != nil {
			t.Fatal(err)
		}
		if state, _ := meta.Load(dir); len(state.Segments) != 2 {
			t.Fatalf("%d segments are entered", len(state.Segments))
		}
		if err := meta.Close(); err != nil {
			t.Fatal(err)
		}
		mustHold(t, readFolder(t, dir), n)
	})
	t.Run("half made", func(t *testing.T) {
		f := sealed.clone()
		f[after.tail()+newSuffix] = make([]byte, 1000)
		mustHold(t, f, n)
	})
	t.Run("seal torn", func(t *testing.T) {
		f := sealed.clone()
		end := scanSegment(f[tail]).end
		clear(f[tail][end-frameHead : end])
		if got := mustHold(t, f, n-1); got != n-1 {
			t.Errorf("%d devices, want the %d before the torn write", got, n-1)
		}
	})
}

func TestALogThatLostAcknowledgedEntriesIsRefused(t *testing.T) {
	_, after, n := sealing(t)
	tail, sealed := after.tail(), after.segments()[0]
	full := closedFolder(t, func(s *Store) { writeNumbered(t, s, 0, 10, 500) })
	end := scanSegment(full[full.tail()]).end
	for name, change := range map[string]func(folder){
		"tail cut at its end":        func(f folder) { f[f.tail()] = f[f.tail()][:end] },
		"tail cut in an entry":       func(f folder) { f[f.tail()] = f[f.tail()][:end-700] },
		"tail cut to nothing":        func(f folder) { f[f.tail()] = nil },
		"tail missing":               func(f folder) { delete(f, f.tail()) },
		"tail flipped in the middle": func(f folder) { f[f.tail()][end/2] ^= 1 },
		"meta missing":               func(f folder) { delete(f, metaName) },
		"meta empty":                 func(f folder) { f[metaName] = nil },
		"meta zeroed":                func(f folder) { clear(f[metaName]) },
		"a file of another log":      func(f folder) { f["00000000000000000099-00000000000000ff.wal"] = nil },
	} {
		t.Run(name, func(t *testing.T) {
			f := full.clone()
			change(f)
			mustRefuse(t, f)
		})
	}
	for name, change := range map[string]func(folder){
		"sealed segment missing": func(f folder) { delete(f, sealed) },
		"sealed segment cut":     func(f folder) { f[sealed] = f[sealed][:30000] },
		"sealed segment flipped": func(f folder) { f[sealed][20000] ^= 1 },
		"new segment missing":    func(f folder) { delete(f, tail) },
	} {
		t.Run(name, func(t *testing.T) {
			f := after.clone()
			change(f)
			mustRefuse(t, f)
		})
	}
	t.Run("cut behind its end", func(t *testing.T) {
		f := full.clone()
		f[f.tail()] = f[f.tail()][:end+4096]
		mustHold(t, f, 10)
	})
	t.Run("untouched", func(t *testing.T) { mustHold(t, after, n) })
}

// Either half of the meta file may be lost in the middle of a write.
func TestOneHalfOfTheMetaFileIsEnough(t *testing.T) {
	full := closedFolder(t, func(s *Store) { writeNumbered(t, s, 0, 10, 500) })
	for slot := range 2 {
		f := full.clone()
		clear(f[metaName][slot*metaSlot+100 : slot*metaSlot+200])
		mustHold(t, f, 10)
	}
}

// withSnapshots has two snapshots and entries before, between and after them.
func withSnapshots(t *testing.T) folder {
	return closedFolder(t, func(s *Store) {
		for i := range 3 {
			writeNumbered(t, s, i*30, i*30+30, 3000)
			if i < 2 {
				if err := s.snapshot(); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestDamagedSnapshots(t *testing.T) {
	full := withSnapshots(t)
	var snaps []string // folders, older first
	for name := range full {
		if dir := filepath.Dir(name); strings.HasPrefix(dir, "snapshots") && !slices.Contains(snaps, dir) {
			snaps = append(snaps, dir)
		}
	}
	slices.SortFunc(snaps, func(a, b string) int { return int(snapIndex(a)) - int(snapIndex(b)) })
	if len(snaps) != 2 {
		t.Fatalf("snapshots: %v", snaps)
	}
	older, newer := snaps[0], snaps[1]
	for name, change := range map[string]func(folder){
		"none":                    func(folder) {},
		"newer flipped":           func(f folder) { f[newer+"/state.bin"][100] ^= 1 },
		"newer cut":               func(f folder) { f[newer+"/state.bin"] = f[newer+"/state.bin"][:200] },
		"newer without meta":      func(f folder) { f[newer+"/meta.json"] = nil },
		"newer gone":              func(f folder) { delete(f, newer+"/state.bin"); delete(f, newer+"/meta.json") },
		"older gone":              func(f folder) { delete(f, older+"/state.bin"); delete(f, older+"/meta.json") },
		"another left unfinished": func(f folder) { f["snapshots/9-9-9.tmp/state.bin"] = []byte("x") },
	} {
		t.Run(name, func(t *testing.T) {
			f := full.clone()
			change(f)
			mustHold(t, f, 90)
		})
	}
	for name, change := range map[string]func(folder){
		"both flipped": func(f folder) { f[newer+"/state.bin"][100] ^= 1; f[older+"/state.bin"][100] ^= 1 },
		"both gone": func(f folder) {
			for _, d := range snaps {
				delete(f, d+"/state.bin")
				delete(f, d+"/meta.json")
			}
		},
		"log gone": func(f folder) {
			for _, name := range f.segments() {
				delete(f, name)
			}
			delete(f, metaName)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := full.clone()
			change(f)
			mustRefuse(t, f)
		})
	}
}
