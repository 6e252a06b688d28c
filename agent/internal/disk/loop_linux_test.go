package disk

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"slipway/lab/mounttest"
)

// needRoot: loop devices and mounts take root; the lab's tests have it, as CI does.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("loop devices need root")
	}
}

// loopDisk makes a disk of a sparse file.
func loopDisk(t *testing.T, size int64, sector int) (*Linux, Disk) {
	t.Helper()
	needRoot(t)
	file := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, size); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("losetup", "--find", "--show", "--partscan", "--sector-size", fmt.Sprint(sector), file).CombinedOutput()
	if err != nil {
		t.Fatalf("losetup: %v: %s", err, out)
	}
	path := strings.TrimSpace(string(out))
	m := &Linux{Loop: true, Target: mounttest.Point(t), Run: func(ctx context.Context, args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
		return string(out), err
	}}
	t.Cleanup(func() {
		if err := m.Unmount(context.Background()); err != nil {
			t.Error(err)
		}
		if out, err := exec.Command("losetup", "--detach", path).CombinedOutput(); err != nil {
			t.Errorf("losetup: %v: %s", err, out)
		}
	})
	list, err := m.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		if d.Path == path {
			if d.Size != size || d.SectorSize != sector || d.InUse != "" {
				t.Fatalf("%+v", d)
			}
			return m, d
		}
	}
	t.Fatalf("%s is not listed: %v", path, list)
	return nil, Disk{}
}

func quietly(int, string) {}

// A disk is prepared, whatever was on it, read back, held against its plan, mounted,
// and prepared anew while it is mounted; the file systems are judged by their own
// checkers.
func TestPrepareOnALoopDevice(t *testing.T) {
	for _, tt := range []struct {
		name   string
		spec   Spec
		sector int
		size   int64
	}{
		{"GPT, both firmwares, swap", Spec{Layout: LayoutLinux, Firmware: UEFI, BothWays: true, SwapMiB: 16}, 512, 1300 * mib},
		{"GPT, sectors of 4096 bytes", Spec{Layout: LayoutLinux, Firmware: UEFI}, 4096, 1300 * mib},
		{"MBR", Spec{Layout: LayoutLinux, Firmware: BIOS}, 512, 1300 * mib},
		{"Windows, UEFI", Spec{Layout: LayoutWindows, Firmware: UEFI}, 512, 24 * gib},
		{"Windows, UEFI, sectors of 4096 bytes", Spec{Layout: LayoutWindows, Firmware: UEFI}, 4096, 24 * gib},
		{"Windows, BIOS", Spec{Layout: LayoutWindows, Firmware: BIOS}, 512, 24 * gib},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, d := loopDisk(t, tt.size, tt.sector)
			l, err := Plan(tt.spec, d.Geometry())
			if err != nil {
				t.Fatal(err)
			}
			l.Identify(d.ID, "one")
			for round := range 2 { // the second finds the first one's signatures
				if ok, err := m.Holds(t.Context(), l); err != nil || ok != (round == 1) {
					t.Fatalf("round %d: holds %v, %v", round, ok, err)
				}
				if _, err := m.Prepare(t.Context(), l, quietly); err != nil {
					t.Fatal(err)
				}
			}
			found, err := m.Reread(t.Context(), d.ID)
			if err != nil {
				t.Fatal(err)
			}
			found.Firmware = l.Firmware
			if found.Text() != l.Text() {
				t.Errorf("reread\n%s\nwant\n%s", found.Text(), l.Text())
			}
			busy, err := exclusive(d, 0)
			if err != nil {
				t.Fatal(err)
			}
			tables, err := readTables([]Disk{d}) // while it is in use
			if err != nil || len(tables) != 1 || tables[0].Disk != d.ID || len(tables[0].Partitions) != len(l.Partitions) || tables[0].Partitions[0].PartUUID != l.Partitions[0].PartUUID {
				t.Errorf("tables: %+v, %v", tables, err)
			}
			busy.Close()
			for _, p := range l.Partitions {
				check(t, partitionPath(d, p.Number), p.FS)
				if p.FS == FSNTFS {
					checkNTFS(t, partitionPath(d, p.Number), p)
				}
			}
		})
	}
}

