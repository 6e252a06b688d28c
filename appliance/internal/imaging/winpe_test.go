package imaging

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/bootimages"
	"slipway/bootimages/bootimagetest"
)

// windows returns the options of a Windows PE image of a synthetic source.
func (w *world) windows() bootimages.Options {
	w.t.Helper()
	dir := w.t.TempDir()
	source, agent := filepath.Join(dir, "boot.wim"), filepath.Join(dir, "agent.exe")
	if err := errors.Join((bootimagetest.WindowsSource{}).WriteWIM(source, dir), os.WriteFile(agent, bootimagetest.WindowsProgram(bootimagetest.MachineX64, bootimagetest.SubsystemConsole), 0o755)); err != nil {
		w.t.Fatal(err)
	}
	return bootimages.Options{Agent: agent, Windows: bootimages.WindowsOptions{Source: source}}
}

func (w *world) buildWindows(o bootimages.Options) string {
	w.t.Helper()
	id, err := w.Build(w.t.Context(), Actor{Name: "tester"}, "winpe", o)
	if err != nil {
		w.t.Fatal(err)
	}
	last := w.wait(id)
	if last.State != Done {
		w.t.Fatalf("build ended as %+v", last)
	}
	return last.ImageID
}

// Linux and Windows PE images are served side by side, and each kind's newest takes
// the place of its own kind only.
func TestWinPEIsServedBesideLinux(t *testing.T) {
	w := newWorld(t)
	linux := w.build(nil)
	o := w.windows()
	first := w.buildWindows(o)
	o.Servers = []string{"192.0.2.9:8443"}
	second := w.buildWindows(o)
	if i, ok := w.Current(bootimages.X64); !ok || i.ID != linux {
		t.Errorf("Linux devices get %v %v", i.ID, ok)
	}
	if i, ok := w.CurrentWinPE(bootimages.X64); !ok || i.ID != second || first == second {
		t.Errorf("Windows PE devices get %v %v, not %s", i.ID, ok, second)
	}
	if _, ok := w.CurrentWinPE(bootimages.ARM64); ok {
		t.Error("there is an image for arm64")
	}
	if _, r, err := w.Report(""); err != nil || r.Name != "Microsoft Windows PE (x64)" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, _, err := w.Report(linux); !errors.Is(err, bootimages.ErrOption) {
		t.Errorf("a report of a Linux image: %v", err)
	}
	w.restart()
	if i, ok := w.CurrentWinPE(bootimages.X64); !ok || i.ID != second {
		t.Error("it is not served after a restart")
	}
}

// The authority's changeover cannot build an image again whose source it does not
// have: it says so.
func TestWinPEIsLeftByARebuild(t *testing.T) {
	w := newWorld(t)
	id := w.buildWindows(w.windows())
	w.ca = append(w.ca, certificate(t))
	builds, left, err := w.Rebuild(t.Context(), Actor{Name: "tester"}, bootimages.Options{})
	if err != nil || len(builds) != 0 || len(left) != 1 || !strings.Contains(left[0], id) || !strings.Contains(left[0], "slipway image build winpe --source FILE") {
		t.Errorf("builds %v, left %q, %v", builds, left, err)
	}
}

func TestWinPEOptionsAreCheckedAtOnce(t *testing.T) {
	w := newWorld(t)
	for name, o := range map[string]bootimages.Options{
		"no source":        {},
		"of Linux":         {Windows: bootimages.WindowsOptions{Source: "/x"}, Profile: "client"},
		"negative index":   {Windows: bootimages.WindowsOptions{Source: "/x", Index: -1}},
		"odd architecture": {Windows: bootimages.WindowsOptions{Source: "/x"}, Architecture: "mips"},
	} {
		if _, err := w.Build(t.Context(), Actor{}, "winpe", o); !errors.Is(err, bootimages.ErrOption) {
			t.Errorf("%s: %v", name, err)
		}
	}
	o := w.options
	o.Windows.Drivers = "/x"
	if _, err := w.Build(t.Context(), Actor{}, "linux", o); !errors.Is(err, bootimages.ErrOption) {
		t.Errorf("drivers for Linux: %v", err)
	}
	id, err := w.Build(t.Context(), Actor{}, "winpe", bootimages.Options{Windows: bootimages.WindowsOptions{Source: "/none.wim"}})
	if err != nil {
		t.Fatal(err)
	}
	if last := w.wait(id); last.State != Failed || !strings.Contains(last.Error, "/none.wim") {
		t.Errorf("%+v", last)
	}
}
