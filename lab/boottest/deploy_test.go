//go:build lab

package boottest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
	"slipway/lab"
	"slipway/lab/mounttest"
)

const deploySequence = "0f8c2d7e-5b1a-4c39-9e64-51a9c0de0005"

// deployed is a sequence from an empty disk to a configured system: the way of the
// template "Linux bare metal", with the names that the test looks for.
func deployed(system, application string) string {
	return fmt.Sprintf(`{
  "format": 1, "id": %q, "version": 1, "status": "active", "name": "Linux on bare metal",
  "variables": {"FinishAction": "shutdown"},
  "steps": [
    {"id": "format", "name": "Format disk", "definition": "format-disk"},
    {"id": "apply", "name": "Apply operating system", "definition": "apply-operating-system", "settings": {"OperatingSystem": %q}},
    {"id": "drivers", "name": "Inject drivers", "definition": "inject-drivers"},
    {"id": "prepare", "name": "Prepare operating system", "definition": "prepare-operating-system"},
    {"id": "restart", "name": "Restart", "definition": "reboot", "settings": {"RebootRequested": "disk"}},
    {"id": "configure", "name": "Configure operating system", "definition": "configure-operating-system",
     "settings": {"ComputerName": "pc-%%SerialNumber%%", "TimeZone": "Europe/Berlin", "SystemLocale": "de-DE", "InputLocale": "de"}},
    {"id": "administrator", "name": "Enable Administrator account", "definition": "enable-administrator-account", "settings": {"Password": "lab s3cret"}},
    {"id": "application", "name": "Install application", "definition": "install-application", "settings": {"Application": %q}},
    {"id": "look", "name": "Look", "definition": "run-command-line", "environments": ["fullos"],
     "settings": {"Command": "test -e /usr/share/slipway-lab/installed && locale -a | grep -qi de_DE.utf8 && echo \"DEPLOYED $(hostname)\" > /dev/ttyS0"}}
  ]
}`, deploySequence, system, application)
}

// labPackage makes a Debian package that installs one file.
func labPackage(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	root := filepath.Join(dir, "slipway-lab")
	for name, text := range map[string]string{"DEBIAN/control": "Package: slipway-lab\nVersion: 1\nArchitecture: all\nMaintainer: Lab <lab@example.org>\nDescription: what the lab installs\n",
		"usr/share/slipway-lab/installed": "yes\n"} {
		full := filepath.Join(root, name)
		must(t, os.MkdirAll(filepath.Dir(full), 0o755))
		must(t, os.WriteFile(full, []byte(text), 0o644))
	}
	deb := filepath.Join(dir, "slipway-lab_1_all.deb")
	must(t, exec.Command("dpkg-deb", "--root-owner-group", "--build", root, deb).Run())
	return deb
}

// addContent makes a content item of one file and returns its id.
func (s *scene) addContent(t *testing.T, name, purpose, path string, more ...string) string {
	t.Helper()
	version := decode[struct{ Item string }](t, s.slipway(t, "", append([]string{"content", "add", name, path, "--purpose", purpose, "--json"}, more...)...))
	if version.Item == "" {
		t.Fatalf("content add did not name the item %s", name)
	}
	return version.Item
}

// emptyDisk is a sparse file.
func emptyDisk(t *testing.T, s *scene, name string, gigabytes int64) string {
	t.Helper()
	path := s.run.Path(name)
	f, err := os.Create(path)
	must(t, err)
	must(t, f.Truncate(gigabytes<<30))
	must(t, f.Close())
	return path
}

// deployScene is an appliance that can deploy a Debian.
func deployScene(t *testing.T) *scene {
	t.Helper()
	system, err := lab.DebianRoot(filepath.Join(lab.Root(), ".cache", "lab"))
	must(t, err)
	s := newScene(t, "", nil)
	file := s.run.Path("deploy.json")
	text := deployed(s.addContent(t, "Debian 12", "operatingsystem", system), s.addContent(t, "Lab application", "application", labPackage(t)))
	must(t, os.WriteFile(file, []byte(text), 0o644))
	s.slipway(t, "", "sequence", "import", file)
	return s
}

// begin powers a machine on and signs in; the sequence is assigned to it.
func (s *scene) begin(t *testing.T, c lab.MachineConfig, sequence string) *lab.Machine {
	t.Helper()
	m, err := s.net.PowerOn(t.Context(), c)
	must(t, err)
	expect(t, m, 3*time.Minute, "Passcode")
	s.slipway(t, "", "device", "assign", s.deviceOf(t, m).ID, sequence)
	enter(t, m, lab.Passcode)
	return m
}

