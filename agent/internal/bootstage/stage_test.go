package bootstage

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/wire"
)

const (
	options = "{11111111-2222-3333-4444-555555555555}"
	entry   = "{AAAAAAAA-BBBB-cccc-dddd-eeeeeeeeeeee}"
)

// bench is a Windows whose tools take exactly the calls that are expected.
type bench struct {
	*Stage
	t     *testing.T
	want  []answer
	lines []string
	free  int64
	seen  func(line string) // is told each call
}

// answer is a call and what the tool does.
type answer struct {
	line   string
	code   int
	output string
	err    error
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, free: 10 << 30}
	b.Stage = &Stage{Drive: "C:", Root: t.TempDir(), UEFI: true, Run: b.run,
		Free: func(string) (int64, error) { return b.free, nil }, Protect: func(string) error { return nil }}
	return b
}

func (b *bench) run(ctx context.Context, args ...string) (int, string, error) {
	if err := ctx.Err(); err != nil {
		return -1, "", err
	}
	line := strings.Join(args, " ")
	if b.seen != nil {
		b.seen(line)
	}
	if len(b.want) == 0 || b.want[0].line != line {
		b.t.Errorf("the call %q; expected: %+v", line, b.want)
		return 99, "", nil
	}
	a := b.want[0]
	b.want = b.want[1:]
	return a.code, a.output, a.err
}

func (b *bench) log(level, text string) { b.lines = append(b.lines, level+" "+text) }

// put puts an image of two files onto the disk, with exactly these calls.
func (b *bench) put(ctx context.Context, fetch Fetch, want ...answer) error {
	b.t.Helper()
	b.want, b.lines = want, nil
	image := wire.WinPEImage{Format: 1, Image: "0123456789abcdef", Files: []wire.BootFile{{Name: "boot.wim", Size: 600 << 20}, {Name: "boot.sdi", Size: 3 << 20}}}
	err := b.Put(ctx, "dep", image, fetch, b.log)
	if len(b.want) > 0 {
		b.t.Errorf("these calls did not come: %+v", b.want)
	}
	return err
}

func (b *bench) left() []string {
	b.t.Helper()
	var names []string
	err := filepath.WalkDir(b.Root, func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, filepath.Base(name))
		}
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return names
}

func fetched(_ context.Context, f wire.BootFile, name string) error {
	return os.WriteFile(name, []byte(f.Name), 0o600)
}

func asked(code int) answer {
	return answer{line: "manage-bde.exe -status C: -protectionaserrorlevel", code: code}
}

var suspending = answer{line: "manage-bde.exe -protectors -disable C: -RebootCount 1"}
var resuming = answer{line: "manage-bde.exe -protectors -enable C:"}

func entering() []answer {
	wim := `ramdisk=[C:]\ProgramData\Slipway\winpe\boot.wim,` + options
	return []answer{
		{line: "bcdedit.exe /create /d Slipway RAM disk /device", output: "L’entrée " + options + " a été correctement créée.\r\n"},
		{line: "bcdedit.exe /set " + options + " ramdisksdidevice partition=C:"},
		{line: "bcdedit.exe /set " + options + ` ramdisksdipath \ProgramData\Slipway\winpe\boot.sdi`},
		{line: "bcdedit.exe /create /d Slipway Windows PE /application osloader", output: "The entry " + entry + " was successfully created.\r\n"},
		{line: "bcdedit.exe /set " + entry + " device " + wim},
		{line: "bcdedit.exe /set " + entry + " osdevice " + wim},
		{line: "bcdedit.exe /set " + entry + ` path \windows\system32\boot\winload.efi`},
		{line: "bcdedit.exe /set " + entry + ` systemroot \windows`},
		{line: "bcdedit.exe /set " + entry + " detecthal yes"},
		{line: "bcdedit.exe /set " + entry + " winpe yes"},
		{line: "bcdedit.exe /bootsequence " + entry},
	}
}

func deleting(ids ...string) []answer {
	var out []answer
	for _, id := range ids {
		out = append(out, answer{line: "bcdedit.exe /delete " + id + " /cleanup"})
	}
	return out
}

func all(parts ...[]answer) (out []answer) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func TestWindowsPEIsPutOntoTheDiskAndTakenBack(t *testing.T) {
	b := newBench(t)
	if err := b.put(t.Context(), fetched, all([]answer{asked(0), suspending, asked(1)}, entering())...); err != nil {
		t.Fatal(err)
	}
	if b.Staged() != "dep" || len(b.left()) != 3 {
		t.Errorf("staged for %q: %q", b.Staged(), b.left())
	}
	if all := strings.Join(b.lines, "\n"); !strings.Contains(all, "suspended for 1 restart") || !strings.Contains(all, "only then") {
		t.Errorf("the log:\n%s", all)
	}
	b.want = all(deleting(entry, options), []answer{resuming})
	if err := b.Undo(t.Context(), b.log); err != nil || len(b.want) > 0 || len(b.left()) > 0 || b.Staged() != "" {
		t.Errorf("%v; not called: %+v; left: %q", err, b.want, b.left())
	}
	if err := b.Undo(t.Context(), b.log); err != nil { // nothing to take back
		t.Error(err)
	}
}