func check(t *testing.T, path, fs string) {
	t.Helper()
	if fs == FSExt4 {
		if out, err := exec.Command("dumpe2fs", "-h", path).Output(); err != nil || !regexp.MustCompile(`(?m)^Last mounted on: +`+TargetRoot+`$`).Match(out) {
			t.Errorf("before its first mount it is not known as a target: %v\n%s", err, out)
		}
	}
	args := map[string][]string{FSExt4: {"e2fsck", "-n", "-f", path}, FSVFAT: {"fsck.vfat", "-n", path}}[fs]
	if fs == FSSwap { // another program's opinion
		args = []string{"blkid", "-p", "-o", "value", "-s", "TYPE", path}
	}
	if args == nil {
		return
	}
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", args[0], err, out)
	}
}

// checkNTFS lets the programs of ntfs-3g judge an NTFS, and mounts and fills it by that.
func checkNTFS(t *testing.T, path string, p Partition) {
	t.Helper()
	tool := func(args ...string) string {
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	if out := tool("ntfsfix", "--no-action", path); !strings.Contains(out, "processed successfully") {
		t.Errorf("ntfsfix: %s", out)
	}
	if out := tool("ntfslabel", path); strings.TrimSpace(out) != p.Label {
		t.Errorf("ntfslabel: %q", out)
	}
	at, unmount := mounttest.Mount(t, "ntfs-3g", path)
	big := bytes.Repeat([]byte("windows"), mib)
	if err := os.WriteFile(filepath.Join(at, "file"), big, 0o600); err != nil {
		t.Error(err)
	}
	unmount()
	at, unmount = mounttest.Mount(t, "ntfs-3g", "-o", "ro", path)
	if got, err := os.ReadFile(filepath.Join(at, "file")); err != nil || !bytes.Equal(got, big) {
		t.Errorf("a file of NTFS: %d bytes, %v", len(got), err)
	}
	unmount()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	boot := make([]byte, 512)
	if _, err := f.ReadAt(boot, 0); err != nil {
		t.Fatal(err)
	}
	if hidden := int64(binary.LittleEndian.Uint32(boot[0x1c:])); hidden*int64(binary.LittleEndian.Uint16(boot[11:])) != p.Start {
		t.Errorf("the boot sector says that the partition begins at sector %d", hidden)
	}
}

func TestMountAndExclusion(t *testing.T) {
	m, d := loopDisk(t, 700*mib, 512)
	l, err := Plan(Spec{Layout: LayoutLinux, Firmware: BIOS}, d.Geometry())
	if err != nil {
		t.Fatal(err)
	}
	l.Identify(d.ID, "one")
	if _, err := m.Prepare(t.Context(), l, quietly); err != nil {
		t.Fatal(err)
	}
	root, err := m.Mount(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "there"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Mount(t.Context(), l); err != nil {
		t.Errorf("mounted twice: %v", err)
	}
	if n := strings.Count(text2(os.DirFS("/"), "proc/self/mountinfo"), " "+root+" "); n != 1 {
		t.Errorf("%d mounts at %s", n, root)
	}
	if _, err := m.Open(t.Context(), d.ID, OpenOptions{}); !errors.Is(err, ErrInUse) {
		t.Errorf("a mounted disk was opened: %v", err)
	}
	if err := m.Unmount(t.Context()); err != nil {
		t.Fatal(err)
	}
	disk, err := m.Open(t.Context(), d.ID, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Mount(t.Context(), l); err == nil {
		t.Error("a disk that is opened was mounted")
	}
	if _, err := m.Prepare(t.Context(), l, quietly); !errors.Is(err, ErrInUse) {
		t.Errorf("a disk that is opened was prepared: %v", err)
	}
	if err := disk.Close(); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "elsewhere")
	if err := mount(partitionPath(d, 1), other, FSExt4); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Unmount(other, 0) }()
	if _, err := os.Stat(filepath.Join(other, "there")); err != nil {
		t.Errorf("the file is gone: %v", err)
	}
	if _, err := m.Prepare(t.Context(), l, quietly); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), other) {
		t.Errorf("a disk that is mounted elsewhere was prepared: %v", err)
	}
}

