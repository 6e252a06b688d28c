package bootimages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/bootimages/bootimagetest"
)

// fakeApt writes apt-get and apt-cache as scripts; each call is one line of the
// log: the program and its arguments.
func fakeApt(t *testing.T, aptGet, aptCache string) (a *AptSource, calls func() string) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	for name, body := range map[string]string{"apt-get": aptGet, "apt-cache": aptCache} {
		script := fmt.Sprintf("#!/bin/sh\necho %s \"$@\" >> %s\ndir=%s\n%s\n", name, log, dir, body)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return &AptSource{Cache: filepath.Join(dir, "cache"), Path: dir}, func() string {
		b, _ := os.ReadFile(log)
		return string(b)
	}
}

// show answers apt-cache show for a package whose file is content.
func show(t *testing.T, name, version, content, depends string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	sum, size, err := hashFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("cat <<'END'\n%sSize: %d\nSHA256: %s\n\nEND\n", bootimagetest.Control(name, version, "amd64", depends), size, sum)
}

func TestAptFollowsTheKernelMetaPackage(t *testing.T) {
	a, calls := fakeApt(t, "", `case "$*" in
*show*linux-image-amd64:amd64) `+show(t, "linux-image-amd64", "6.9-1", "meta", "linux-image-6.9.0-1-amd64 (= 6.9-1)")+` ;;
*show*linux-image-6.9.0-1-amd64:amd64=6.9-1) `+show(t, "linux-image-6.9.0-1-amd64", "6.9-1", "kernel", "kmod")+` ;;
*) echo "E: No packages found" >&2; exit 100 ;;
esac`)
	k, err := resolveKernel(t.Context(), a, "linux-image-amd64", "amd64")
	if err != nil || k.Name != "linux-image-6.9.0-1-amd64" || k.Version != "6.9-1" || k.Size != 6 || len(k.SHA256) != 64 {
		t.Errorf("%+v, error %v", k, err)
	}
	if !strings.Contains(calls(), "DPkg::Lock::Timeout=60") {
		t.Errorf("no lock timeout:\n%s", calls())
	}
}

