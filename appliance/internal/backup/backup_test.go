package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

const helperVariable = "SLIPWAY_BACKUP_HELPER"

// TestMain makes the test binary a process that restores, to be killed.
func TestMain(m *testing.M) {
	if data := os.Getenv(helperVariable); data != "" {
		file, err := os.Open(os.Getenv(helperVariable + "_FILE"))
		if err != nil {
			panic(err)
		}
		fmt.Println("begin")
		if _, err := Restore(context.Background(), data, file, passphrase, Needed{}); err != nil {
			panic(err)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func restore(t *testing.T, data string, file []byte) error {
	t.Helper()
	_, err := Restore(t.Context(), data, bytes.NewReader(file), passphrase, Needed{})
	return err
}

// isRestored looks into a data folder that must hold what newAppliance made.
func isRestored(t *testing.T, a *appliance, data string) {
	t.Helper()
	want := []string{auditFolder, keyName, ConfigurationName, stateName}
	if a.content != nil {
		want = slices.Insert(want, 1, contentFolder)
		hasContent(t, data)
	}
	if !slices.Equal(names(t, data), want) {
		t.Errorf("the data folder holds %v, want %v", names(t, data), want)
	}
	store, ring := opened(t, data)
	err := store.View(func(tx *state.Tx) error {
		i, err := tx.Installation().Get(state.Self)
		if err != nil {
			return err
		}
		plain, err := ring.Open(i.Authorities[0].SealedKey, "test")
		if string(plain) != "the CA's key" {
			t.Errorf("the sealed key opens to %q", plain)
		}
		return err
	})
	if err := errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	var last fleet.AuditEntry
	for _, name := range names(t, filepath.Join(data, auditFolder)) {
		then, err := os.ReadFile(filepath.Join(a.from.Data, auditFolder, name))
		if err != nil {
			t.Fatal(err)
		}
		now, err := os.ReadFile(filepath.Join(data, auditFolder, name))
		if err != nil || !bytes.HasPrefix(now, then) {
			t.Errorf("%s does not begin as it was: %v", name, err)
		}
		lines := bytes.Split(bytes.TrimSpace(now), []byte("\n"))
		if err := json.Unmarshal(lines[len(lines)-1], &last); err != nil {
			t.Fatal(err)
		}
	}
	if last.Action != "backup.restored" || last.Number < 41 {
		t.Errorf("the last audit entry is %+v", last)
	}
}

func TestABackupRestores(t *testing.T) {
	a := newAppliance(t)
	file := a.backup(t)
	if bytes.Contains(file, []byte("aaaabbbbccccdddd")) || bytes.Contains(file, []byte("passcode.set")) {
		t.Error("the file is readable")
	}
	fresh := filepath.Join(t.TempDir(), "not", "there")
	empty := t.TempDir()
	mounted := t.TempDir()
	if err := os.Mkdir(filepath.Join(mounted, "lost+found"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{fresh, empty, mounted} {
		m, err := Restore(t.Context(), data, bytes.NewReader(file), passphrase, Needed{})
		if err != nil {
			t.Fatal(err)
		}
		if m.Version != "1.2.3" || !m.Created.Equal(created) || m.Installation != "aaaabbbbccccdddd" {
			t.Errorf("manifest %+v", m)
		}
		if err := os.RemoveAll(filepath.Join(data, "lost+found")); err != nil {
			t.Fatal(err)
		}
		isRestored(t, a, data)
	}
	if err := restore(t, fresh, file); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("a second restore: %v", err)
	}
	if err := restore(t, a.from.Data, file); !errors.Is(err, ErrRunning) {
		t.Errorf("into the folder of a running appliance: %v", err)
	}
}

// A backup made while the key is rotated holds the key that opens its state.
func TestABackupDuringRotations(t *testing.T) {
	a := newAppliance(t)
	done := make(chan error, 1)
	go func() {
		var errs []error
		for range 10 {
			_, err := a.ring.Rotate(context.Background(), a.store, filepath.Join(a.from.Data, keyName), created)
			errs = append(errs, err)
		}
		done <- errors.Join(errs...)
	}()
	for range 5 {
		file := a.backup(t)
		if err := restore(t, filepath.Join(t.TempDir(), "data"), file); err != nil {
			t.Error(err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// What is wrong with a file is told in one line, and nothing is changed.
func TestFilesThatAreRefused(t *testing.T) {
	a := newAppliance(t)
	var b bytes.Buffer
	if _, err := a.Write(t.Context(), &b, passphrase, Wanted{Configuration: bytes.Repeat([]byte("# long\n"), 30_000)}); err != nil { // several chunks
		t.Fatal(err)
	}
	file := b.Bytes()
	other, err := age.NewScryptRecipient("x")
	if err != nil {
		t.Fatal(err)
	}
	other.SetWorkFactor(10)
	changed := func(at int) []byte {
		out := bytes.Clone(file)
		out[at] ^= 1
		return out
	}
	edited := func(edit func(m *Manifest)) []byte { return rewrite(t, file, edit) }
	for _, c := range []struct {
		name string
		file []byte
		want error
	}{
		{"empty", nil, ErrNotBackup},
		{"something else", []byte("#!/bin/sh\necho hello, this is no backup at all\n"), ErrNotBackup},
		{"another passphrase", sealedWith(t, other, []byte("x")), ErrPassphrase},
		{"no archive", sealedWith(t, mustRecipient(t), []byte("not a tar")), ErrDamaged},
		{"cut by a byte", file[:len(file)-1], ErrDamaged},
		{"cut in the middle", file[:len(file)/2], ErrDamaged},
		{"cut in its head", file[:60], ErrDamaged},
		{"cut between chunks", file[:age64k(file)], ErrDamaged},
		{"changed in the middle", changed(len(file) / 2), ErrDamaged},
		{"changed at the end", changed(len(file) - 1), ErrDamaged},
		{"continued", append(bytes.Clone(file), "x"...), ErrDamaged},
		{"continued inside", sealedWith(t, mustRecipient(t), append(unsealed(t, file), "x"...)), ErrDamaged},
		{"newer", edited(func(m *Manifest) { m.Format = manifestFormat + 1 }), ErrNewer},
		{"another sum", edited(func(m *Manifest) { m.Files[0].SHA256 = m.Files[1].SHA256 }), ErrDamaged},
		{"another installation", edited(func(m *Manifest) { m.Installation = "eeee" }), ErrDamaged},
		{"another order", edited(func(m *Manifest) { m.Files[0], m.Files[1] = m.Files[1], m.Files[0] }), ErrDamaged},
		{"a name outside", edited(func(m *Manifest) { m.Files[2].Name = "../../etc/passwd" }), ErrDamaged},
	} {
		data := filepath.Join(t.TempDir(), "data")
		err := restore(t, data, c.file)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
			continue
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than a line: %q", c.name, err)
		}
		if _, err := os.Stat(data); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: left behind %v", c.name, names(t, data))
		}
	}
}

// age64k is where the second chunk of the file's payload begins: STREAM's chunks are
// 64 KiB and a tag, behind the header and a nonce of 16 bytes.
func age64k(file []byte) int {
	head := bytes.Index(file, []byte("\n--- ")) + 5
	head += bytes.IndexByte(file[head:], '\n') + 1 + 16
	return head + 64<<10 + 16
}

func mustRecipient(t *testing.T) age.Recipient {
	t.Helper()
	r, err := recipient(passphrase, 10)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sealedWith(t *testing.T, to age.Recipient, plain []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// unsealed is the archive of a backup.
func unsealed(t testing.TB, file []byte) []byte {
	t.Helper()
	id, err := identity(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(bytes.NewReader(file), id)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// rewrite makes another manifest for the same files.
func rewrite(t *testing.T, file []byte, edit func(m *Manifest)) []byte {
	t.Helper()
	in := tar.NewReader(bytes.NewReader(unsealed(t, file)))
	var parts [][]byte
	for {
		if _, err := in.Next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		part, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part)
	}
	m, err := parseManifest(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	was := slices.Clone(m.Files)
	edit(&m)
	var list entries
	for i, part := range parts[1:] {
		list = append(list, fixed(was[i].Name, part))
	}
	var out bytes.Buffer
	renamed := m
	renamed.Files = was // sizes as they are; the manifest says what edit made of it
	if err := archiveWith(&out, m, renamed, list); err != nil {
		t.Fatal(err)
	}
	return sealedWith(t, mustRecipient(t), out.Bytes())
}

// archiveWith writes says as the manifest, and the entries of are.
func archiveWith(w io.Writer, says, are Manifest, list entries) error {
	out := tar.NewWriter(w)
	head, err := says.encode()
	if err != nil {
		return err
	}
	put := func(name string, content []byte) {
		err = errors.Join(err, out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: 0o600}))
		_, e := out.Write(content)
		err = errors.Join(err, e)
	}
	put(manifestName, head)
	for i, e := range list {
		var b bytes.Buffer
		err = errors.Join(err, e.write(context.Background(), &b))
		put(are.Files[i].Name, b.Bytes())
	}
	return errors.Join(err, out.Close())
}

func TestWeakPassphrasesAreRefused(t *testing.T) {
	a := newAppliance(t)
	for _, weak := range []string{"", "secret", "Summer2026!", "correct horse", strings.Repeat("a", 200)} {
		var b bytes.Buffer
		if _, err := a.Write(t.Context(), &b, weak, Wanted{}); !errors.Is(err, ErrWeak) || b.Len() > 0 {
			t.Errorf("%q: %v, %d bytes", weak, err, b.Len())
		}
	}
	if err := CheckPassphrase(strings.Repeat("long enough ", 100)); err == nil || errors.Is(err, ErrWeak) {
		t.Errorf("a passphrase of 1200 bytes: %v", err)
	}
	if err := CheckPassphrase(passphrase); err != nil {
		t.Error(err)
	}
}

// The same characters typed on another keyboard are the same passphrase.
func TestPassphrasesAreCompared(t *testing.T) {
	a := newAppliance(t)
	var b bytes.Buffer
	if _, err := a.Write(t.Context(), &b, "Mu\u0308hle "+passphrase, Wanted{}); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	if _, err := Restore(t.Context(), data, bytes.NewReader(b.Bytes()), "M\u00fchle "+passphrase, Needed{}); err != nil {
		t.Error(err)
	}
}

// A writer that fails, or a caller that goes away, ends the backup.
func TestABackupThatCannotBeWritten(t *testing.T) {
	a := newAppliance(t)
	cause := errors.New("the disk is full")
	if _, err := a.Write(t.Context(), failing{cause}, passphrase, Wanted{}); !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Write(ctx, io.Discard, passphrase, Wanted{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	a.busy.Lock()
	if _, err := a.Write(t.Context(), io.Discard, passphrase, Wanted{}); !errors.Is(err, ErrBusy) {
		t.Errorf("two at once: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// A restore that is killed leaves nothing, or the mark that it was not finished, which
// a second run removes, or everything.
func TestAKilledRestore(t *testing.T) {
	a := newAppliance(t).withContent(t, 24<<20)
	file := filepath.Join(t.TempDir(), "backup")
	whole := a.backup(t)
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	rounds, counts := 12, map[string]int{}
	if os.Getenv("SLIPWAY_SOAK") != "" {
		rounds = 300
	}
	for round := range rounds {
		data := filepath.Join(t.TempDir(), "data")
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), helperVariable+"="+data, helperVariable+"_FILE="+file, "GORACE=atexit_sleep_ms=0")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_, _ = out.Read(make([]byte, 1))
		time.AfterFunc(time.Duration(round)*25*time.Millisecond, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		switch _, err := os.Stat(data); {
		case errors.Is(err, fs.ErrNotExist):
			counts["nothing"]++
		case Unfinished(data) == nil && len(names(t, data)) > 0:
			counts["everything"]++
			isRestored(t, a, data)
			continue
		default:
			counts["unfinished"]++
		}
		if err := restore(t, data, whole); err != nil {
			t.Fatalf("round %d: a second try: %v; there is %v", round, err, names(t, data))
		}
		isRestored(t, a, data)
	}
	t.Log(counts)
}

// What a killed restore left at each of its steps is taken up; what is not a restore's
// is not.
func TestAnUnfinishedRestoreIsRunAgain(t *testing.T) {
	a := newAppliance(t).withContent(t, 1<<20)
	file := a.backup(t)
	for placedUpTo := range len(placed) + 1 {
		data := t.TempDir()
		if err := os.MkdirAll(filepath.Join(data, stageName, "audit"), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range placed[:placedUpTo] {
			if err := os.MkdirAll(filepath.Join(data, name, "half"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := Unfinished(data); !errors.Is(err, ErrUnfinished) {
			t.Fatalf("it is not seen: %v", err)
		}
		if err := restore(t, data, file); err != nil {
			t.Fatal(err)
		}
		isRestored(t, a, data)
	}
	data := t.TempDir()
	for _, name := range []string{stageName, "theirs"} {
		if err := os.Mkdir(filepath.Join(data, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := restore(t, data, file); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("with something of others: %v", err)
	}
}

func TestTwoRestoresAtOnce(t *testing.T) {
	a := newAppliance(t)
	file, data := a.backup(t), filepath.Join(t.TempDir(), "data")
	answers := make(chan error, 4)
	for range cap(answers) {
		go func() {
			_, err := Restore(context.Background(), data, bytes.NewReader(file), passphrase, Needed{})
			answers <- err
		}()
	}
	good := 0
	for range cap(answers) {
		switch err := <-answers; {
		case err == nil:
			good++
		case !errors.Is(err, ErrBusy) && !errors.Is(err, ErrNotEmpty):
			t.Errorf("%v", err)
		}
	}
	if good != 1 {
		t.Errorf("%d of the restores succeeded", good)
	}
	isRestored(t, a, data)
}