func TestRawImageIsFitted(t *testing.T) {
	m, d := loopDisk(t, 2000*mib, 512)
	small := planned(t, Spec{Layout: LayoutLinux, Firmware: UEFI}, Geometry{Size: 1200 * mib, SectorSize: 512})
	target, err := m.Open(t.Context(), d.ID, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteTable(target, target, small, 1200*mib); err != nil {
		t.Fatal(err)
	}
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := m.Grow(t.Context(), d.ID, true)
	if err != nil {
		t.Fatal(err)
	}
	checkPlan(t, l, d.Geometry())
	if last := l.Partitions[len(l.Partitions)-1]; last.End() != 1999*mib {
		t.Errorf("the last partition ends at %d MiB", last.End()/mib)
	}
	f, err := os.Open(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if copied, err := readGPT(f, d.Size-512, d.Size, 512); err != nil || !sameTable(copied, l) {
		t.Errorf("the copy at the disk's end: %v", err)
	}
}

func TestTargetZerosAndDirect(t *testing.T) {
	m, d := loopDisk(t, 64*mib, 512)
	target, err := m.Open(t.Context(), d.ID, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	if _, err := m.Open(t.Context(), d.ID, OpenOptions{}); !errors.Is(err, ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	full := bytes.Repeat([]byte{7}, 3*mib)
	if _, err := target.WriteAt(full, mib); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(target.Zero(2*mib, mib), target.Discard(32*mib, mib), target.Sync()); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 3*mib)
	if _, err := target.ReadAt(got, mib); err != nil {
		t.Fatal(err)
	}
	clear(full[mib : 2*mib])
	if !bytes.Equal(got, full) {
		t.Error("the range is not what was written and zeroed")
	}
}

// What was written to the mounted target and not synced is on the disk after Settle: a
// copy of the disk, made as if power had failed, holds it.
func TestSettleWritesTheTarget(t *testing.T) {
	m, d := loopDisk(t, 700*mib, 512)
	l, err := Plan(Spec{Layout: LayoutLinux, Firmware: BIOS}, d.Geometry())
	if err != nil {
		t.Fatal(err)
	}
	l.Identify(d.ID, "settle")
	if err := m.Settle(); err != nil { // nothing is mounted
		t.Error(err)
	}
	if _, err := m.Prepare(t.Context(), l, quietly); err != nil {
		t.Fatal(err)
	}
	root, err := m.Mount(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte("by a step\n"), 30_000)
	if err := os.WriteFile(filepath.Join(root, "file"), want, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := m.Settle(); err != nil {
		t.Fatal(err)
	}
	part, _ := l.Find(RoleRoot)
	cut := filepath.Join(t.TempDir(), "cut")
	backing, _ := strings.CutPrefix(d.ID, "loop-")
	if out, err := exec.Command("cp", "--sparse=always", backing, cut).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
	at, unmount := mounttest.Mount(t, "mount", "-o", fmt.Sprintf("loop,offset=%d", part.Start), cut)
	defer unmount()
	if got, err := os.ReadFile(filepath.Join(at, "file")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// A disk that goes by the target's id and holds another table is not mounted, written to or
// made anew: names change with a restart where disks have no serial number of their own.
func TestAnotherDiskUnderTheTargetsIDIsLeftAlone(t *testing.T) {
	m, d := loopDisk(t, 700*mib, 512)
	l, err := Plan(Spec{Layout: LayoutLinux, Firmware: BIOS}, d.Geometry())
	if err != nil {
		t.Fatal(err)
	}
	other := l
	other.Partitions = append([]Partition(nil), l.Partitions...)
	l.Identify(d.ID, "one")
	other.Identify(d.ID, "other")
	if _, err := m.Prepare(t.Context(), other, quietly); err != nil {
		t.Fatal(err)
	}
	root, _ := l.Find(RoleRoot)
	_, mounting := m.Mount(t.Context(), l)
	_, opening := m.OpenPartition(t.Context(), l, root.Number, OpenOptions{})
	for what, err := range map[string]error{"mount": mounting, "open": opening, "renew": m.Renew(t.Context(), l, root.Number)} {
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if ok, err := m.Holds(t.Context(), other); err != nil || !ok {
		t.Errorf("the other disk was changed: %v, %v", ok, err)
	}
}
