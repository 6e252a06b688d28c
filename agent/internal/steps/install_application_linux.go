package steps

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

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
	y, err := openSystem(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	defer y.close()
	code, err := y.install(ctx, m, s.Vars.Text(tasksequence.ContentVariable("Application")))
	return Outcome{ExitCode: code, Restart: restartAfter(code)}, err
}

// restartAfter is the restart that an installer's exit code asks for.
func restartAfter(code int) *Restart {
	if code == tasksequence.RestartRequired || code == tasksequence.RestartInitiated {
		return &Restart{Target: tasksequence.RebootDisk, Message: "The installed application asks for a restart."}
	}
	return nil
}

// install runs an application's installer in the folder of its files.
func (y *system) install(ctx context.Context, m wire.ContentManifest, folder string) (code int, err error) {
	args, err := y.installer(m, folder)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", m.Name, err)
	}
	y.step.Log("info", "installing "+m.Name)
	code, err = y.command(ctx, Command{Args: args, Dir: folder, Env: environment(y.step.Vars)})
	if err != nil {
		return code, fmt.Errorf("%s: %w", m.Name, err)
	}
	if !y.step.Succeeded(code) {
		return code, fmt.Errorf("%s: the installer ended with exit code %d", m.Name, code)
	}
	return code, nil
}

// installer is what installs an application: its command line, or by what it holds.
func (y *system) installer(m wire.ContentManifest, folder string) ([]string, error) {
	if m.Command != "" {
		return []string{"/bin/sh", "-c", m.Command}, nil
	}
	var packages []string
	script := false
	for _, f := range m.Files {
		switch ext := filepath.Ext(f.Path); {
		case ext == ".deb" || ext == ".rpm":
			packages = append(packages, filepath.Join(folder, f.Path))
		case f.Path == "install.sh":
			script = true
		}
	}
	switch {
	case script:
		return []string{"/bin/sh", "./install.sh"}, nil
	case len(packages) == 0:
		return nil, errors.New("it has no installation command line, and holds neither a .deb or .rpm package nor an install.sh")
	}
	return y.packageInstaller(packages)
}

// packageInstaller installs package files. apt and dnf bring what they depend on;
// dpkg and rpm do without where there is no apt or dnf.
func (y *system) packageInstaller(files []string) ([]string, error) {
	deb := filepath.Ext(files[0]) == ".deb"
	for _, f := range files {
		if (filepath.Ext(f) == ".deb") != deb {
			return nil, errors.New("it holds packages of two kinds, .deb and .rpm: give it an installation command line")
		}
	}
	for _, tool := range packageTools(deb) {
		if y.has(tool[0]) {
			return append(tool, files...), nil
		}
	}
	kind := "rpm"
	if deb {
		kind = "deb"
	}
	return nil, fmt.Errorf("this system has no program that installs .%s packages", kind)
}

func packageTools(deb bool) [][]string {
	if deb {
		return [][]string{
			{"apt-get", "install", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=600", "-o", "Dpkg::Options::=--force-confold"},
			{"dpkg", "--install", "--force-confold"}}
	}
	return [][]string{{"dnf", "install", "--assumeyes", "--nogpgcheck"}, {"yum", "install", "--assumeyes", "--nogpgcheck"},
		{"zypper", "--non-interactive", "install", "--allow-unsigned-rpm"}, {"rpm", "--upgrade", "--verbose", "--replacepkgs"}}
}
