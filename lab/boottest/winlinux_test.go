//go:build lab

package boottest

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/bootimages/bootimagetest"
	"slipway/lab"
	"slipway/lab/mounttest"
)

const windowsSequence = "0f8c2d7e-5b1a-4c39-9e64-51a9c0de00e6"

// windowsDeployed is a sequence from an empty disk to a Windows that goes on with it,
// without Windows PE.
func windowsDeployed(system, drivers string) string {
	return fmt.Sprintf(`{
  "format": 1, "id": %q, "version": 1, "status": "active", "name": "Windows without Windows PE",
  "variables": {"ComputerName": "LAB-6"},
  "steps": [
    {"id": "format", "name": "Format disk", "definition": "format-disk", "settings": {"Layout": "windows"}},
    {"id": "apply", "name": "Apply operating system", "definition": "apply-operating-system", "settings": {"OperatingSystem": %q, "ImageName": "Windows 11 Pro"}},
    {"id": "drivers", "name": "Inject driver pack", "definition": "inject-driver-pack", "settings": {"DriverPack": %q}},
    {"id": "configure", "name": "Configure operating system", "definition": "configure-operating-system",
     "settings": {"ComputerName": "LAB-7", "TimeZone": "Europe/Berlin", "SystemLocale": "de-DE", "InputLocale": "de-DE"}},
    {"id": "administrator", "name": "Enable Administrator account", "definition": "enable-administrator-account", "settings": {"Password": "lab s3cret"}},
    {"id": "prepare", "name": "Prepare operating system", "definition": "prepare-operating-system"},
    {"id": "restart", "name": "Restart", "definition": "reboot", "settings": {"RebootRequested": "disk", "RebootDelay": 1}},
    {"id": "look", "name": "Look", "definition": "run-command-line", "environments": ["fullos"], "settings": {"Command": "ver"}}
  ]
}`, windowsSequence, system, drivers)
}

// A machine with an empty disk boots the Linux boot image from the network, a Windows is
// put onto its NTFS volume by Linux, power is lost meanwhile, and the machine comes up
// from its disk to where Microsoft's code would take over: a stand-in for its boot
// manager, out of the image itself, finds everything that Windows starts with. The volume
// holds what the image held, with rights, short names, attributes, streams and links; the
// agent is there to go on, and what it needs is nobody else's.
func TestWindowsWithoutWinPE(t *testing.T) {
	if !soaking() {
		t.Skip("it takes more than three minutes: make soak runs it")
	}
	t.Parallel()
	source := bootimagetest.InstalledWindows{Manager: standIn(t), Large: 96 << 20}
	dir := t.TempDir()
	wim := filepath.Join(dir, "install.wim")
	must(t, source.WriteWIM(wim, dir))
	want, err := bootimagetest.Describe(wim, 2, dir)
	must(t, err)
	driver := filepath.Join(dir, "pack", "net", "card.inf")
	must(t, os.MkdirAll(filepath.Dir(driver), 0o755))
	must(t, os.WriteFile(driver, []byte("[Version]\r\nSignature=\"$WINDOWS NT$\"\r\n"), 0o644))

	s := newScene(t, "", nil)
	file := s.run.Path("windows.json")
	must(t, os.WriteFile(file, []byte(windowsDeployed(s.addContent(t, "Windows 11", "operatingsystem", wim), s.addContent(t, "Drivers", "driverpack", filepath.Join(dir, "pack")))), 0o644))
	s.slipway(t, "", "sequence", "import", file)
	disk := emptyDisk(t, s, "target.img", 24)
	m := s.begin(t, lab.MachineConfig{Name: "windows", Firmware: lab.UEFI, NoIPv6: true, Disks: []lab.Disk{{Path: disk}}}, windowsSequence)
	m = s.cut(t, m, `Step 2 of \d+`, disk)
	for _, line := range []string{`STAND-IN: started from a disk`, `STAND-IN: loaded from \\EFI\\Microsoft\\Boot\\bootmgfw\.efi`,
		`STAND-IN: the loader is \\Windows\\System32\\winload\.efi`, `STAND-IN: recovery is \\Recovery\\WindowsRE\\Winre\.wim`,
		`STAND-IN: the store names partition 1, FAT32`, `STAND-IN: the store names partition 3, NTFS`, `STAND-IN: the store names partition 4, NTFS`,
		`STAND-IN: the installed Windows would start now`} {
		expect(t, m, 6*time.Minute, line)
	}
	t.Logf("BOOT windows-from-linux: %.0f s from the second power-on to the installed boot manager", time.Since(m.Started).Seconds())
	all := s.deployments(t)
	if len(all) != 1 || all[0].Status.Final() {
		t.Errorf("one deployment was to wait for its Windows: %+v", all)
	}
	m.PowerOff()
	s.lookAtWindows(t, disk, want)
}