// deviceOf is what the appliance knows of a machine.
func (s *scene) deviceOf(t *testing.T, m *lab.Machine) fleet.Device {
	t.Helper()
	for _, d := range decode[struct{ Devices []fleet.Device }](t, s.slipway(t, "", "device", "list", "--json")).Devices {
		if d.UUID == m.UUID {
			return d
		}
	}
	t.Fatalf("the appliance does not know the machine %s", m.UUID)
	return fleet.Device{}
}

// succeeds waits for the end of the one deployment.
func (s *scene) succeeds(t *testing.T, m *lab.Machine, limit time.Duration) {
	t.Helper()
	s.succeedsIn(t, m, "", limit)
}

// succeedsIn waits for the end of the one deployment of a sequence ("": of any).
func (s *scene) succeedsIn(t *testing.T, m *lab.Machine, sequence string, limit time.Duration) {
	t.Helper()
	deadline := time.Now().Add(lab.Timeout(limit))
	for {
		all := slices.DeleteFunc(s.deployments(t), func(d fleet.Deployment) bool { return sequence != "" && d.SequenceID != sequence })
		if len(all) == 1 && all[0].Status == fleet.DeploymentSucceeded {
			return
		}
		if len(all) != 1 || all[0].Status.Final() || time.Now().After(deadline) {
			t.Fatalf("one deployment was to succeed: %+v; the console:\n%s", all, m.Console.Text())
		}
		time.Sleep(time.Second)
	}
}

// switchedOff waits until a machine has switched itself off (FinishAction).
func switchedOff(t *testing.T, m *lab.Machine) {
	t.Helper()
	select {
	case <-m.QEMU.Done():
	case <-time.After(lab.Timeout(3 * time.Minute)):
		t.Fatalf("the machine does not switch itself off; the console:\n%s", m.Console.Text())
	}
}

// A machine with an empty disk boots from the network, somebody signs in, and some
// minutes later it runs from its own disk, configured; nothing of the agent is left.
// Power is lost once on the way, after which the disk shows itself late. BIOS machines
// are deployed by TestRedeployAndCapture.
func TestDeployLinux(t *testing.T) {
	t.Parallel()
	firmwares := []lab.Firmware{lab.UEFI}
	if soaking() {
		firmwares = append(firmwares, lab.BIOS)
	}
	for _, firmware := range firmwares {
		t.Run(string(firmware), func(t *testing.T) {
			s := deployScene(t)
			disk := lab.Disk{Path: emptyDisk(t, s, "target.img", 6), Serial: "LAB-DISK"}
			m := s.begin(t, lab.MachineConfig{Name: string(firmware), Firmware: firmware, NoIPv6: true, Disks: []lab.Disk{disk}}, deploySequence)
			started := time.Now()
			m = s.cutLate(t, m, `Step 2 of \d+`, disk)
			expect(t, m, 15*time.Minute, "DEPLOYED pc-"+m.Serial)
			s.succeeds(t, m, 2*time.Minute)
			t.Logf("BOOT deploy-%s: from sign-in to the end %.0f s", firmware, time.Since(started).Seconds())
			switchedOff(t, m)
			lookAtDisk(t, disk.Path, m)
		})
	}
}

// cut pulls the plug some seconds into a step, when the disk holds the sign-in, and
// powers the machine on again: it goes on in that step, and nobody is asked.
func (s *scene) cut(t *testing.T, m *lab.Machine, step, disk string) *lab.Machine {
	t.Helper()
	s.powerLoss(t, m, step)
	return s.goesOn(t, lab.MachineConfig{Name: m.Name + "-again", Firmware: m.Firmware, NoIPv6: true, Disks: []lab.Disk{{Path: disk}}}, step, nil)
}

// powerLoss pulls the plug some seconds into a step.
func (s *scene) powerLoss(t *testing.T, m *lab.Machine, step string) {
	t.Helper()
	expect(t, m, 5*time.Minute, step)
	random := seeded(t)
	wait := time.Duration(random.Int64N(int64(lab.Timeout(6 * time.Second))))
	t.Logf("power is lost %.1f s into %q", wait.Seconds(), step)
	time.Sleep(wait)
	m.PowerOff()
}

// cutLate is cut for a machine whose disk shows itself when the agent has looked for it
// already, as one behind a SAS controller does.
func (s *scene) cutLate(t *testing.T, m *lab.Machine, step string, disk lab.Disk) *lab.Machine {
	t.Helper()
	s.powerLoss(t, m, step)
	return s.goesOn(t, lab.MachineConfig{Name: m.Name + "-again", Firmware: m.Firmware, NoIPv6: true, LateDisk: true}, step, func(m *lab.Machine) {
		expect(t, m, 3*time.Minute, "Waiting for the disk")
		must(t, m.PlugIn(t.Context(), disk))
	})
}

