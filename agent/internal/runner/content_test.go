package runner

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/agent/internal/steps"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// shelf is a Content of one item; it fails as often as told.
type shelf struct {
	steps.Content
	fails int
	asked []string
}

func (s *shelf) Folder(_ context.Context, ref tasksequence.Reference, dir string, progress func(done, total int64)) error {
	s.asked = append(s.asked, ref.String()+" "+filepath.Base(dir))
	if s.fails > 0 {
		s.fails--
		return errors.New("the wire was cut")
	}
	progress(1, 2)
	return os.WriteFile(filepath.Join(dir, "hello.txt"), []byte("hello"), 0o600)
}

func withContent(command, content string, more ...func(*tasksequence.Node)) tasksequence.Node {
	n := run("x", command, more...)
	n.Settings["Content"] = json.RawMessage(`"` + content + `"`)
	return n
}

func contentBench(t *testing.T, s *shelf, size int64, n tasksequence.Node) *bench {
	b := newBench(t, n)
	b.Document.Content = map[string]tasksequence.Content{"app:2": {ID: "app", Version: 2, Name: "The app", Size: size}}
	b.runner.Machine.Content = s
	b.runner.ContentDir = filepath.Join(t.TempDir(), "content")
	return b
}

func TestContentStandsInAFolderWhileTheStepRuns(t *testing.T) {
	s := &shelf{fails: 1}
	b := contentBench(t, s, 5, withContent(`cat hello.txt "%_CONTENT-Content%/hello.txt" "$SLIPWAY__CONTENT_CONTENT/hello.txt"; echo
		[ -e again ] || { touch again; exit 1; }`, "app:2", func(n *tasksequence.Node) { n.Retries = 3 }))
	out, err := b.run(t, b.start(t))
	if err != nil || out.Status != Succeeded {
		t.Fatalf("got %+v, %v; screen %q", out, err, b.face.lines)
	}
	// The first attempt fails to fetch, the second fetches and fails, the third finds the files.
	if !slices.Equal(s.asked, []string{"app:2 1-Content", "app:2 1-Content"}) {
		t.Errorf("fetched %q", s.asked)
	}
	if !slices.Contains(b.face.lines, "hellohellohello") || !slices.Contains(b.face.lines, "Fetching The app") {
		t.Errorf("screen %q", b.face.lines)
	}
	if left, _ := os.ReadDir(b.runner.ContentDir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	b.Do(func() {
		for _, e := range b.Events {
			if slices.ContainsFunc(e.Variables, func(v wire.Variable) bool { return strings.HasPrefix(v.Name, "_CONTENT") }) {
				t.Errorf("the folder is reported as a variable: %+v", e)
			}
		}
	})
}

func TestContentThatCannotBePut(t *testing.T) {
	for name, tt := range map[string]struct {
		shelf *shelf
		size  int64
		want  string
	}{
		"fails":                {&shelf{fails: 9}, 5, "content The app of Content: the wire was cut"},
		"larger than the disk": {&shelf{}, 1 << 60, "there are only"},
	} {
		t.Run(name, func(t *testing.T) {
			mark := filepath.Join(t.TempDir(), "ran")
			b := contentBench(t, tt.shelf, tt.size, withContent("touch "+mark, "app:2"))
			out, err := b.run(t, b.start(t))
			if err != nil || out.Status != Failed || !strings.Contains(out.Message, tt.want) {
				t.Errorf("got %+v, %v", out, err)
			}
			if _, err := os.Stat(mark); err == nil {
				t.Error("the step ran without its content")
			}
		})
	}
	b := contentBench(t, nil, 5, withContent("true", "app:2"))
	b.runner.Machine.Content = nil
	if out, err := b.run(t, b.start(t)); err != nil || !strings.Contains(out.Message, "rebuild the boot image") {
		t.Errorf("without a way to fetch: %+v, %v", out, err)
	}
}