func TestAptDownloadsOnceAndVerifies(t *testing.T) {
	a, calls := fakeApt(t, `case "$*" in *download*) printf kernel > linux_1_amd64.deb ;; esac`, show(t, "linux", "1", "kernel", ""))
	p, err := a.Resolve(t.Context(), "linux", "", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		path, err := a.Fetch(t.Context(), p, func(int64) {})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != "kernel" {
			t.Errorf("fetched %q", got)
		}
	}
	if n := strings.Count(calls(), "download linux:amd64=1"); n != 1 {
		t.Errorf("%d downloads:\n%s", n, calls())
	}
	// A cached file that has changed is fetched again.
	cached := filepath.Join(a.Cache, "packages", p.SHA256+".deb")
	if err := os.WriteFile(cached, []byte("kernex"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Fetch(t.Context(), p, func(int64) {}); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(cached); string(got) != "kernel" {
		t.Errorf("the cache holds %q", got)
	}
}

// Under the systemd unit root has no right to become another user, as apt does for its
// downloads by default: it is told not to. Others cannot, and are not asked.
func TestAptStaysRoot(t *testing.T) {
	a, calls := fakeApt(t, `case "$*" in *download*) printf kernel > linux_1_amd64.deb ;; esac`, show(t, "linux", "1", "kernel", ""))
	p, err := a.Resolve(t.Context(), "linux", "", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Fetch(t.Context(), p, func(int64) {}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(calls()) {
		if got := strings.Contains(line, " -o APT::Sandbox::User=root "); got != (os.Geteuid() == 0) {
			t.Errorf("as user %d: %s", os.Geteuid(), line)
		}
	}
}

func TestAptRefusesOtherBytes(t *testing.T) {
	a, _ := fakeApt(t, `case "$*" in *download*) printf evil12 > linux_1_amd64.deb ;; esac`, show(t, "linux", "1", "kernel", ""))
	p, err := a.Resolve(t.Context(), "linux", "", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Fetch(t.Context(), p, func(int64) {}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(a.Cache, "packages")); len(left) != 0 {
		t.Errorf("left in the cache: %v", left)
	}
}

// The machine's lists are empty at first (a fresh container), or name a file that
// the source has replaced: our own lists are read once, and no root is needed.
func TestAptReadsItsOwnLists(t *testing.T) {
	a, calls := fakeApt(t, `case "$*" in
*Dir::State::lists=*update*) touch $dir/updated ;;
*download*) if [ -e $dir/updated ]; then printf kernel > linux_1_amd64.deb; else echo "E: Failed to fetch linux_1_amd64.deb  404  Not Found" >&2; exit 100; fi ;;
esac`, `if [ ! -e $dir/updated ] && [ -e $dir/empty ]; then echo "E: No packages found" >&2; exit 100; fi
`+show(t, "linux", "1", "kernel", ""))
	p, err := a.Resolve(t.Context(), "linux", "", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Fetch(t.Context(), p, func(int64) {}); err != nil {
		t.Errorf("a stale list: %v\n%s", err, calls())
	}
	if err := errors.Join(os.Remove(filepath.Join(a.Path, "updated")), os.WriteFile(filepath.Join(a.Path, "empty"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	fresh := &AptSource{Cache: a.Cache, Path: a.Path}
	if _, err := fresh.Resolve(t.Context(), "linux", "", "amd64"); err != nil {
		t.Errorf("empty lists: %v\n%s", err, calls())
	}
	if n := strings.Count(calls(), " update"); n != 2 {
		t.Errorf("%d updates:\n%s", n, calls())
	}
}

func TestAptErrors(t *testing.T) {
	missing := `echo "N: Unable to locate package linux" >&2; echo "E: No packages found" >&2; exit 100`
	a, _ := fakeApt(t, "", missing)
	if _, err := a.Resolve(t.Context(), "linux", "", "amd64"); !errors.Is(err, ErrNoPackage) || !strings.Contains(err.Error(), "linux is not in this machine's package source (No packages found); add the source") {
		t.Errorf("a missing package: %v", err)
	}
	a, _ = fakeApt(t, `echo "E: Could not get lock lists/lock. It is held by process 1" >&2; exit 100`, missing)
	if _, err := a.Resolve(t.Context(), "linux", "", "amd64"); !errors.Is(err, ErrNoPackage) || !strings.Contains(err.Error(), "Could not get lock") || !strings.Contains(err.Error(), "--packages DIR") {
		t.Errorf("a held lock: %v", err)
	}
	a, _ = fakeApt(t, `case "$*" in *download*) echo "E: write - write (28: No space left on device)" >&2; exit 100 ;; esac`, show(t, "linux", "1", "kernel", ""))
	p, err := a.Resolve(t.Context(), "linux", "", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Fetch(t.Context(), p, func(int64) {}); !errors.Is(err, ErrNoSpace) {
		t.Errorf("a full disk: %v", err)
	}
	a, _ = fakeApt(t, `case "$*" in
*Dir::State::lists=*download*) echo "E: Unable to locate package linux" >&2; exit 100 ;;
*download*) echo "E: Failed to fetch linux_1_amd64.deb  Could not resolve host" >&2; exit 100 ;;
esac`, show(t, "linux", "1", "kernel", ""))
	if _, err := a.Fetch(t.Context(), p, func(int64) {}); err == nil || !strings.Contains(err.Error(), "Could not resolve host") {
		t.Errorf("no network: %v", err)
	}
	a, _ = fakeApt(t, "", "echo Package: linux; echo Version: 1")
	if _, err := a.show(t.Context(), "linux", "", "amd64"); !errors.Is(err, ErrNoPackage) || !strings.Contains(err.Error(), "no hash") {
		t.Errorf("an index without hashes: %v", err)
	}
	if _, err := (&AptSource{Path: t.TempDir()}).Resolve(t.Context(), "linux", "", "amd64"); !errors.Is(err, ErrNoSource) {
		t.Errorf("no apt: %v", err)
	}
}

// A download that hangs ends with its context.
func TestAptIsCancelled(t *testing.T) {
	a, calls := fakeApt(t, `exec sleep 600`, show(t, "linux", "1", "kernel", ""))
	p, err := a.Resolve(t.Context(), "linux", "", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for deadline := time.Now().Add(10 * time.Second); !strings.Contains(calls(), "download") && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond)
		}
	}()
	start := time.Now()
	if _, err := a.Fetch(ctx, p, func(int64) {}); !errors.Is(err, context.Canceled) || time.Since(start) > 30*time.Second {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
}

func TestFolderIndexMustHold(t *testing.T) {
	_, o := small(t)
	index := bootimagetest.Control("busybox-static", "1:1.35", "amd64", "") + "SHA256: " + strings.Repeat("0", 64) + "\n"
	if err := os.WriteFile(filepath.Join(o.Packages, "Packages"), []byte(index), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFolder(t.Context(), o.Packages); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

func TestFolderPicksTheNewestKernel(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"linux-image-6.1.0-9-amd64", "linux-image-6.1.0-56-amd64", "linux-image-6.1.0-99-cloud-amd64", "linux-image-6.1.0-99-rt-amd64",
		"linux-image-6.1.0-99-amd64-dbg", "linux-image-6.1.0-99-arm64"} {
		version := "6.1." + strings.TrimPrefix(strings.Split(name, "-")[3], "0") + "-1"
		if err := os.WriteFile(filepath.Join(dir, name+".deb"), bootimagetest.Deb(bootimagetest.Control(name, version, "amd64", "")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, err := OpenFolder(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if k, err := resolveKernel(t.Context(), s, "linux-image-amd64", "amd64"); err != nil || k.Name != "linux-image-6.1.0-56-amd64" {
		t.Errorf("%v, error %v", k, err)
	}
	if _, err := s.Resolve(t.Context(), "linux-image-6.1.0-56-amd64", "6.1.55-1", "amd64"); !errors.Is(err, ErrNoPackage) {
		t.Errorf("another version: %v", err)
	}
}

func TestFetchPackages(t *testing.T) {
	b, o := small(t)
	source, err := OpenFolder(t.Context(), o.Packages)
	if err != nil {
		t.Fatal(err)
	}
	b.Source = func(string) Source { return source }
	folder := filepath.Join(t.TempDir(), "packages")
	if err := b.FetchPackages(t.Context(), X64, folder, quiet); err != nil {
		t.Fatal(err)
	}
	var names []string
	left, _ := os.ReadDir(folder)
	for _, e := range left {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != "busybox-static_1%3a1.35_amd64.deb grub-efi-amd64-signed_2_amd64.deb ipxe_1.0_all.deb isolinux_6_all.deb "+
		"linux-image-6.9.0-1-amd64_6.9-1_amd64.deb pxelinux_6_all.deb shim-signed_1_amd64.deb syslinux-common_6_all.deb systemd-boot-efi_252_amd64.deb" {
		t.Errorf("folder: %s", got)
	}
	// Offline, a complete folder is good enough, and an incomplete one is not.
	b.Source = func(cache string) Source { return &AptSource{Cache: cache, Path: t.TempDir()} }
	if err := b.FetchPackages(t.Context(), X64, folder, quiet); err != nil {
		t.Errorf("offline: %v", err)
	}
	remove(t, folder, "ipxe_1.0_all.deb")
	if err := b.FetchPackages(t.Context(), X64, folder, quiet); !errors.Is(err, ErrNoSource) {
		t.Errorf("offline and incomplete: %v", err)
	}
}