// volume gives one partition of a disk that no machine uses, as a device.
func volume(t *testing.T, disk string, number int, f func(device string)) {
	t.Helper()
	_, list := partitions(t, disk)
	p := list[number-1]
	loop := strings.TrimSpace(run(t, "losetup", "--find", "--show", "--offset", fmt.Sprint(p.Start*512), "--sizelimit", fmt.Sprint(p.Size*512), disk))
	defer run(t, "losetup", "--detach", loop)
	f(loop)
}

// lookAtWindows checks a deployed disk from outside.
func (s *scene) lookAtWindows(t *testing.T, disk string, want map[string]string) {
	t.Helper()
	if label, list := partitions(t, disk); label != "gpt" || len(list) != 4 || list[0].Size != 499<<11 || list[1].Size != 128<<11 || list[3].Size != 1<<21 {
		t.Fatalf("partition table %s, %+v", label, list)
	}
	volume(t, disk, 1, func(esp string) {
		// The power loss leaves its mark, and a count of free clusters that is a guess; lines
		// about files begin with their paths.
		out, _ := exec.Command("fsck.vfat", "-n", esp).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if strings.HasPrefix(line, "/") && !strings.HasPrefix(line, esp+": ") {
				t.Errorf("fsck.vfat:\n%s", out)
				break
			}
		}
		if list := run(t, "mdir", "-/", "-b", "-i", esp, "::"); strings.Contains(list, "token.json") || !strings.Contains(list, "BOOTX64.EFI") {
			t.Errorf("the EFI system partition holds\n%s", list)
		}
	})
	volume(t, disk, 3, func(device string) {
		run(t, "ntfsfix", "--no-action", device)
		got, err := bootimagetest.Describe(device, 1, t.TempDir())
		must(t, err)
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if got[name] != want[name] {
				t.Errorf("%s is\n%s\nand was\n%s", name, got[name], want[name])
			}
		}
		at, unmount := mounttest.Mount(t, "ntfs-3g", "-o", "ro", device)
		defer unmount()
		agent, err := os.ReadFile(filepath.Join(lab.Root(), "bin", "slipway-agent.exe"))
		must(t, err)
		for name, want := range map[string]string{
			"ProgramData/Slipway/deployment/slipway-agent.exe": string(agent),
			"ProgramData/Slipway/deployment/agent.json":        `"Temporary": true`,
			"ProgramData/Slipway/state/deployment":             s.deployments(t)[0].ID,
			"ProgramData/Slipway/state/token.json":             `"token"`,
			"Windows/Panther/unattend.xml":                     "<ComputerName>LAB-7</ComputerName>",
		} {
			if text, err := os.ReadFile(filepath.Join(at, name)); err != nil || !strings.Contains(string(text), want) {
				t.Errorf("%s: %d bytes, %v", name, len(text), err)
			}
		}
		answers, err := os.ReadFile(filepath.Join(at, "Windows/Panther/unattend.xml"))
		must(t, err)
		for _, want := range []string{"<TimeZone>W. Europe Standard Time</TimeZone>", "pnputil.exe /add-driver", "slipway-agent.exe install", "<AdministratorPassword>"} {
			if !bytes.Contains(answers, []byte(want)) {
				t.Errorf("the answer file has no %s:\n%s", want, answers)
			}
		}
		drivers, err := filepath.Glob(filepath.Join(at, "ProgramData/Slipway/drivers/*/net/card.inf"))
		if err != nil || len(drivers) != 1 {
			t.Errorf("the drivers: %v, %v", drivers, err)
		}
		everyone := []byte{1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0} // S-1-1-0
		must(t, filepath.WalkDir(filepath.Join(at, "ProgramData/Slipway"), func(name string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			sd := make([]byte, 64<<10)
			n, err := unix.Lgetxattr(name, "system.ntfs_acl", sd)
			if err != nil || bytes.Contains(sd[:n], everyone) {
				t.Errorf("%s is open to everyone: %x, %v", name, sd[:max(n, 0)], err)
			}
			return nil
		}))
	})
}
