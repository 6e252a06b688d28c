package winetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Where Debian's packages wine64 and wine64-preloader put their programs.
const (
	wine       = "/usr/lib/wine/wine64"
	wineserver = "/usr/lib/wine/wineserver64"
	// preloader keeps the address 0x7ffe0000 free, where every Windows process has data
	// that it shares with the kernel. Without it the heap, which Linux puts anywhere in
	// the gigabyte behind wine64, lies there now and then: the program ends before it has
	// begun, with exit code 1 (Wine 8.0, virtual_alloc_first_teb).
	preloader = "/usr/lib/wine/wine64-preloader"
)

// debug lets Wine name nothing but the addresses that it could not have.
const debug = "WINEDEBUG=-all,err+virtual"

// limit bounds every program.
const limit = 5 * time.Minute

// Prefix is a Windows of its own, of Wine: drive C: and registry. It ends with the test.
type Prefix struct {
	Dir string   // of the test's files
	C   string   // where drive C: lies
	Env []string // of every program
}

// New makes a prefix. Its registry says that it is WinPE when the test wants it so.
func New(t *testing.T) *Prefix {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("the Windows programs of this test are for amd64")
	}
	for _, name := range []string{wine, preloader} {
		if _, err := os.Stat(name); err != nil {
			t.Fatalf("the package %s is missing: lab/deps.sh check installs it", filepath.Base(name))
		}
	}
	dir := t.TempDir()
	p := &Prefix{Dir: dir, C: filepath.Join(dir, "prefix/drive_c"),
		Env: []string{"HOME=" + dir, "WINEPREFIX=" + filepath.Join(dir, "prefix"), debug, "PATH=" + os.Getenv("PATH")}}
	t.Cleanup(p.stop)
	if err := copyTemplate(filepath.Join(dir, "prefix")); err != nil {
		t.Fatal(err)
	}
	dll := filepath.Join(p.C, "windows/system32/bcryptprimitives.dll")
	if err := os.WriteFile(dll, forwarder("bcryptprimitives.dll", "ProcessPrng", "advapi32.SystemFunction036"), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// WinPE makes the prefix say of itself that it is WinPE.
func (p *Prefix) WinPE(t *testing.T) {
	t.Helper()
	p.Run(t, "reg", "add", `HKLM\SYSTEM\CurrentControlSet\Control\MiniNT`)
}

// Drive makes a drive letter of the prefix, over a new folder, and returns the folder.
func (p *Prefix) Drive(t *testing.T, letter string) string {
	t.Helper()
	dir := filepath.Join(p.Dir, "drive_"+letter)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(p.Dir, "prefix/dosdevices", strings.ToLower(letter)+":")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Command is a program for Windows, to be started by the caller.
func (p *Prefix) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, wine, append([]string{name}, args...)...)
	c.Env, c.WaitDelay, c.Dir = p.Env, time.Second, p.Dir // Wine's services hold on to the pipe
	return c
}

// Run runs a program for Windows to its end and returns what it said.
func (p *Prefix) Run(t *testing.T, name string, args ...string) string {
	t.Helper()
	text, err := p.Try(name, args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return text
}

// Try is Run for what may fail.
func (p *Prefix) Try(name string, args ...string) (said string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit) // also after the test's own end
	defer cancel()
	c := p.Command(ctx, name, args...)
	out, err := c.CombinedOutput()
	if err != nil && c.ProcessState != nil && c.ProcessState.Success() {
		err = nil // only the pipe was not closed
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", strings.Join(c.Args, " "), err)
	}
	return strings.ReplaceAll(string(out), "\r\n", "\n"), err
}

// Restart restarts Windows: all ends, and the services that start with it are started.
func (p *Prefix) Restart(t *testing.T) {
	t.Helper()
	p.stop()
	p.StayOn(t)
}

// StayOn keeps Windows' services running until the end of the test: Wine ends them with
// the last program that is no service's.
func (p *Prefix) StayOn(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := p.Command(ctx, "cmd", "/d", "/c", "set /p X=")
	in, err := c.StdinPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		cancel()
		_ = c.Wait()
	})
}

// PowerLoss ends all that runs, at once.
func (p *Prefix) PowerLoss() { p.stop() }

// stop ends what still runs in this prefix, and waits for it. It fails when all has
// ended by itself.
func (p *Prefix) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c := exec.CommandContext(ctx, wineserver, "-k", "-w")
	c.Env = p.Env
	_ = c.Run()
}

// Build builds for Windows: go build or go test -c, with their arguments.
func Build(t *testing.T, exe string, command string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	c := exec.CommandContext(ctx, "go", append([]string{command, "-o", exe}, args...)...)
	c.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(c.Args, " "), err, out)
	}
}

// WindowsPath is the path by which programs in a prefix reach a file of this machine.
func WindowsPath(path string) string { return "Z:" + strings.ReplaceAll(path, "/", `\`) }
