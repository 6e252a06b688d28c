package steps

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"slipway/agent/wire"
)

// openInstalling is the Linux that gets applications.
func openInstalling(ctx context.Context, s *Step) (installing, error) { return openSystem(ctx, s) }

// installer implements installing.
func (y *system) installer(m wire.ContentManifest, folder string) (Command, func(), error) {
	args, err := y.installerOf(m, folder)
	return Command{Args: args}, func() {}, err
}

// installerOf is what installs an application: its command line, or by what it holds.
func (y *system) installerOf(m wire.ContentManifest, folder string) ([]string, error) {
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
