package domainjoin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/fleet"
)

var update = flag.Bool("update", false, "write the golden file anew; only for a form that was never released")

type entries struct {
	mu   sync.Mutex
	list []fleet.AuditEntry
}

func (e *entries) Write(_ context.Context, entry fleet.AuditEntry) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, entry)
	return nil
}

// bench is a service whose program is a shell script.
type bench struct {
	*Service
	t     *testing.T
	dir   string
	now   time.Time
	log   bytes.Buffer
	audit entries
}

func newBench(t *testing.T, script string) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	file := filepath.Join(b.dir, "join")
	if err := os.WriteFile(file, []byte("#!/bin/sh\ncd '"+b.dir+"' || exit 9\ncat > asked.json\necho >> calls\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	b.Service = New(Options{Command: []string{file, "an argument"}, Timeout: time.Minute, Audit: &b.audit, Logger: slog.New(slog.NewTextHandler(&b.log, nil)), Now: func() time.Time { return b.now }})
	return b
}

func (b *bench) calls() int {
	text, _ := os.ReadFile(filepath.Join(b.dir, "calls"))
	return len(text)
}

func request(computer string) Request {
	return Request{Deployment: "dep", Computer: computer, OU: "OU=PCs,DC=example,DC=com",
		Device: fleet.Device{ID: "dev", UUID: "7a5e0d10-1c2d-4e3f-8a4b-5c6d7e8f9a0b", Serial: "S1", Manufacturer: "Maker", Model: "T1"}}
}

const blob = "SGVsbG8gZG9tYWlu"

func TestTheProgramMakesTheAccount(t *testing.T) {
	b := newBench(t, `[ "$1" = "an argument" ] || exit 8; echo `+blob)
	got, err := b.Provision(t.Context(), request("PC-1"))
	if err != nil || got != blob {
		t.Fatalf("%q, %v\n%s", got, err, b.log.String())
	}
	asked, err := os.ReadFile(filepath.Join(b.dir, "asked.json"))
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "question-format-1.json")
	if *update {
		if err := os.WriteFile(golden, append(asked, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(asked)+"\n" != string(want) {
		t.Errorf("the question is not the released one any more: %s, %v", asked, err)
	}
	// The same again, in other case: the account is not made twice.
	if again, err := b.Provision(t.Context(), request("pc-1")); err != nil || again != blob || b.calls() != 1 {
		t.Errorf("%q, %v, %d calls", again, err, b.calls())
	}
	if _, err := b.Provision(t.Context(), request("PC-2")); !errors.Is(err, ErrOther) || b.calls() != 1 {
		t.Errorf("another name in this deployment: %v, %d calls", err, b.calls())
	}
	b.now = b.now.Add(keepBlob)
	if _, err := b.Provision(t.Context(), request("PC-1")); err != nil || b.calls() != 2 {
		t.Errorf("later: %v, %d calls", err, b.calls())
	}
	list, _ := json.Marshal(b.audit.list)
	if len(b.audit.list) != 2 || strings.Contains(string(list)+b.log.String(), blob) || b.audit.list[0].Object != "PC-1" || b.audit.list[0].Outcome != "ok" {
		t.Errorf("audit %s, log %s", list, b.log.String())
	}
}

func TestBlobsAreForgotten(t *testing.T) {
	b := newBench(t, "echo "+blob)
	if _, err := b.Provision(t.Context(), request("PC-1")); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(keepBlob)
	other := request("PC-2")
	other.Deployment = "other"
	if _, err := b.Provision(t.Context(), other); err != nil || b.known["dep"].blob != "" || b.known["other"].blob == "" {
		t.Errorf("%v, %+v", err, b.known["dep"])
	}
}

func TestProgramsThatFail(t *testing.T) {
	for script, want := range map[string]string{
		"echo no rights >&2; exit 3": "no rights",
		"exit 0":                     "answered nothing",
		"head -c 300000 /dev/zero | tr '\\0' e >&2; exit 3": "exit status 3",
		"echo 'not base64!'":                    "no base64",
		"head -c 60000 /dev/zero | tr '\\0' A":  "60000 bytes long",
		"head -c 300000 /dev/zero | tr '\\0' A": "larger than 192 KiB",
		"exec sleep 60":                         "took longer than",
	} {
		b := newBench(t, script)
		if strings.Contains(script, "sleep") {
			b.o.Timeout = 500 * time.Millisecond
		}
		_, err := b.Provision(t.Context(), request("PC-1"))
		if !errors.Is(err, ErrFailed) || strings.Contains(err.Error(), "no rights") || !strings.Contains(b.log.String(), want) {
			t.Errorf("%s: %v, the log says %s", script, err, b.log.String())
		}
		if len(b.log.String()) > 5*maxShown {
			t.Errorf("%s: %d bytes in the log", script, b.log.Len())
		}
		if len(b.audit.list) != 1 || b.audit.list[0].Outcome != "error" {
			t.Errorf("%s: %+v", script, b.audit.list)
		}
	}
	if _, err := New(Options{}).Provision(t.Context(), request("PC-1")); !errors.Is(err, ErrNotSet) {
		t.Error(err)
	}
}

func TestNamesThatNoDomainTakes(t *testing.T) {
	b := newBench(t, "echo "+blob)
	for name, field := range map[string]string{"": "computerName", "a-name-of-16-char": "computerName", "pc_1": "computerName", "-pc": "computerName", "123": "computerName", "pc 1": "computerName", "ü": "computerName"} {
		var invalid *InvalidError
		if _, err := b.Provision(t.Context(), request(name)); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%q: %v", name, err)
		}
	}
	r := request("PC-1")
	r.OU = "OU=a\nb"
	var invalid *InvalidError
	if _, err := b.Provision(t.Context(), r); !errors.As(err, &invalid) || invalid.Field != "ou" || b.calls() != 0 {
		t.Errorf("%v, %d calls", err, b.calls())
	}
}

// wide is how djoin and Samba write files.
func wide(text string) []byte {
	out := []byte{0xff, 0xfe}
	for _, c := range []byte(text) {
		out = append(out, c, 0)
	}
	return append(out, 0, 0)
}

func TestFormsOfBlobs(t *testing.T) {
	for _, said := range []string{blob, blob + "\r\n", "\ufeff" + blob, blob[:8] + "\n" + blob[8:], string(wide(blob)), string(wide(blob + "\r\n"))} {
		if got, err := Normal([]byte(said)); err != nil || got != blob {
			t.Errorf("%q: %q, %v", said, got, err)
		}
	}
}

func FuzzNormal(f *testing.F) {
	f.Add([]byte(blob))
	f.Add(wide(blob))
	f.Add([]byte("\xff\xfe\x00"))
	f.Fuzz(func(t *testing.T, said []byte) {
		got, err := Normal(said)
		if err != nil {
			return
		}
		if again, err := Normal([]byte(got)); err != nil || again != got || got == "" || len(got) > MaxBlob {
			t.Errorf("%q becomes %q, then %q, %v", said, got, again, err)
		}
	})
}
