package windowstarget

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"slipway/tasksequence"
	"slipway/tasksequence/unattend"
)

// exe is the agent as the Windows there calls it.
var exe = `%SystemDrive%\` + strings.ReplaceAll(Agent, "/", `\`)

// installCommand starts the agent where a program is expected. Without the agent it does
// nothing, and it never fails: Windows Setup gives up a computer one of whose commands
// fails. What goes wrong stands in the agent's own log.
func installCommand() string {
	return `cmd.exe /d /c "if exist ` + exe + ` ` + exe + ` install & exit 0"`
}

// setupLine is the same as a line of SetupComplete.cmd.
func setupLine() string { return `@if exist "` + exe + `" "` + exe + `" install` }

// description marks our command in an answer file.
const description = "Slipway goes on with the deployment"

// start makes Windows run the agent.
func (p Placement) start(volume *os.Root, root string) ([]unattend.Change, error) {
	s := unattend.Settings{Architecture: cmp.Or(p.Architecture, defaultArchitecture())}
	switch p.Start {
	case tasksequence.StartSpecialize, "":
		s.Commands = []unattend.Command{{Pass: unattend.Specialize, Line: installCommand(), Description: description}}
	case tasksequence.StartFirstLogon:
		s.FirstLogon = []unattend.Command{{Line: installCommand(), Description: description}}
	case tasksequence.StartSetupComplete:
		return nil, addSetupLine(volume)
	case tasksequence.StartGiven:
		text, err := volume.ReadFile(find(volume, AnswerFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if !bytes.Contains(bytes.ToLower(plain(text)), []byte("slipway-agent.exe")) {
			return nil, fmt.Errorf(`the answer file has no command that starts it; add one that runs: %s install`, exe)
		}
		return nil, nil
	}
	return Answers(root, s, nil)
}

// plain makes letters of UTF-16, as far as they are ASCII.
func plain(text []byte) []byte { return bytes.ReplaceAll(text, []byte{0}, nil) }

func defaultArchitecture() string {
	if runtime.GOARCH == "arm64" {
		return unattend.ARM64
	}
	return unattend.AMD64
}

// addSetupLine puts our line before what SetupComplete.cmd has already, which may end
// with exit.
func addSetupLine(volume *os.Root) error {
	text, err := volume.ReadFile(find(volume, SetupComplete))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	line := setupLine() + "\r\n"
	if bytes.HasPrefix(text, []byte(line)) {
		return nil
	}
	return put(volume, SetupComplete, 0o755, bytes.NewReader(append([]byte(line), text...)))
}
