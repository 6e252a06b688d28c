package steps

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/internal/disk"
	"slipway/agent/internal/disk/disktest"
	"slipway/tasksequence"
)

func TestConfigureOperatingSystem(t *testing.T) {
	b := newBench(t, "hostname", "locale-gen", "update-ca-certificates")
	b.set("TimeZone", "Europe/Berlin")
	b.set("SerialNumber", "ABC123")
	_, err := b.run(tasksequence.ConfigureOperatingSystem, map[string]any{"ComputerName": "pc-%SerialNumber%.example.org",
		"SystemLocale": "de-DE", "InputLocale": "de-CH", "ImportRootCerts": true})
	if err != nil {
		t.Fatal(err)
	}
	b.want("programs", strings.Join(b.exec.ran, ", "), "hostname pc-ABC123, locale-gen, update-ca-certificates")
	b.want("host name", b.file("etc/hostname"), "pc-ABC123\n")
	b.want("hosts", b.file("etc/hosts"), "127.0.0.1\tlocalhost\n127.0.1.1\tpc-ABC123.example.org pc-ABC123\n")
	zone, err := os.Readlink(filepath.Join(b.root, "etc/localtime"))
	if err != nil {
		t.Error(err)
	}
	b.want("time zone", zone+" "+b.file("etc/timezone"), "/usr/share/zoneinfo/Europe/Berlin Europe/Berlin\n")
	b.want("locales to make", b.file("etc/locale.gen"), "de_DE.UTF-8 UTF-8\n# en_GB.UTF-8 UTF-8\n")
	b.want("locale", b.file("etc/locale.conf")+b.file("etc/default/locale"), "LANG=de_DE.UTF-8\nLANG=de_DE.UTF-8\n")
	b.want("keyboard", b.file("etc/default/keyboard")+b.file("etc/vconsole.conf"), "XKBLAYOUT=\"ch\"\nKEYMAP=ch\n")
	b.want("authorities", b.file("usr/local/share/ca-certificates/slipway-1.crt")+b.file("usr/local/share/ca-certificates/slipway-2.crt"), "PEM 1\nPEM 2\n")
}

// What is wrong is said before anything is changed.
func TestConfigureRefusesWhatCannotBe(t *testing.T) {
	for _, tt := range []struct{ option, value, want string }{
		{"ComputerName", "two words", "computer name"},
		{"ComputerName", "pc-%Nobody%", "a variable that does not exist"},
		{"TimeZone", "Europe/Atlantis", "does not know the time zone"},
		{"TimeZone", "../../etc/passwd", "not the name of a time zone"},
		{"SystemLocale", "german", "not a locale"},
		{"InputLocale", "qwertz", "not a keyboard layout"},
	} {
		b := newBench(t)
		settings := map[string]any{"ComputerName": "pc1"}
		settings[tt.option] = tt.value
		_, err := b.run(tasksequence.ConfigureOperatingSystem, settings)
		b.fails(err, tt.want)
		b.want("hosts after "+tt.value, b.file("etc/hosts"), "127.0.0.1\tlocalhost\n127.0.1.1\told\n")
	}
	b := newBench(t)
	_, err := b.run(tasksequence.ConfigureOperatingSystem, map[string]any{"SystemLocale": "de-DE"})
	b.fails(err, "the package locales")
}

// In the boot image it is the system on the target disk that is changed, by its own
// programs; without one there is a clear error.
func TestConfigureWithoutATarget(t *testing.T) {
	b := newBench(t)
	b.set(tasksequence.VariableEnvironment, tasksequence.LinuxPE)
	_, err := b.run(tasksequence.ConfigureOperatingSystem, map[string]any{"ComputerName": "pc1"})
	b.fails(err, "Format disk")
}

func TestEnableAdministratorAccount(t *testing.T) {
	b := newBench(t, "chpasswd", "useradd", "sudo")
	if err := b.vars.SetSystem("AdminPassword", tasksequence.Value{Text: "s3cret:word", Secret: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.run(tasksequence.EnableAdministratorAccount, map[string]any{}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.run(tasksequence.EnableAdministratorAccount, map[string]any{"Account": "anna", "Password": "other"}); err != nil {
		t.Fatal(err)
	}
	b.want("programs", strings.Join(b.exec.ran, ", "), "chpasswd, useradd --create-home --shell /bin/bash --groups sudo anna, chpasswd")
	b.want("what they read", b.exec.stdin, "root:s3cret:word\nanna:other\n")
	if log := strings.Join(*b.lines, "\n"); strings.Contains(log, "other") {
		t.Errorf("the log holds the password: %s", log)
	}
	b = newBench(t, "chpasswd")
	_, err := b.run(tasksequence.EnableAdministratorAccount, map[string]any{})
	b.fails(err, "AdminPassword")
	_, err = b.run(tasksequence.EnableAdministratorAccount, map[string]any{"Password": "a\nroot:b"})
	b.fails(err, "line ends")
}

// The target's own programs run in it, and the agent is put where the system will
// find it.
func TestTheTargetIsChangedFromTheBootImage(t *testing.T) {
	b := newBench(t)
	disks := disktest.New(t, disk.Disk{ID: "d1", Size: 8 << 30})
	layout := disk.Layout{Format: disk.LayoutFormat, Disk: "d1", Table: disk.GPT, SectorSize: 512,
		Partitions: []disk.Partition{{Number: 1, Role: disk.RoleRoot, Start: 1 << 20, Size: 4 << 30, FS: disk.FSExt4}}}
	b.set(tasksequence.VariableEnvironment, tasksequence.LinuxPE)
	b.set(tasksequence.VariableTargetLayout, layout.Text())
	b.root, b.disks = disks.Root, disks
	_, err := b.run(tasksequence.PrepareOperatingSystem, nil)
	b.fails(err, "no operating system on the target disk yet")
	b.put("etc/debian_version", "12\n")
	b.put("usr/bin/locale-gen", "")
	b.exec.known = []string{"locale-gen"}
	if _, err := b.run(tasksequence.ConfigureOperatingSystem, map[string]any{"SystemLocale": "de_DE", "ComputerName": "pc1"}); err != nil {
		t.Fatal(err)
	}
	b.want("programs", strings.Join(b.exec.ran, ", "), "in "+filepath.Base(b.root)+": locale-gen")
	b.want("host name", b.file("etc/hostname"), "pc1\n")
	if _, err := b.run(tasksequence.PrepareOperatingSystem, nil); err != nil {
		t.Fatal(err)
	}
	b.want("placed at", b.placed, b.root)
}
