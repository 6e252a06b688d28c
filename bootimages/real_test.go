package bootimages

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/bootimages/internal/kmod"
	"slipway/fleet"
)

// TestRealPackages builds the image twice from this machine's package source, in
// two data folders, and compares the result with independent tools: zstd, cpio,
// depmod and busybox itself.
func TestRealPackages(t *testing.T) {
	o := Options{Agent: buildInit(t), Installation: "test", CAs: []byte(goldenCA), Protocol: 1}
	b := newBuilder(t)
	start := time.Now()
	image := build(t, b, o)
	t.Logf("built in %.1f s: kernel %s, %d modules, vmlinuz %.1f MB, initrd %.1f MB", time.Since(start).Seconds(), image.KernelRelease,
		image.ModuleCount, float64(image.Files[0].Size)/1e6, float64(image.Files[1].Size)/1e6)
	if !slices.ContainsFunc(image.Files, func(f fleet.ImageFile) bool { return f.Name == FastKernel }) {
		t.Error("Debian's kernel was not packed again: is it built in another way now?")
	}
	initrd := filepath.Join(b.BootDir(), image.ID, "initrd.zst")
	files := entries(t, initrd)

	t.Run("reproducible", func(t *testing.T) {
		other := newBuilder(t)
		// Packing the kernel takes most of a minute and is compared on a small one.
		if err := os.CopyFS(other.kernelCache(), os.DirFS(b.kernelCache())); err != nil {
			t.Fatal(err)
		}
		again := build(t, other, o)
		if again.ID != image.ID || !slices.Equal(again.Files, image.Files) {
			t.Errorf("%v\n%v", image.Files, again.Files)
		}
	})
	t.Run("cpio reads it", func(t *testing.T) { compareWithCpio(t, initrd, files) })
	t.Run("tool pack", func(t *testing.T) { checkToolPack(t, filepath.Dir(initrd), image, files["etc/slipway/tools.json"]) })
	t.Run("depmod agrees", func(t *testing.T) { compareWithDepmod(t, image.KernelRelease, files) })
	t.Run("modules are signed", func(t *testing.T) {
		for name, content := range files {
			if strings.HasSuffix(name, ".ko") && !strings.HasSuffix(content, "~Module signature appended~\n") {
				t.Errorf("%s lost its signature", name)
			}
		}
	})
	t.Run("busybox knows the applets", func(t *testing.T) { compareWithBusybox(t, files) })
	t.Run("size", func(t *testing.T) {
		// The prompt is the product's face: half the time to it is moving bytes.
		if size := image.Files[1].Size; size > 14e6 || image.ModuleCount > 300 {
			t.Errorf("the initrd has grown to %d bytes and %d modules", size, image.ModuleCount)
		}
	})
	t.Run("adapters", func(t *testing.T) {
		client := files["lib/modules/"+image.KernelRelease+"/modules.alias"]
		checkNICs(t, client, serverAliases(t, b, image))
	})
	t.Run("loaders", func(t *testing.T) {
		l, err := b.EnsureLoaders(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if len(l.Files) != 4 {
			t.Errorf("loaders: %v", l.Files)
		}
		for name, magic := range map[string]string{"snponly.efi": "MZ", "ipxe.efi": "MZ"} {
			got, err := os.ReadFile(filepath.Join(b.LoadersDir(), name))
			if err != nil || !strings.HasPrefix(string(got), magic) {
				t.Errorf("%s is no UEFI program: %v", name, err)
			}
		}
	})
	t.Run("folder of packages", func(t *testing.T) {
		folder := filepath.Join(t.TempDir(), "packages")
		if err := b.FetchPackages(t.Context(), X64, folder, quiet); err != nil {
			t.Fatal(err)
		}
		found, err := OpenFolder(t.Context(), folder)
		if err != nil {
			t.Fatal(err)
		}
		k, err := resolveKernel(t.Context(), found, "linux-image-amd64", "amd64")
		if err != nil || !slices.Contains(image.Inputs, "package "+k.Name+" "+k.Version+" amd64 sha256:"+k.SHA256) {
			t.Errorf("the folder resolves to %v, error %v; the image holds %v", k, err, image.Inputs)
		}
	})
}

func run(t *testing.T, stdin io.Reader, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = stdin
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, stderr.String())
	}
	return string(out)
}

