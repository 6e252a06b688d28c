package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// asCommand makes the test binary behave as the slipway command, so that a test
// can run it as another user.
const asCommand = "SLIPWAY_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		os.Exit(run(context.Background(), os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
	}
	os.Exit(m.Run())
}

// nobody is Debian's user without rights.
const nobody = 65534

// runAsNobody runs the command without any right and returns its last line.
func runAsNobody(t *testing.T, dir string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "slipway"), args...)
	cmd.Env = []string{asCommand + "=1"}
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) {
		t.Errorf("%v without rights: %v; it printed %q", args, err, out.String())
	}
	return lastLine(out.String())
}

func copyProgram(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	// serve, which other tests ran in this process, has taken rights from new files.
	if err := out.Chmod(0o755); err != nil {
		return err
	}
	return out.Close()
}

// publicDir is a folder that every user can enter, with the program in it.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "slipway-public-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := copyProgram(self, filepath.Join(dir, "slipway")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestMissingPermissionsAreOneClearLine runs as root, as all of `make test` does.
func TestMissingPermissionsAreOneClearLine(t *testing.T) {
	dir := publicDir(t)
	p := freePorts(t, 3)
	config := filepath.Join(dir, "slipway.yaml")
	write := func(body string) {
		t.Helper()
		if err := errors.Join(os.WriteFile(config, []byte(body), 0o644), os.Chmod(config, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	write("data: " + filepath.Join(dir, "data") + "\n")
	if line := runAsNobody(t, dir, "serve", "--config", config); !strings.Contains(line, "no permission to write in") {
		t.Errorf("a data folder that cannot be made: %q", line)
	}
	data := filepath.Join(dir, "own")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(data, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	ports := fmt.Sprintf("tftp: {listen: '127.0.0.1:%d'}\nhttp: {listen: '127.0.0.1:%d'}\n", p[0], p[1])
	write("data: " + data + "\ndhcp: {mode: 'off'}\nhttps: {listen: '127.0.0.1:443'}\n" + ports)
	if line := runAsNobody(t, dir, "serve", "--config", config); !strings.Contains(line, "no permission to listen") || !strings.Contains(line, "root") {
		t.Errorf("a port below 1024: %q", line)
	}
	write("data: " + data + fmt.Sprintf("\nhttps: {listen: '127.0.0.1:%d'}\n", p[2]) + ports)
	if line := runAsNobody(t, dir, "serve", "--config", config); !strings.Contains(line, "67") || !strings.Contains(line, "root") {
		t.Errorf("the DHCP port: %q", line)
	}
	r := start(t, t.TempDir())
	if err := os.Chmod(filepath.Dir(r.config), 0o755); err != nil {
		t.Fatal(err)
	}
	if line := runAsNobody(t, dir, "device", "list", "--config", r.config); !strings.HasPrefix(line, "slipway: ") || !strings.Contains(line, "permi") && !strings.Contains(line, "not allowed") {
		t.Errorf("another user's appliance: %q", line)
	}
}
