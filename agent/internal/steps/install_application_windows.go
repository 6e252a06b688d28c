package steps

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

// openInstalling is the Windows that gets applications: the one the agent runs in.
func openInstalling(_ context.Context, s *Step) (installing, error) {
	return openRunning(s), nil
}

// fetch implements installing.
func (y *target) fetch(ctx context.Context, ref tasksequence.Reference, name string) (string, func(), error) {
	return y.fetchFolder(ctx, ref, name)
}

// close implements installing.
func (*target) close() {}

// command implements installing.
func (y *target) command(ctx context.Context, c Command) (int, error) {
	c.Stdout = func(line string) { y.step.Log("info", line) }
	c.Stderr = func(line string) { y.step.Log("warn", line) }
	return y.step.Machine.Exec.Run(ctx, c)
}

// installer implements installing: the application's command line, or an install.cmd,
// install.bat or install.ps1, or its one package (.msi, .msp, .msu, .msix, .appx).
func (y *target) installer(m wire.ContentManifest, folder string) (Command, func(), error) {
	if m.Command != "" {
		return shellCommand(y.step, m.Command)
	}
	var packages []string
	for _, f := range m.Files {
		switch strings.ToLower(f.Path) {
		case "install.cmd", "install.bat":
			return Command{Args: []string{"cmd.exe", "/d", "/c", filepath.Join(folder, f.Path)}}, func() {}, nil
		case "install.ps1":
			return Command{Args: append(powerShellProgram(), "-File", filepath.Join(folder, f.Path))}, func() {}, nil
		}
		if packageCommand(strings.ToLower(path.Ext(f.Path)), "") != nil {
			packages = append(packages, f.Path)
		}
	}
	switch len(packages) {
	case 1:
		file := filepath.Join(folder, filepath.FromSlash(packages[0]))
		return Command{Args: packageCommand(strings.ToLower(path.Ext(file)), file)}, func() {}, nil
	case 0:
		return Command{}, nil, errors.New("it has no installation command line, and holds no package (.msi, .msp, .msu, .msix, .appx) and no install.cmd, install.bat or install.ps1")
	}
	return Command{}, nil, fmt.Errorf("it holds %d packages and does not say what to do with them: give it an installation command line", len(packages))
}

// packageCommand installs one package without asking and without a restart of its own;
// nil when it is none.
func packageCommand(ext, file string) []string {
	switch ext {
	case ".msi":
		return []string{"msiexec.exe", "/i", file, "/qn", "/norestart"}
	case ".msp":
		return []string{"msiexec.exe", "/p", file, "/qn", "/norestart"}
	case ".msu":
		return []string{"wusa.exe", file, "/quiet", "/norestart"}
	case ".msix", ".appx", ".msixbundle", ".appxbundle":
		return []string{"dism.exe", "/English", "/Online", "/Add-ProvisionedAppxPackage", "/PackagePath:" + file, "/SkipLicense"}
	}
	return nil
}

// powerShellProgram is Windows' own PowerShell with the options that every script of a
// step gets. Scripts that were not signed run too: whoever builds the task sequence
// answers for them.
func powerShellProgram() []string {
	return []string{"powershell.exe", "-ExecutionPolicy", "Bypass", "-NoLogo", "-NoProfile", "-NonInteractive"}
}

// inInstalledWindows says whether the step runs in an installed Windows, and not in WinPE.
func inInstalledWindows(s *Step) bool {
	return s.Vars.Text(tasksequence.VariableEnvironment) == tasksequence.FullOS
}