// A drive that BitLocker does not protect is left alone, also after a failure.
func TestBitLockerIsSuspendedOnlyWhereItProtects(t *testing.T) {
	for name, ask := range map[string]answer{"not protected": asked(1), "no such tool": {line: asked(0).line, code: -1, err: exec.ErrNotFound}} {
		b := newBench(t)
		if err := b.put(t.Context(), fetched, all([]answer{ask}, entering())...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		b.want = deleting(entry, options)
		if err := b.Undo(t.Context(), b.log); err != nil || len(b.want) > 0 {
			t.Errorf("%s: %v, %+v", name, err, b.want)
		}
	}
}

func TestEverythingIsTakenBackWhenACallFails(t *testing.T) {
	failed := entering()
	failed[9].code, failed[9].output = 1, "Access is denied.\r\n"
	first := entering()[:1]
	first[0].code = 1
	damaged := func(context.Context, wire.BootFile, string) error { return errors.New("another file") }
	guarded := []answer{asked(0), suspending, asked(1)}
	for name, is := range map[string]struct {
		free  int64
		fetch Fetch
		want  []answer
		says  string
	}{
		"no room":           {700 << 20, fetched, []answer{asked(0)}, "Windows PE needs 1115 MiB"},
		"not to be told":    {0, fetched, []answer{{line: asked(0).line, code: -1, output: "ERROR: parameter"}}, "cannot be told"},
		"damaged":           {0, damaged, []answer{asked(0)}, "another file"},
		"suspending fails":  {0, fetched, []answer{asked(0), {line: suspending.line, code: 5}, resuming}, "cannot be suspended"},
		"a policy":          {0, fetched, []answer{asked(0), suspending, asked(0), resuming}, "a policy may forbid"},
		"the first entry":   {0, fetched, all(guarded, first, []answer{resuming}), "exit code 1"},
		"half of the entry": {0, fetched, all(guarded, failed[:10], deleting(entry, options), []answer{resuming}), "Access is denied"},
	} {
		b := newBench(t)
		if is.free > 0 {
			b.free = is.free
		}
		err := b.put(t.Context(), is.fetch, is.want...)
		if err == nil || !strings.Contains(err.Error(), is.says) || strings.Contains(err.Error(), "taken back") {
			t.Errorf("%s: %v", name, err)
		}
		if left := b.left(); len(left) > 0 || b.Staged() != "" {
			t.Errorf("%s: left %q", name, left)
		}
	}
}

// A cancelled deployment leaves nothing either, and an earlier try goes first.
func TestCancelledAndRepeated(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	stopped := func(ctx context.Context, f wire.BootFile, name string) error {
		cancel()
		return errors.Join(fetched(ctx, f, name), ctx.Err())
	}
	if err := b.put(ctx, stopped, asked(1)); !errors.Is(err, context.Canceled) || len(b.left()) > 0 {
		t.Errorf("%v, left %q", err, b.left())
	}
	ctx, cancel = context.WithCancel(t.Context())
	b.seen = func(line string) {
		if strings.Contains(line, "/create") {
			cancel()
		}
	}
	err := b.put(ctx, fetched, all([]answer{asked(0), suspending, asked(1)}, entering()[:1], deleting(options), []answer{resuming})...)
	if b.seen = nil; !errors.Is(err, context.Canceled) || len(b.left()) > 0 {
		t.Errorf("in the middle of the entry: %v, left %q", err, b.left())
	}
	if err := b.put(t.Context(), fetched, all([]answer{asked(1)}, entering())...); err != nil {
		t.Fatal(err)
	}
	if err := b.put(t.Context(), fetched, all(deleting(entry, options), []answer{asked(1)}, entering())...); err != nil {
		t.Error(err)
	}
}

// What cannot be taken back stays noted; an entry that somebody else deleted does not.
func TestWhatIsLeftToTakeBackStaysNoted(t *testing.T) {
	b := newBench(t)
	if err := b.put(t.Context(), fetched, all([]answer{asked(0), suspending, asked(1)}, entering())...); err != nil {
		t.Fatal(err)
	}
	gone := deleting(entry)[0]
	gone.code = 1
	stuck := deleting(options)[0]
	stuck.code = 1
	b.want = []answer{gone, {line: "bcdedit.exe /enum " + entry, code: 1}, stuck, {line: "bcdedit.exe /enum " + options}, resuming}
	if err := b.Undo(t.Context(), b.log); err == nil || len(b.want) > 0 {
		t.Errorf("%v, %+v", err, b.want)
	}
	if left := b.left(); len(left) != 1 || left[0] != recordName {
		t.Errorf("left %q", left)
	}
	b.want = []answer{gone, {line: "bcdedit.exe /enum " + entry, code: 1}, deleting(options)[0]}
	if err := b.Undo(t.Context(), b.log); err != nil || len(b.want) > 0 || len(b.left()) > 0 {
		t.Errorf("%v, %+v, %q", err, b.want, b.left())
	}
}

// TestRecordFormat: what an earlier agent noted is taken back by later ones.
func TestRecordFormat(t *testing.T) {
	golden := filepath.Join("testdata", "staged-format-1.json")
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, recordName), want, 0o600); err != nil {
		t.Fatal(err)
	}
	r, there, err := load(dir)
	if err != nil || !there || r.Deployment != "dep" || r.Image != "0123456789abcdef" || len(r.Entries) != 2 || !r.Suspended {
		t.Fatalf("%+v, %v, %v", r, there, err)
	}
	if err := r.save(dir); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, recordName)); err != nil || string(got) != string(want) {
		t.Errorf("written again: %s, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, recordName), []byte(`{"format":2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, there, err := load(dir); !there || err == nil {
		t.Errorf("a newer format: %v, %v", there, err)
	}
}
