package steps

import (
	"context"
	"errors"
	"fmt"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

// installing is an installed system that gets applications.
type installing interface {
	// installer is what installs an application whose files lie in folder: its command
	// line, or what goes by the files it holds. remove removes what it needs.
	installer(m wire.ContentManifest, folder string) (c Command, remove func(), err error)
	// command runs a program; its output goes to the log.
	command(ctx context.Context, c Command) (int, error)
	// fetch puts the files of a version on the system's disk.
	fetch(ctx context.Context, ref tasksequence.Reference, name string) (folder string, remove func(), err error)
	close()
}

// installApplication installs one content item, whose files the runner has put into
// a folder.
func installApplication(ctx context.Context, s *Step) (Outcome, error) {
	ref, ok := s.Settings.Content("Application")
	if !ok {
		return Outcome{}, errors.New("no application is named")
	}
	m, err := s.Machine.Content.Manifest(ctx, ref)
	if err != nil {
		return Outcome{}, fmt.Errorf("ask about the application: %w", err)
	}
	y, err := openInstalling(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	defer y.close()
	code, err := install(ctx, s, y, m, s.Vars.Text(tasksequence.ContentVariable("Application")))
	return Outcome{ExitCode: code, Restart: restartAfter(code)}, err
}

// restartAfter is the restart that an installer's exit code asks for.
func restartAfter(code int) *Restart {
	switch code {
	case tasksequence.RestartRequired:
		return &Restart{Target: tasksequence.RebootDisk, Message: "The installed application asks for a restart."}
	case tasksequence.RestartInitiated:
		return &Restart{Target: tasksequence.RebootDisk, Message: "The installer has begun a restart."}
	}
	return nil
}

// install runs an application's installer in the folder of its files.
func install(ctx context.Context, s *Step, y installing, m wire.ContentManifest, folder string) (code int, err error) {
	c, remove, err := y.installer(m, folder)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", m.Name, err)
	}
	defer remove()
	s.Log("info", "installing "+m.Name)
	c.Dir, c.Env = folder, environment(s.Vars)
	code, err = y.command(ctx, c)
	if err != nil {
		return code, fmt.Errorf("%s: %w", m.Name, err)
	}
	if !s.Succeeded(code) {
		return code, fmt.Errorf("%s: the installer ended with exit code %d%s", m.Name, code, meaning(code))
	}
	return code, nil
}

// meaning tells what exit codes of Windows Installer mean that are met often ("MsiExec.exe
// and InstMsi.exe error messages").
func meaning(code int) string {
	text := map[int]string{
		1602: "it was cancelled",
		1603: "a fatal error while it installed",
		1612: "its source is not there",
		1618: "another installation is running",
		1619: "the package could not be opened",
		1620: "this is no package of Windows Installer",
		1624: "a transform could not be applied",
		1625: "a policy of this system forbids it",
		1633: "it is not for this kind of processor",
		1638: "another version of it is installed",
	}[code]
	if text == "" {
		return ""
	}
	return " (Windows Installer: " + text + ")"
}
