package targetstate

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"slipway/lab/mounttest"
)

// memory makes a state as the agent keeps it in memory.
func memory(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"token.json": `{"token":"t"}`, "identity.pem": "key", "address": "192.0.2.1", "token.json.17": "half"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

func TestSaveIsForItsOwnerOnly(t *testing.T) {
	root := t.TempDir()
	if err := Save(memory(t), root, "d-1"); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, Folder)
	if got := names(t, dir); got != "deployment identity.pem token.json" {
		t.Errorf("kept: %s", got)
	}
	for _, name := range []string{"", "token.json", "identity.pem", "deployment"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%q: others may look: %v %v", name, info.Mode(), err)
		}
	}
	if err := Wipe(root); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Wipe: %v", err)
	}
	if err := Wipe(root); err != nil {
		t.Errorf("nothing to wipe: %v", err)
	}
}

// An image may bring links: what is written never leaves the installed system.
func TestSaveStaysBelowTheRoot(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "var"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(root, "var/lib")); err != nil {
		t.Fatal(err)
	}
	if err := Save(memory(t), root, "d-1"); err == nil {
		t.Error("a link out of the system was followed")
	}
	if got := names(t, outside); got != "" {
		t.Errorf("written outside: %s", got)
	}
}

// disk is an ext4 file system in a file, on a loop device.
type disk struct {
	t    *testing.T
	file string
}

func newDisk(t *testing.T) disk {
	t.Helper()
	d := disk{t, filepath.Join(t.TempDir(), "disk")}
	d.run("truncate", "-s", "32M", d.file)
	d.run("mkfs.ext4", "-q", "-M", "/target", d.file) // as Format disk does
	return d
}

func (d disk) run(args ...string) string {
	d.t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		d.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// mounted gives the file system to do, mounted for writing.
func (d disk) mounted(do func(root string)) {
	d.t.Helper()
	at, unmount := mounttest.Mount(d.t, "mount", "-o", "loop", d.file)
	defer unmount()
	do(at)
}

func (d disk) loop() string {
	d.t.Helper()
	device := d.run("losetup", "--find", "--show", d.file)
	d.t.Cleanup(func() { _ = exec.Command("losetup", "--detach", device).Run() })
	return device
}

func (d disk) find() (id, into string) {
	d.t.Helper()
	into = d.t.TempDir()
	f := Finder{Devices: []string{"/dev/does-not-exist", d.loop()}, At: mounttest.Point(d.t), Mount: MountReadOnly, Log: slog.New(slog.DiscardHandler)}
	return f.Find(d.t.Context(), into), into
}

func TestFoundAgainAfterPowerLoss(t *testing.T) {
	d := newDisk(t)
	copied := disk{t, d.file + ".cut"}
	d.mounted(func(root string) {
		if err := Save(memory(t), root, "d-1"); err != nil {
			t.Fatal(err)
		}
		// What the disk holds at this moment is what a power loss leaves.
		d.run("cp", "--sparse=always", d.file, copied.file)
	})
	id, into := copied.find()
	if id != "d-1" {
		t.Fatalf("deployment %q", id)
	}
	if got := names(t, into); got != "identity.pem token.json" {
		t.Errorf("taken over: %s", got)
	}
	if text, _ := os.ReadFile(filepath.Join(into, "token.json")); string(text) != `{"token":"t"}` {
		t.Errorf("token: %s", text)
	}
}

func TestNothingIsFoundAfterTheEnd(t *testing.T) {
	d := newDisk(t)
	d.mounted(func(root string) {
		if err := errors.Join(Save(memory(t), root, "d-1"), Wipe(root)); err != nil {
			t.Fatal(err)
		}
	})
	d.run("tune2fs", "-M", "/", d.file)
	if id, into := d.find(); id != "" || names(t, into) != "" {
		t.Errorf("found %q, %s", id, names(t, into))
	}
}

// Disks of others are not mounted: that would write to them.
func TestOtherFileSystemsAreLeftAlone(t *testing.T) {
	d := newDisk(t)
	d.run("tune2fs", "-M", "/srv/data", d.file)
	f := Finder{Devices: []string{d.file}, At: t.TempDir(), Log: slog.New(slog.DiscardHandler),
		Mount: func(device, _, _ string) (func() error, error) {
			t.Errorf("%s was mounted", device)
			return nil, errors.New("no")
		}}
	if id := f.Find(t.Context(), t.TempDir()); id != "" {
		t.Errorf("found %q", id)
	}
}

// The state of a Windows that is being installed lies on its EFI system partition, which
// is mounted only when it holds such; mcopy stands for the mount, which not every kernel
// can do that tests run on.
func TestFoundOnAnEFISystemPartition(t *testing.T) {
	for _, ours := range []bool{true, false} {
		d := disk{t, filepath.Join(t.TempDir(), "esp")}
		d.run("truncate", "-s", "64M", d.file)
		d.run("mkfs.vfat", "-F", "32", d.file)
		root := t.TempDir()
		if err := Save(memory(t), root, "d-1"); err != nil {
			t.Fatal(err)
		}
		d.run("mmd", "-i", d.file, "::/EFI", "::/var", "::/var/lib")
		if ours {
			d.run("mcopy", "-s", "-i", d.file, filepath.Join(root, Folder), "::/var/lib/")
		}
		mounted := 0
		into := t.TempDir()
		f := Finder{Devices: []string{d.file}, At: t.TempDir(), Log: slog.New(slog.DiscardHandler), Mount: func(device, fs, at string) (func() error, error) {
			mounted++
			if fs != "vfat" {
				t.Errorf("it is mounted as %s", fs)
			}
			d.run("mcopy", "-s", "-n", "-i", device, "::/var", at)
			return func() error { return nil }, nil
		}}
		id := f.Find(t.Context(), into)
		if want := map[bool]string{true: "d-1"}[ours]; id != want || (mounted > 0) != ours {
			t.Errorf("with our folder %v: found %q, mounted %d times", ours, id, mounted)
		}
		if ours && names(t, into) != "identity.pem token.json" {
			t.Errorf("taken over: %s", names(t, into))
		}
	}
}

func TestPartitionsComeBeforeDisks(t *testing.T) {
	sys := fstest.MapFS{}
	for _, name := range []string{"sda/size", "sda1/partition", "nvme0n1/size", "nvme0n1p2/partition", "sr0/size", "loop0/size", "dm-0/size"} {
		sys["class/block/"+name] = &fstest.MapFile{}
	}
	if got := strings.Join(Partitions(sys), " "); got != "/dev/nvme0n1p2 /dev/sda1 /dev/nvme0n1 /dev/sda" {
		t.Error(got)
	}
}

func FuzzLastMounted(f *testing.F) {
	good := make([]byte, superblockAt+superblockLen)
	good[superblockAt+magicAt], good[superblockAt+magicAt+1] = 0x53, 0xef
	copy(good[superblockAt+lastMountedAt:], "/target")
	f.Add(good)
	f.Add(good[:superblockAt+100])
	f.Fuzz(func(t *testing.T, disk []byte) {
		where, ok := lastMounted(bytes.NewReader(disk))
		if len(where) > 64 || !ok && where != "" {
			t.Errorf("%q %v", where, ok)
		}
		if worthLooking(bytes.NewReader(disk)) == ext4 && !ok {
			t.Error("worth a look without a superblock")
		}
	})
}
