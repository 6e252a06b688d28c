package windowstarget

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/tasksequence"
	"slipway/tasksequence/unattend"
)

// volume is the root of a Windows volume, its folders spelled as given.
func volume(t *testing.T, folders ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, f := range folders {
		if err := os.MkdirAll(filepath.Join(root, f), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func put2(t *testing.T, root, name, text string) {
	t.Helper()
	file := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, root, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// files lists what is on a volume, with slashes.
func files(t *testing.T, root string) string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, err = filepath.Rel(root, name)
			list = append(list, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(list, "\n")
}

func placement(start string) Placement {
	return Placement{Agent: strings.NewReader("MZ agent"), Config: []byte(`{"Temporary":true}`), Start: start, Architecture: unattend.AMD64}
}

func TestIntoWritesTheContract(t *testing.T) {
	root := volume(t, "Windows/System32", "ProgramData")
	for range 2 { // the second time changes nothing
		if _, err := placement("").Into(root); err != nil {
			t.Fatal(err)
		}
		want := "ProgramData/Slipway/deployment/agent.json\nProgramData/Slipway/deployment/slipway-agent.exe\nWindows/Panther/unattend.xml"
		if got := files(t, root); got != want {
			t.Errorf("on the volume:\n%s", got)
		}
		if got := read(t, root, Agent) + read(t, root, Config); got != `MZ agent{"Temporary":true}` {
			t.Error(got)
		}
		answers := read(t, root, AnswerFile)
		if n := strings.Count(answers, "slipway-agent.exe install &amp; exit 0&#34;</Path>"); n != 1 || !strings.Contains(answers, `<settings pass="specialize">`) {
			t.Errorf("%d commands in\n%s", n, answers)
		}
	}
}

// The agent's command joins what others wrote into the answer file, passwords too: nobody
// but administrators may read it afterwards either.
func TestTheAnswerFileStaysClosed(t *testing.T) {
	for _, spelled := range []string{"Windows/Panther", "WINDOWS/PANTHER"} {
		root := volume(t, spelled, filepath.Dir(spelled)+"/System32")
		var closed []string
		protect = func(name string) error {
			closed = append(closed, name)
			return Protect(name)
		}
		t.Cleanup(func() { protect = Protect })
		for _, start := range []string{tasksequence.StartSpecialize, tasksequence.StartFirstLogon} {
			if _, err := placement(start).Into(root); err != nil {
				t.Fatal(err)
			}
		}
		if want := filepath.Join(root, spelled, "unattend.xml"); !slices.EqualFunc(closed, []string{want, want}, strings.EqualFold) {
			t.Errorf("closed to others: %q", closed)
		}
	}
}

// A command that Windows Setup runs must fit: it refuses longer ones.
func TestTheCommandFits(t *testing.T) {
	if n := len(installCommand()); n > unattend.MaxCommand {
		t.Errorf("%d characters", n)
	}
}

// ntfs-3g tells capitals from small letters; Windows would see two folders as one.
func TestIntoFindsNamesInAnyCase(t *testing.T) {
	root := volume(t, "WINDOWS/system32", "programdata", "WINDOWS/PANTHER")
	put2(t, root, "WINDOWS/PANTHER/Unattend.XML", string(unattend.New().Bytes()))
	if _, err := placement(tasksequence.StartSpecialize).Into(root); err != nil {
		t.Fatal(err)
	}
	if err := SaveState(memory(t), root, "d-1"); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(files(t, root)) {
		if !strings.HasPrefix(line, "WINDOWS/PANTHER/Unattend.XML") && !strings.HasPrefix(line, "programdata/Slipway/") {
			t.Errorf("another spelling of what is there: %s", line)
		}
	}
}

func TestTheOtherStarts(t *testing.T) {
	for start, where := range map[string]string{tasksequence.StartFirstLogon: AnswerFile, tasksequence.StartSetupComplete: SetupComplete} {
		root := volume(t, "Windows/System32")
		put2(t, root, SetupComplete, "echo theirs\r\nexit /b 0\r\n")
		for range 2 {
			if _, err := placement(start).Into(root); err != nil {
				t.Fatal(start, err)
			}
		}
		text := read(t, root, where)
		if strings.Count(text, " install") != 1 {
			t.Errorf("%s:\n%s", start, text)
		}
		if got := read(t, root, SetupComplete); !strings.HasSuffix(got, "echo theirs\r\nexit /b 0\r\n") {
			t.Errorf("%s: what was there is lost:\n%s", start, got)
		}
		if start == tasksequence.StartFirstLogon && !strings.Contains(text, "<FirstLogonCommands>") {
			t.Error(text)
		}
	}
}

func TestAGivenAnswerFileHasToStartIt(t *testing.T) {
	root := volume(t, "Windows/System32")
	if _, err := placement(tasksequence.StartGiven).Into(root); err == nil || !strings.Contains(err.Error(), `slipway-agent.exe install`) {
		t.Error(err)
	}
	own := strings.Replace(string(unattend.New().Bytes()), "></unattend>", ">"+`<!-- runs C:\ProgramData\Slipway\deployment\Slipway-Agent.exe install --></unattend>`, 1)
	put2(t, root, AnswerFile, own)
	if _, err := placement(tasksequence.StartGiven).Into(root); err != nil {
		t.Error(err)
	}
	if read(t, root, AnswerFile) != own {
		t.Error("it was changed")
	}
}

func TestIntoRefuses(t *testing.T) {
	if _, err := placement("").Into(volume(t, "Windows")); !errors.Is(err, ErrNoWindows) {
		t.Error(err)
	}
	root := volume(t, "Windows/System32")
	if _, err := placement("somehow").Into(root); err == nil {
		t.Error("a way that does not exist was taken")
	}
	put2(t, root, AnswerFile, "no XML")
	if _, err := placement("").Into(root); err == nil || read(t, root, AnswerFile) != "no XML" {
		t.Errorf("a broken answer file: %v", err)
	}
}

// memory is a state as the agent keeps it while it runs.
func memory(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"token.json": `{"token":"t"}`, "identity.pem": "key", "reports.json": "{}", "address": "192.0.2.1"} {
		put2(t, dir, name, text)
	}
	return dir
}

func TestStateComesAndGoes(t *testing.T) {
	root := volume(t) // Format disk was the last step: there is no Windows yet
	if err := SaveState(memory(t), root, "d-1"); err != nil {
		t.Fatal(err)
	}
	into := t.TempDir()
	id, err := TakeState(root, into)
	if err != nil || id != "d-1" || read(t, into, "identity.pem") != "key" {
		t.Errorf("%q, %v", id, err)
	}
	if err := os.MkdirAll(filepath.Join(root, "Windows/System32"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := placement(tasksequence.StartSetupComplete).Into(root); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Wipe(root); err != nil {
			t.Fatal(err)
		}
	}
	if got := files(t, root); got != SetupComplete {
		t.Errorf("left:\n%s", got)
	}
	if _, err := os.Stat(filepath.Join(root, Folder)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder is left: %v", err)
	}
	if id, err := TakeState(root, t.TempDir()); id != "" || err != nil {
		t.Errorf("%q, %v", id, err)
	}
}

// Somebody's own configuration is not the deployment's to remove.
func TestWipeLeavesWhatIsNotOurs(t *testing.T) {
	root := volume(t, "Windows/System32")
	put2(t, root, OwnConfig, "{}")
	if _, err := placement(tasksequence.StartSetupComplete).Into(root); err != nil {
		t.Fatal(err)
	}
	if err := Wipe(root); err != nil {
		t.Fatal(err)
	}
	if got := files(t, root); got != OwnConfig+"\n"+SetupComplete {
		t.Errorf("left:\n%s", got)
	}
}

func TestSecurityDescriptorIsWhole(t *testing.T) {
	for _, folder := range []bool{true, false} {
		if n := len(SecurityDescriptor(folder)); n != 20+8+20+24+16+12 {
			t.Errorf("%d bytes", n)
		}
	}
	if bytes.Equal(SecurityDescriptor(true), SecurityDescriptor(false)) {
		t.Error("a folder's has nothing to inherit")
	}
}
