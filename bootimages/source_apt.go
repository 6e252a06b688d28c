package bootimages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"slipway/bootimages/internal/deb"
)

// AptSource takes packages from the machine's own package source. It installs
// nothing, needs no root, and changes nothing of apt's: where the machine's
// package lists are missing or out of date, it keeps lists of its own. A value
// serves one build at a time.
type AptSource struct {
	Cache       string        // folder for packages and own lists
	LockTimeout time.Duration // how long apt may wait for its lock; default 60 s
	Path        string        // folders that hold apt-get and apt-cache; default: $PATH
	own         bool          // own lists are in use
}

func (a *AptSource) tool(name string) (string, error) {
	for _, dir := range filepath.SplitList(a.Path) {
		if p, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return p, nil
		}
	}
	if a.Path == "" {
		if p, err := exec.LookPath(name); err == nil {
			return p, nil
		}
	}
	return "", ErrNoSource
}

// run runs an apt program and returns its standard output. The error carries the
// first line that apt marked as an error.
func (a *AptSource) run(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	path, err := a.tool(name)
	if err != nil {
		return nil, err
	}
	wait := a.LockTimeout
	if wait == 0 {
		wait = time.Minute
	}
	options := []string{"-q", "-o", fmt.Sprintf("DPkg::Lock::Timeout=%d", int(wait.Seconds())), "-o", "Acquire::Retries=3"}
	if os.Geteuid() == 0 {
		// Root downloads as the user _apt unless told otherwise, which it cannot become
		// in a service without CAP_SETUID. The hashes are checked here all the same.
		options = append(options, "-o", "APT::Sandbox::User=root")
	}
	if a.own {
		options = append(options, a.ownLists()...)
	}
	cmd := exec.CommandContext(ctx, path, append(options, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &aptError{command: name + " " + args[0], line: firstError(stderr.String(), err), all: stderr.String()}
	}
	return stdout.Bytes(), nil
}

type aptError struct{ command, line, all string }

func (e *aptError) Error() string { return e.command + ": " + e.line }

func firstError(stderr string, err error) string {
	for _, mark := range []string{"E: ", "N: ", ""} {
		for line := range strings.Lines(stderr) {
			if line = strings.TrimSpace(line); line != "" && strings.HasPrefix(line, mark) {
				return strings.TrimPrefix(line, mark)
			}
		}
	}
	return err.Error()
}

func (a *AptSource) ownLists() []string {
	root := filepath.Join(a.Cache, "apt")
	return []string{"-o", "Dir::State=" + root, "-o", "Dir::State::lists=" + filepath.Join(root, "lists"),
		"-o", "Dir::Cache=" + filepath.Join(root, "cache")}
}

// refresh reads the package lists anew into our own folder.
func (a *AptSource) refresh(ctx context.Context) error {
	for _, dir := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(a.Cache, "apt", dir), 0o755); err != nil {
			return plain(err, a.Cache)
		}
	}
	a.own = true
	if _, err := a.run(ctx, a.Cache, "apt-get", "update"); err != nil {
		return fmt.Errorf("the package lists could not be read: %w; or give a folder of .deb files with --packages DIR", err)
	}
	return nil
}

// Resolve asks apt for the version it would install, and reads the lists anew
// once when apt does not know the package.
func (a *AptSource) Resolve(ctx context.Context, name, version, arch string) (Package, error) {
	p, err := a.show(ctx, name, version, arch)
	if err == nil || !errors.Is(err, ErrNoPackage) || a.own {
		return p, err
	}
	if err := a.refresh(ctx); err != nil {
		return Package{}, fmt.Errorf("%w: %s: %w", ErrNoPackage, name, err)
	}
	return a.show(ctx, name, version, arch)
}

func (a *AptSource) show(ctx context.Context, name, version, arch string) (Package, error) {
	target := name + ":" + arch
	if version != "" {
		target += "=" + version
	}
	out, err := a.run(ctx, "", "apt-cache", "show", "--no-all-versions", target)
	var failed *aptError
	if errors.As(err, &failed) {
		return Package{}, fmt.Errorf("%w: %s is not in this machine's package source (%s); add the source, or give a folder of .deb files with --packages DIR",
			ErrNoPackage, strings.TrimSpace(name+" "+version), failed.line)
	}
	if err != nil {
		return Package{}, err
	}
	paragraphs, err := deb.ParseParagraphs(bytes.NewReader(out))
	if err != nil {
		return Package{}, fmt.Errorf("apt-cache show %s: %w", name, err)
	}
	for _, g := range paragraphs {
		p := fromParagraph(g)
		if _, err := fmt.Sscan(g.Get("Size"), &p.Size); err == nil && len(p.SHA256) == 64 {
			return p, nil
		}
	}
	return Package{}, fmt.Errorf("%w: the package lists state no hash for %s", ErrNoPackage, name)
}

// Fetch downloads a package unless the cache has it, and checks its hash.
func (a *AptSource) Fetch(ctx context.Context, p Package, got func(int64)) (string, error) {
	dir := filepath.Join(a.Cache, "packages")
	path := filepath.Join(dir, p.SHA256+".deb")
	if verifyFile(path, p) == nil {
		got(p.Size)
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", plain(err, dir)
	}
	tmp, err := os.MkdirTemp(dir, ".tmp-")
	if err != nil {
		return "", plain(err, dir)
	}
	defer os.RemoveAll(tmp)
	if err := a.download(ctx, p, tmp, got); err != nil {
		return "", err
	}
	files, err := glob(tmp, "*.deb")
	if err != nil || len(files) != 1 {
		return "", fmt.Errorf("package %s: apt-get download left no file", p)
	}
	if err := verifyFile(files[0], p); err != nil {
		return "", err
	}
	if err := syncFile(files[0]); err != nil {
		return "", plain(err, dir)
	}
	return path, os.Rename(files[0], path)
}

func (a *AptSource) download(ctx context.Context, p Package, dir string, got func(int64)) error {
	stop := watchSize(dir, got)
	defer stop()
	target := p.Name + "=" + p.Version
	if p.Architecture != "all" {
		target = p.Name + ":" + p.Architecture + "=" + p.Version
	}
	_, err := a.run(ctx, dir, "apt-get", "download", target)
	if err == nil || ctx.Err() != nil {
		return err
	}
	var failed *aptError
	if errors.As(err, &failed) && strings.Contains(failed.all, "No space left on device") {
		return fmt.Errorf("%w that holds %s: free some and build again", ErrNoSpace, a.Cache)
	}
	if a.own {
		return fmt.Errorf("package %s could not be downloaded: %w", p, err)
	}
	// The machine's lists may name a file that the source has since replaced, or
	// its lock may be held: our own lists are neither.
	// Without a network "apt-get update" succeeds and leaves empty lists: the first
	// error is the one that says what is wrong.
	first := fmt.Errorf("package %s could not be downloaded: %w", p, err)
	if err := a.refresh(ctx); err != nil {
		return first
	}
	if _, err := a.run(ctx, dir, "apt-get", "download", target); err != nil {
		return first
	}
	return nil
}

// watchSize reports the size of a folder's files until stop is called, which
// waits for the last report.
func watchSize(dir string, got func(int64)) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(300 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-t.C:
				got(folderSize(dir))
			}
		}
	}()
	return func() { close(done); <-ended }
}

func folderSize(dir string) int64 {
	var n int64
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		if i, err := f.Info(); err == nil && i.Mode().IsRegular() {
			n += i.Size()
		}
	}
	return n
}
