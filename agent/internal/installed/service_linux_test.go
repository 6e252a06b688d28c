package installed

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeSystemd records what systemctl is asked.
func fakeSystemd(t *testing.T) (systemd, *[]string) {
	var asked []string
	s := systemd{folder: t.TempDir(), state: "/var/lib/100% agent", runs: func() bool { return true },
		ctl: func(_ context.Context, args ...string) error {
			asked = append(asked, strings.Join(args, " "))
			return nil
		}}
	return s, &asked
}

func TestServiceComesAndGoes(t *testing.T) {
	s, asked := fakeSystemd(t)
	file := filepath.Join(s.folder, unitName)
	args := []string{"/usr/local/bin/slipway-agent", "start", "--config", `/srv/my "files"/$x %h.json`}
	for range 2 { // the second time nothing is new
		if err := s.install(t.Context(), args); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`ExecStart="/usr/local/bin/slipway-agent" "start" "--config" "/srv/my \"files\"/$$x %%h.json"`,
		"ConditionPathExists=/var/lib/100%% agent/deployment", "KillMode=mixed", "WantedBy=multi-user.target",
	} {
		if !strings.Contains(string(text), line+"\n") {
			t.Errorf("the unit has no %s:\n%s", line, text)
		}
	}
	if err := s.remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the unit is left")
	}
	if err := s.remove(t.Context()); err != nil {
		t.Errorf("removed twice: %v", err)
	}
	want := []string{"--no-reload enable " + unitName, "--no-reload enable " + unitName, "--no-reload disable " + unitName, "daemon-reload"}
	if !slices.Equal(*asked, want) {
		t.Errorf("systemctl was asked %q", *asked)
	}
}

func TestSomebodyElsesServiceIsLeftAlone(t *testing.T) {
	s, asked := fakeSystemd(t)
	file := filepath.Join(s.folder, unitName)
	if err := os.WriteFile(file, []byte("[Unit]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.install(t.Context(), []string{"x"}); err == nil || !strings.Contains(err.Error(), "left alone") {
		t.Errorf("install: %v", err)
	}
	if err := s.remove(t.Context()); err == nil {
		t.Error("removed")
	}
	if text, _ := os.ReadFile(file); string(text) != "[Unit]\n" || len(*asked) != 0 {
		t.Errorf("%q, %q", text, *asked)
	}
}

func TestNoSystemd(t *testing.T) {
	s, _ := fakeSystemd(t)
	s.runs = func() bool { return false }
	if err := s.install(t.Context(), []string{"x"}); !errors.Is(err, errNoSystemd) {
		t.Errorf("install: %v", err)
	}
	if err := s.remove(t.Context()); err != nil {
		t.Errorf("remove: %v", err)
	}
}

// systemd itself finds nothing wrong with the unit.
func TestSystemdReadsTheUnit(t *testing.T) {
	verify, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatal("the package systemd is missing: lab/deps.sh check installs it")
	}
	s, _ := fakeSystemd(t)
	if err := s.install(t.Context(), []string{"/bin/true", `a "b" $c %d`}); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(verify, "verify", "--man=no", filepath.Join(s.folder, unitName)).CombinedOutput()
	if err != nil || strings.Contains(string(out), unitName) {
		t.Errorf("%v: %s", err, out)
	}
}
