package audit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// smallDisk is a disk with room bytes left; a write that does not fit leaves
// what fits behind, as a real one does.
type smallDisk struct{ room int }

func (d *smallDisk) open(path string) (file, error) {
	if _, err := os.Stat(path); err != nil && d.room <= 0 {
		return nil, syscall.ENOSPC
	}
	f, err := openDisk(path)
	return &smallFile{file: f, disk: d}, err
}

type smallFile struct {
	file
	disk *smallDisk
}

func (f *smallFile) Write(p []byte) (int, error) {
	if len(p) <= f.disk.room {
		f.disk.room -= len(p)
		return f.file.Write(p)
	}
	n, _ := f.file.Write(p[:f.disk.room])
	return n, syscall.ENOSPC
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	disk := &smallDisk{room: 250}
	l := open(t, dir, Options{open: disk.open})
	write(t, l, ok("fits"))
	disk.room = 30
	for range 3 {
		if err := l.Write(context.Background(), ok("too.much")); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("err = %v, want ENOSPC", err)
		}
	}
	if all := recent(t, l, Filter{}); len(all) != 1 {
		t.Fatalf("reading while full: %+v", all)
	}
	disk.room = 1 << 20
	write(t, l, ok("room.again"))
	all := recent(t, l, Filter{})
	if len(all) != 3 || all[1].Action != "audit.lost" || all[1].Count != 3 || all[1].Outcome != "error" {
		t.Fatalf("have %+v, want the lost count between the two", all)
	}
	if all[0].Number != 3 {
		t.Errorf("number %d, want 3: lost entries use no number", all[0].Number)
	}
	data, err := os.ReadFile(filepath.Join(dir, segmentName(1)))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(data), "\n"); n != 3 {
		t.Errorf("half a line was left behind:\n%s", data)
	}
}

// Once there is room the loss is told even when nothing else happens.
func TestFullDiskResumesByItself(t *testing.T) {
	disk := &smallDisk{}
	l := open(t, t.TempDir(), Options{open: func(p string) (file, error) {
		f, err := openDisk(p)
		return &smallFile{file: f, disk: disk}, err
	}})
	if err := l.Write(context.Background(), ok("lost")); err == nil {
		t.Fatal("written to a full disk")
	}
	l.flush(false)
	if all := recent(t, l, Filter{}); len(all) != 0 {
		t.Fatalf("have %+v", all)
	}
	disk.room = 1 << 20
	l.flush(false)
	if all := recent(t, l, Filter{}); len(all) != 1 || all[0].Action != "audit.lost" {
		t.Errorf("have %+v", all)
	}
}

// A full disk at the moment of rotation: the old file stays, nothing is dropped.
func TestFullDiskAtRotation(t *testing.T) {
	disk := &smallDisk{room: 1 << 20}
	dir := t.TempDir()
	l := open(t, dir, Options{open: disk.open, FileBytes: 300, TotalBytes: 1000})
	for range 4 {
		write(t, l, ok("a"))
	}
	disk.room = 0
	if err := l.Write(context.Background(), ok("b")); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("err = %v", err)
	}
	disk.room = 1 << 20
	write(t, l, ok("c"))
	if all := recent(t, l, Filter{}); len(all) != 6 || all[0].Action != "c" || all[1].Action != "audit.lost" {
		t.Errorf("have %+v", all)
	}
}

func TestReserveKeepsTheLength(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	write(t, l, ok("a"))
	fi, err := os.Stat(filepath.Join(dir, segmentName(1)))
	if err != nil {
		t.Fatal(err)
	}
	if fi.Size() > 400 {
		t.Errorf("the file is %d bytes long", fi.Size())
	}
}
