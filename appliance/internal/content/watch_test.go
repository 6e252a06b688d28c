package content

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// states imports and returns every state that a watcher gets, up to the end.
func (s *Service) states(t *testing.T, in Import, each func(Job)) []Job {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	s.jobs.watchers.every = 0
	ch := s.Subscribe(ctx)
	j, err := s.Import(t.Context(), someone, in)
	if err != nil {
		t.Fatal(err)
	}
	var all []Job
	for got := range ch {
		if got.ID != j.ID {
			t.Errorf("a state of another job: %+v", got)
		}
		all = append(all, got)
		if each != nil {
			each(got)
		}
		if got.Status != JobRunning {
			break
		}
	}
	stop()
	for range ch { // it is closed
	}
	return all
}

// TestProgressOfADownload: bytes are told while they come, of a total where the server
// says one; the end is told too.
func TestProgressOfADownload(t *testing.T) {
	const half = 1 << 20
	for name, told := range map[string]bool{"with a length": true, "without": false} {
		goOn := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if told {
				w.Header().Set("Content-Length", "2097152")
			}
			_, _ = w.Write(make([]byte, half))
			w.(http.Flusher).Flush()
			select {
			case <-goOn:
			case <-r.Context().Done():
			}
			_, _ = w.Write(make([]byte, half))
		}))
		s := open(t, func(o *Options) { o.Private = true })
		total := int64(0)
		if told {
			total = 2 * half
		}
		halfway := false
		all := s.states(t, Import{Name: "A", Purpose: "other", URL: server.URL + "/f"}, func(j Job) {
			if j.Stage == stageFetch && j.Done == half && j.Total == total && !halfway {
				halfway = true
				if seen, err := s.Job(j.ID); err != nil || seen.Done != half {
					t.Errorf("asked for, it says %+v, %v", seen, err)
				}
				close(goOn)
			}
		})
		server.Close()
		last := all[len(all)-1]
		if !halfway || last.Status != JobDone || last.Version == nil || last.EndedAt.IsZero() {
			t.Errorf("%s: halfway %v, the end %+v", name, halfway, last)
		}
		if !slices.ContainsFunc(all, func(j Job) bool { return j.Stage == stageFetch && j.Done == 2*half }) {
			t.Errorf("%s: the whole was never told", name)
		}
	}
}

// TestProgressOfConversions: disk images by bytes of the disk, WIM files by the part
// that is written.
func TestProgressOfConversions(t *testing.T) {
	s := open(t)
	dir := t.TempDir()
	raw := filepath.Join(dir, "disk.img")
	if err := os.WriteFile(raw, random(5, 32<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	wim := filepath.Join(dir, "install.wim")
	tree := filepath.Join(dir, "tree")
	if err := os.MkdirAll(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tree, "f"), random(6, 12<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("wimlib-imagex", "capture", tree, wim).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	for _, path := range []string{raw, wim} {
		parts := map[int64]bool{}
		for _, j := range s.states(t, Import{Name: filepath.Base(path), Purpose: "operatingsystem", Path: path}, nil) {
			if j.Stage == stageMake && j.Total > 0 {
				parts[10*j.Done/j.Total] = true
				if j.Done > j.Total {
					t.Errorf("%s: %d of %d bytes", path, j.Done, j.Total)
				}
			}
		}
		if len(parts) < 3 || !parts[10] {
			t.Errorf("%s: the tenths told are %v", path, parts)
		}
	}
}

func TestFailuresAreTold(t *testing.T) {
	s := open(t)
	all := s.states(t, Import{Name: "A", Purpose: "other", Path: "/none"}, nil)
	if last := all[len(all)-1]; last.Status != JobFailed || last.Error == "" {
		t.Errorf("%+v", last)
	}
}

func TestWhatWimlibSays(t *testing.T) {
	var told []int64
	o := &wimOutput{reached: func(n int64) { told = append(told, n) }}
	for _, piece := range []string{"Using LZX\n\rArchiving file data: 0 MiB of 85 MiB (0%) do", "ne\rArchiving file data: 12 MiB of 85 MiB (14%) done\r",
		"Archiving file data: 85 MiB of 85 MiB (100%) done\n[ERROR] it bro", "ke"} {
		_, _ = o.Write([]byte(piece))
	}
	if !slices.Equal(told, []int64{0, 14, 100}) || o.last() != "[ERROR] it broke" {
		t.Errorf("told %v, last %q", told, o.last())
	}
	for range 100 {
		_, _ = o.Write([]byte(strings.Repeat("x", maxWIMLine) + "yyy\n"))
	}
	if len(o.lines) > keptWIMText || len(o.last()) > maxWIMLine {
		t.Error("it keeps all")
	}
}
