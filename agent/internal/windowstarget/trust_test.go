package windowstarget

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"slipway/tasksequence/unattend"
)

// The authorities lie on the volume, and Windows Setup is told to trust them, once each
// however often the step runs.
func TestAuthoritiesAreTrustedBySetup(t *testing.T) {
	root := volume(t, "Windows/System32", "Windows/setup")
	for range 2 {
		commands, err := Trust(root, []string{"PEM 1", "PEM 2"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Answers(root, unattend.Settings{Architecture: unattend.AMD64, Commands: commands}, nil); err != nil {
			t.Fatal(err)
		}
	}
	text := read(t, root, AnswerFile)
	for _, name := range []string{"authority-1.cer", "authority-2.cer"} {
		if strings.Count(text, `certutil.exe -f -addstore Root %SystemRoot%\Setup\Slipway\`+name) != 1 || !strings.Contains(text, `pass="specialize"`) {
			t.Errorf("%s: %s", name, text)
		}
	}
	for i, name := range []string{"authority-1.cer", "authority-2.cer"} {
		if got := read(t, root, filepath.Join("Windows/setup/Slipway", name)); got != []string{"PEM 1", "PEM 2"}[i] {
			t.Errorf("%s holds %q", name, got)
		}
	}
	if _, err := Trust(volume(t), []string{"PEM"}); !errors.Is(err, ErrNoWindows) {
		t.Errorf("a volume without Windows: %v", err)
	}
	if _, err := Trust(root, nil); err == nil {
		t.Error("no authority is no error")
	}
}