func compareWithCpio(t *testing.T, initrd string, files map[string]string) {
	list := strings.Fields(run(t, strings.NewReader(run(t, nil, "zstd", "-dc", initrd)), "cpio", "-t", "--quiet"))
	if len(list) != len(files) {
		t.Errorf("cpio lists %d entries, we %d", len(list), len(files))
	}
	for _, name := range list {
		if _, ok := files[name]; !ok {
			t.Errorf("cpio lists %s", name)
		}
	}
	if !slices.IsSorted(list) {
		t.Error("entries are not in a fixed order")
	}
}

// compareWithDepmod lets kmod's own depmod index the same modules.
func compareWithDepmod(t *testing.T, release string, files map[string]string) {
	root := t.TempDir()
	prefix := "lib/modules/" + release + "/"
	for name, content := range files {
		if strings.HasSuffix(name, ".ko") || name == prefix+"modules.builtin" {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	run(t, nil, "depmod", "-b", root, release)
	for _, index := range []string{"modules.dep", "modules.alias", "modules.softdep"} {
		theirs, err := os.ReadFile(filepath.Join(root, prefix, index))
		if err != nil {
			t.Fatal(err)
		}
		a, b := normalLines(string(theirs), index), normalLines(files[prefix+index], index)
		if len(b) < 10 && index != "modules.softdep" {
			t.Errorf("%s has %d lines", index, len(b))
		}
		for _, line := range a {
			if _, found := slices.BinarySearch(b, line); !found {
				t.Errorf("%s: depmod also has %q", index, line)
			}
		}
		for _, line := range b {
			if _, found := slices.BinarySearch(a, line); !found {
				t.Errorf("%s: depmod does not have %q", index, line)
			}
		}
	}
	checkOrder(t, files[prefix+"modules.dep"])
}

// normalLines sorts lines, and the words of modules.dep's, whose order has freedom.
func normalLines(text, index string) []string {
	var out []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] == "#" {
			continue
		}
		if index == "modules.dep" {
			slices.Sort(f[1:])
		}
		out = append(out, strings.Join(f, " "))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// checkOrder sees that loading from the end of a line meets every need first.
func checkOrder(t *testing.T, dep string) {
	needs := map[string][]string{}
	for line := range strings.Lines(dep) {
		path, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		needs[path] = strings.Fields(rest)
	}
	for path, list := range needs {
		loaded := map[string]bool{}
		for _, l := range slices.Backward(list) {
			for _, n := range needs[l] {
				if !loaded[n] {
					t.Errorf("%s: %s would be loaded before %s", path, l, n)
				}
			}
			loaded[l] = true
		}
	}
}

func compareWithBusybox(t *testing.T, files map[string]string) {
	path := filepath.Join(t.TempDir(), "busybox")
	if err := os.WriteFile(path, []byte(files["bin/busybox"]), 0o755); err != nil {
		t.Fatal(err)
	}
	known := strings.Fields(run(t, nil, path, "--list"))
	for name, target := range files {
		if target == "-> busybox" && !slices.Contains(known, filepath.Base(name)) {
			t.Errorf("busybox has no %s", name)
		}
	}
}

// serverAliases is modules.alias of the server profile, without compressing it.
func serverAliases(t *testing.T, b *Builder, image fleet.BootImage) string {
	r, err := loadRecipe(b.Recipes, X64, "server")
	if err != nil {
		t.Fatal(err)
	}
	source := &AptSource{Cache: aptCache(t)}
	p, err := resolveKernel(t.Context(), source, r.KernelPackage[X64], "amd64")
	if err != nil {
		t.Fatal(err)
	}
	path, err := source.Fetch(t.Context(), p, func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	k, err := unpackKernel(t.Context(), path, t.TempDir(), r, func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	set, err := addModules(tree{}, k, r, func(line string) { t.Error(line) })
	if err != nil {
		t.Fatal(err)
	}
	if len(set) <= image.ModuleCount {
		t.Errorf("the server profile has %d modules, client has %d", len(set), image.ModuleCount)
	}
	return string(kmod.Alias(set))
}