// goesOn powers a machine on, whose deployment goes on in a step without anybody.
func (s *scene) goesOn(t *testing.T, c lab.MachineConfig, step string, meanwhile func(*lab.Machine)) *lab.Machine {
	t.Helper()
	m, err := s.net.PowerOn(t.Context(), c)
	must(t, err)
	if meanwhile != nil {
		meanwhile(m)
	}
	if got := expect(t, m, 5*time.Minute, `Passcode|`+step); got == "Passcode" {
		t.Fatalf("somebody is asked to sign in again; the console:\n%s", m.Console.Text())
	}
	return m
}

// soaking reports whether the long forms of the tests run.
func soaking() bool { return os.Getenv("SLIPWAY_SOAK") != "" }

// seeded is random and prints its seed; SLIPWAY_SEED gives one.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SLIPWAY_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		must(t, err)
	}
	t.Logf("SLIPWAY_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// partition is one of a disk's, in sectors of 512 bytes.
type partition struct {
	Start, Size int64
	Type        string
}

// partitions reads and checks a disk's table.
func partitions(t *testing.T, disk string) (label string, list []partition) {
	t.Helper()
	out, err := exec.Command("sfdisk", "--json", disk).Output()
	must(t, err)
	table := decode[struct {
		PartitionTable struct {
			Label      string
			Partitions []partition
		}
	}](t, string(out)).PartitionTable
	if len(table.Partitions) == 0 {
		t.Fatalf("no partitions: %s", out)
	}
	if text, err := exec.Command("sfdisk", "--verify", disk).CombinedOutput(); err != nil {
		t.Errorf("sfdisk: %v, %s", err, text)
	}
	return table.Label, table.Partitions
}

// inRoot mounts the largest file system of a disk that no machine uses, checked
// before and read-only unless it is to be changed.
func inRoot(t *testing.T, disk string, change bool, f func(root string)) {
	t.Helper()
	_, list := partitions(t, disk)
	p := slices.MaxFunc(list, func(a, b partition) int { return cmp.Compare(a.Size, b.Size) })
	loop := strings.TrimSpace(run(t, "losetup", "--find", "--show",
		"--offset", fmt.Sprint(p.Start*512), "--sizelimit", fmt.Sprint(p.Size*512), disk))
	defer run(t, "losetup", "--detach", loop)
	option := "rw"
	if !change {
		option = "ro"
		run(t, "e2fsck", "-fn", loop)
	}
	at, unmount := mounttest.Mount(t, "mount", "-o", option, loop)
	defer unmount()
	f(at)
}

// lookAtDisk checks a machine's deployed disk from outside.
func lookAtDisk(t *testing.T, disk string, m *lab.Machine) {
	t.Helper()
	want := map[lab.Firmware]string{lab.UEFI: "gpt", lab.BIOS: "dos"}[m.Firmware]
	if label, list := partitions(t, disk); label != want {
		t.Fatalf("partition table %s, %+v", label, list)
	}
	inRoot(t, disk, false, func(at string) {
		for name, want := range map[string]string{"etc/hostname": "pc-" + m.Serial + "\n", "etc/timezone": "Europe/Berlin\n",
			"etc/locale.conf": "LANG=de_DE.UTF-8\n", "usr/share/slipway-lab/installed": "yes\n"} {
			if text, err := os.ReadFile(filepath.Join(at, name)); err != nil || string(text) != want {
				t.Errorf("%s: %q, %v", name, text, err)
			}
		}
		shadow, err := os.ReadFile(filepath.Join(at, "etc/shadow"))
		if err != nil || !strings.Contains("\n"+string(shadow), "\nroot:$") {
			t.Errorf("root has no password: %v", err)
		}
		noAgent(t, at)
	})
}

// noAgent holds that nothing of the agent is left in a system.
func noAgent(t *testing.T, root string) {
	t.Helper()
	for _, name := range []string{"var/lib/slipway-agent", "etc/slipway-agent.json", "usr/local/sbin/slipway-agent",
		"etc/systemd/system/slipway-agent.service", "etc/systemd/system/multi-user.target.wants/slipway-agent.service"} {
		if _, err := os.Lstat(filepath.Join(root, name)); err == nil {
			t.Errorf("%s is left", name)
		}
	}
}

func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
