package bootimages

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"slipway/bootimages/bootimagetest"
	"slipway/bootimages/internal/cpio"
	"slipway/fleet"
)

// small is a builder with small packages, and options that use them.
func small(t *testing.T) (*Builder, Options) {
	t.Helper()
	dir := t.TempDir()
	packages, agent := filepath.Join(dir, "packages"), filepath.Join(dir, "agent")
	if err := errors.Join(os.Mkdir(packages, 0o755), bootimagetest.WritePackages(packages, "6.9-1"), os.WriteFile(agent, bootimagetest.Program(false), 0o755)); err != nil {
		t.Fatal(err)
	}
	return &Builder{Data: filepath.Join(dir, "data"), Recipes: os.DirFS("../images"), Now: func() time.Time { return time.Unix(1700000000, 0) }},
		Options{Packages: packages, Agent: agent, AgentVersion: "1.2.3", Protocol: 1, Installation: "abc123", CAs: []byte(goldenCA)}
}

func quiet(Progress) {}

func build(t *testing.T, b *Builder, o Options) fleet.BootImage {
	t.Helper()
	image, err := b.BuildLinux(t.Context(), o, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// entries reads all archives of an initrd: name -> content, links as "-> target".
func entries(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f, zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	all, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for in := bytes.NewReader(all); in.Len() > 0; {
		r := cpio.NewReader(in)
		for {
			h, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			out[h.Name] = string(content)
			if h.Mode&0o170000 == cpio.TypeLink {
				out[h.Name] = "-> " + string(content)
			}
		}
		for b, err := in.ReadByte(); err == nil; b, err = in.ReadByte() {
			if b != 0 {
				_ = in.UnreadByte()
				break
			}
		}
	}
	return out
}

func TestBuildLinux(t *testing.T) {
	b, o := small(t)
	o.Lab, o.Servers, o.Keyboard = true, []string{"192.0.2.1:8443"}, "de"
	var last Progress
	var lines []string
	image, err := b.BuildLinux(t.Context(), o, func(p Progress) {
		if p.Percent < last.Percent {
			t.Errorf("progress fell from %d to %d", last.Percent, p.Percent)
		}
		last = p
		lines = append(lines, p.Line)
	})
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(lines, "\n"); !strings.Contains(text, "package linux-image-6.9.0-1-amd64 6.9-1") || !strings.Contains(text, "9 modules, vmlinuz 0.0 MB, initrd") {
		t.Errorf("log:\n%s", text)
	}
	dir := filepath.Join(b.BootDir(), image.ID)
	files := entries(t, filepath.Join(dir, "initrd.zst"))
	agent, _ := os.ReadFile(o.Agent)
	for name, want := range map[string]string{
		"init": string(agent), "bin/busybox": "busybox", "bin/sh": "-> busybox", "etc/slipway/installation": "abc123\n", "etc/slipway/ca.pem": goldenCA,
		"etc/slipway/image.json": fmt.Sprintf(`{
  "format": 1,
  "id": "%s",
  "kind": "linux",
  "architecture": "x64",
  "agentVersion": "1.2.3",
  "protocol": 1,
  "lab": true,
  "keyboard": "de",
  "servers": [
    "192.0.2.1:8443"
  ]
}
`, image.ID),
		"lib/modules/6.9.0-1-amd64/modules.builtin": "kernel/fs/nls/nls_utf8.ko\n",
		"lib/modules/6.9.0-1-amd64/modules.softdep": "softdep r8169 pre: realtek\nsoftdep ext4 pre: crypto-crc32c\n",
	} {
		if files[name] != want {
			t.Errorf("%s is %q", name, files[name])
		}
	}
	if dep := files["lib/modules/6.9.0-1-amd64/modules.dep"]; !strings.Contains(dep, "virtio_net.ko: kernel/drivers/virtio/virtio.ko kernel/drivers/net/net_failover.ko kernel/net/core/failover.ko\n") {
		t.Errorf("modules.dep:\n%s", dep)
	}
	if _, ok := files["lib/modules/6.9.0-1-amd64/kernel/sound/soundcore.ko"]; ok {
		t.Error("a module that nobody asked for is in the image")
	}
	kernel, _ := os.ReadFile(filepath.Join(dir, "vmlinuz"))
	if string(kernel) != "kernel 6.9-1" || image.KernelRelease != bootimagetest.Release || image.ModuleCount != 9 {
		t.Errorf("kernel %q, release %s, %d modules", kernel, image.KernelRelease, image.ModuleCount)
	}
	if got, err := Verify(dir); err != nil || got.ID != image.ID || got.Size != image.Size {
		t.Errorf("verify: %v %v", got, err)
	}
}

// Every input is in the id; what does not matter is not.
func TestIDFollowsInputs(t *testing.T) {
	b, o := small(t)
	base := build(t, b, o)
	if again := build(t, b, o); again.ID != base.ID || again.Files[1] != base.Files[1] {
		t.Fatalf("the same inputs gave %s and %s", base.ID, again.ID)
	}
	folder := func(name, content string) string {
		dir := t.TempDir()
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755), os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	newer := t.TempDir()
	if err := bootimagetest.WritePackages(newer, "6.9-2"); err != nil {
		t.Fatal(err)
	}
	agent := filepath.Join(t.TempDir(), "agent")
	if err := os.WriteFile(agent, append(bootimagetest.Program(false), 1), 0o755); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{base.ID: "base"}
	for name, change := range map[string]func(*Options){
		"profile":       func(o *Options) { o.Profile = "server" },
		"keyboard":      func(o *Options) { o.Keyboard = "de" },
		"lab":           func(o *Options) { o.Lab = true },
		"installation":  func(o *Options) { o.Installation = "other" },
		"servers":       func(o *Options) { o.Servers = []string{"192.0.2.1:8443"} },
		"protocol":      func(o *Options) { o.Protocol = 2 },
		"agent":         func(o *Options) { o.Agent = agent },
		"agent version": func(o *Options) { o.AgentVersion = "2" },
		"kernel":        func(o *Options) { o.Packages = newer },
		"CA set":        func(o *Options) { o.CAs = append(slices.Clone(o.CAs), testCA(t)...) },
		"overlay":       func(o *Options) { o.Overlay = folder("etc/motd", "hello") },
		"overlay text":  func(o *Options) { o.Overlay = folder("etc/motd", "other") },
		"firmware":      func(o *Options) { o.Firmware = folder("rtl_nic/rtl8168h-2.fw", "fw") },
	} {
		changed := o
		change(&changed)
		image := build(t, b, changed)
		if other, ok := seen[image.ID]; ok {
			t.Errorf("%s has the id of %s", name, other)
		}
		seen[image.ID] = name
	}
}

// Two builders that share nothing give the same bytes, whatever the files' times
// and the order of the CA set.
func TestReproducible(t *testing.T) {
	b1, o1 := small(t)
	b2, o2 := small(t)
	second := testCA(t)
	o1.CAs = append(slices.Clone(o1.CAs), second...)
	o2.CAs = append(second, []byte("comment\n"+goldenCA)...)
	if err := os.Chtimes(o2.Agent, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	i1, i2 := build(t, b1, o1), build(t, b2, o2)
	if i1.ID != i2.ID || !slices.Equal(i1.Files, i2.Files) {
		t.Errorf("%v\n%v", i1, i2)
	}
}

func TestFirmwareIsASecondArchive(t *testing.T) {
	b, o := small(t)
	o.Firmware = t.TempDir()
	fw := filepath.Join(o.Firmware, "lib/firmware/rtl_nic")
	if err := errors.Join(os.MkdirAll(fw, 0o755), os.WriteFile(filepath.Join(fw, "rtl8168h-2.fw"), []byte("blob"), 0o600), os.Symlink("rtl8168h-2.fw", filepath.Join(fw, "link.fw"))); err != nil {
		t.Fatal(err)
	}
	var log []string
	image, err := b.BuildLinux(t.Context(), o, func(p Progress) { log = append(log, p.Line) })
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(b.BootDir(), image.ID, "initrd.zst")
	files := entries(t, path)
	if files["lib/firmware/rtl_nic/rtl8168h-2.fw"] != "blob" || files["lib/firmware/rtl_nic/link.fw"] != "-> rtl8168h-2.fw" || files["init"] == "" {
		t.Errorf("firmware is missing: %v", files["lib/firmware/rtl_nic/rtl8168h-2.fw"])
	}
	raw, _ := os.ReadFile(path)
	if n := bytes.Count(raw, []byte{0x28, 0xb5, 0x2f, 0xfd}); n != 2 {
		t.Errorf("%d zstd frames", n)
	}
	if !strings.Contains(strings.Join(log, "\n"), "firmware: 2 files, 1 of them named by drivers in this image") {
		t.Errorf("log: %v", log)
	}
}

// A damaged image is not reused: the same build replaces it.
func TestDamagedImageIsBuiltAnew(t *testing.T) {
	b, o := small(t)
	image := build(t, b, o)
	path := filepath.Join(b.BootDir(), image.ID, "vmlinuz")
	if err := os.WriteFile(path, []byte("kernel 6.9-X"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(filepath.Dir(path)); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("verify: %v", err)
	}
	build(t, b, o)
	if _, err := Verify(filepath.Dir(path)); err != nil {
		t.Error(err)
	}
}

// A program that is built anew while it is packed would give an image whose id
// lies.
func TestInputsThatChangeMeanwhileAreNoticed(t *testing.T) {
	for _, content := range [][]byte{[]byte(strings.Repeat("x", 1000)), bytes.Replace(bootimagetest.Program(false), []byte{1, 1}, []byte{1, 2}, 1), nil} {
		b, o := small(t)
		_, err := b.BuildLinux(t.Context(), o, func(p Progress) {
			if p.Stage == "fetching packages" {
				if err := os.WriteFile(o.Agent, content, 0o755); err != nil {
					t.Error(err)
				}
			}
		})
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "init: ") {
			t.Errorf("got %v", err)
		}
		onlyComplete(t, b)
	}
}

func TestCleanAndRemove(t *testing.T) {
	b, o := small(t)
	image := build(t, b, o)
	stale := filepath.Join(b.BootDir(), tempPrefix+"123")
	signing := filepath.Join(b.BootDir(), image.ID, tempPrefix+signedName(image.Files[0].SHA256)) // power was lost while it was written
	if err := errors.Join(os.MkdirAll(stale, 0o755), os.WriteFile(signing, []byte("half"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := b.Clean(); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{stale, signing} {
		if _, err := os.Stat(p); !os.IsNotExist(err) {
			t.Errorf("what was interrupted left %s", p)
		}
	}
	onlyComplete(t, b)
	if err := b.Remove("../data"); !errors.Is(err, ErrOption) {
		t.Errorf("remove by path: %v", err)
	}
	if err := errors.Join(b.Remove(image.ID), b.Remove(image.ID)); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(b.BootDir()); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// Folders may have names that would be patterns.
func TestFoldersNamedLikePatterns(t *testing.T) {
	b, o := small(t)
	odd := filepath.Join(t.TempDir(), `pxe [new] * \`)
	packages := filepath.Join(odd, "packages")
	if err := errors.Join(os.MkdirAll(odd, 0o755), os.Rename(o.Packages, packages)); err != nil {
		t.Fatal(err)
	}
	b.Data, o.Packages = filepath.Join(odd, "data"), packages
	image := build(t, b, o)
	stale := filepath.Join(b.BootDir(), tempPrefix+"123")
	if err := os.Mkdir(stale, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := b.Clean(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Error("what an interrupted build left is still there")
	}
	from, to := filepath.Join(b.BootDir(), image.ID), t.TempDir()
	raw, err := os.ReadFile(filepath.Join(from, OneFile))
	if err != nil {
		t.Fatal(err)
	}
	signed := signedName(Fingerprint(raw)) // as far as is looked at: the same digest under the name of its hash
	if err := errors.Join(os.WriteFile(filepath.Join(from, signed), raw, 0o644), os.WriteFile(filepath.Join(to, OneFile), raw, 0o644), carrySigned(from, to)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(to, signed)); err != nil {
		t.Errorf("the signed copy was left behind: %v", err)
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, path string) {
	t.Helper()
	if err := os.Truncate(path, 300); err != nil {
		t.Fatal(err)
	}
}
