package bootimages

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/bootimages/bootimagetest"
)

func TestBuildErrorsSayWhatToDo(t *testing.T) {
	empty := t.TempDir()
	for name, c := range map[string]struct {
		change func(t *testing.T, b *Builder, o *Options)
		is     error
		says   string
	}{
		"no package source": {func(_ *testing.T, b *Builder, o *Options) {
			o.Packages, b.Source = "", func(cache string) Source { return &AptSource{Cache: cache, Path: empty} }
		}, ErrNoSource, "--packages DIR"},
		"empty folder":   {func(_ *testing.T, _ *Builder, o *Options) { o.Packages = empty }, ErrNoPackage, "holds no .deb files"},
		"missing kernel": {func(t *testing.T, _ *Builder, o *Options) { remove(t, o.Packages, "kernel.deb") }, ErrNoPackage, "kernel package: package not found: linux-image-amd64 (amd64) is not in the folder"},
		"missing shell":  {func(t *testing.T, _ *Builder, o *Options) { remove(t, o.Packages, "busybox.deb") }, ErrNoPackage, "busybox-static (amd64) is not in the folder"},
		"torn package":   {func(t *testing.T, _ *Builder, o *Options) { truncate(t, filepath.Join(o.Packages, "kernel.deb")) }, nil, "kernel.deb: "},
		"agent missing":  {func(_ *testing.T, _ *Builder, o *Options) { o.Agent = filepath.Join(empty, "slipway-agent") }, ErrNoAgent, "looked at " + empty},
		"agent nowhere":  {func(_ *testing.T, _ *Builder, o *Options) { o.Agent = "" }, ErrNoAgent, "/usr/lib/slipway/slipway-agent; run \"make build\""},
		"agent dynamic": {func(t *testing.T, _ *Builder, o *Options) {
			o.Agent = filepath.Join(t.TempDir(), "a")
			if err := os.WriteFile(o.Agent, bootimagetest.Program(true), 0o755); err != nil {
				t.Fatal(err)
			}
		}, ErrNoAgent, "CGO_ENABLED=0"},
		"agent of another machine": {func(_ *testing.T, _ *Builder, o *Options) { o.Architecture = ARM64 }, ErrNoAgent, "EM_X86_64, the image is for arm64"},
		"no CA":                    {func(_ *testing.T, _ *Builder, o *Options) { o.CAs = nil }, ErrOption, "CA set is empty"},
		"a key among the CAs": {func(_ *testing.T, _ *Builder, o *Options) {
			o.CAs = append([]byte(testPrivateKey), o.CAs...)
		}, ErrOption, "holds a EC PRIVATE KEY"},
		"architecture": {func(_ *testing.T, _ *Builder, o *Options) { o.Architecture = "mips" }, ErrOption, "x64"},
		"profile":      {func(_ *testing.T, _ *Builder, o *Options) { o.Profile = "toaster" }, ErrOption, "client, server"},
		"keyboard":     {func(_ *testing.T, _ *Builder, o *Options) { o.Keyboard = "de\nlab" }, ErrOption, "keyboard"},
		"server":       {func(_ *testing.T, _ *Builder, o *Options) { o.Servers = []string{"example"} }, ErrOption, "address:port"},
		"overlay over init": {func(t *testing.T, _ *Builder, o *Options) {
			o.Overlay = t.TempDir()
			if err := os.WriteFile(filepath.Join(o.Overlay, "init"), nil, 0o755); err != nil {
				t.Fatal(err)
			}
		}, ErrOption, "may not hold init"},
		"link out of the overlay": {func(t *testing.T, _ *Builder, o *Options) {
			o.Overlay = t.TempDir()
			if err := os.Symlink("../../etc/shadow", filepath.Join(o.Overlay, "x")); err != nil {
				t.Fatal(err)
			}
		}, ErrOption, "leaves the folder"},
	} {
		t.Run(name, func(t *testing.T) {
			b, o := small(t)
			c.change(t, b, &o)
			_, err := b.BuildLinux(t.Context(), o, quiet)
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
			onlyComplete(t, b)
		})
	}
}

// onlyComplete fails when a build left anything but whole images.
func onlyComplete(t *testing.T, b *Builder) {
	t.Helper()
	left, _ := os.ReadDir(b.BootDir())
	for _, e := range left {
		if _, err := Verify(filepath.Join(b.BootDir(), e.Name())); err != nil {
			t.Errorf("left behind: %s (%v)", e.Name(), err)
		}
	}
}

func TestCancelledBuildLeavesNothing(t *testing.T) {
	b, o := small(t)
	for _, stage := range []string{"resolving packages", "fetching packages", "unpacking the kernel", "writing the initrd"} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := b.BuildLinux(ctx, o, func(p Progress) {
			if p.Stage == stage {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled while %s: %v", stage, err)
		}
		onlyComplete(t, b)
		cancel()
	}
}
