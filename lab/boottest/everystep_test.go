//go:build lab

package boottest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
	"slipway/lab"
	ts "slipway/tasksequence"
)

// Power is lost in every step of the template Linux bare metal, at a random moment
// while it works, and once more after it has worked and before the appliance has its
// result. The disk is slow meanwhile, or short steps would be over before anybody sees
// them. The deployment succeeds, no step runs again that the appliance has a result of,
// and nobody is asked once the disk holds the sign-in.
func TestPowerCutInEveryStep(t *testing.T) {
	if !soaking() {
		t.Skip("the long form of TestDeployLinux, by `make soak`")
	}
	for _, firmware := range []lab.Firmware{lab.UEFI, lab.BIOS} {
		t.Run(string(firmware), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "", nil)
			v := &trial{scene: s, firmware: firmware, random: seeded(t), worked: map[int]bool{}, unrecorded: map[int]bool{}, sequence: s.bareMetal(t), disk: emptyDisk(t, s, "target.img", 6)}
			v.m = s.begin(t, lab.MachineConfig{Name: string(firmware), Firmware: firmware, NoIPv6: true, Disks: []lab.Disk{{Path: v.disk}}}, v.sequence)
			for step := 1; step <= v.running(t, 1, 0).StepCount; step++ {
				switch step {
				case 3:
					v.applied(t)
				case reboots + 1:
					v.slowly(t, func() bool {
						d := v.look(t)
						return d.Status.Final() || d.StepNumber >= step && d.Epoch > v.epoch && d.Kept >= 2
					})
					if v.look(t).StepNumber != step {
						v.goOn(t)
					}
				}
				if at := v.running(t, step, v.epoch); at.StepNumber == step && !at.Status.Final() {
					v.whileItWorks(t, at)
					v.comeBack(t)
					if step == reboots { // its record comes before its effect, which is what a cut does too
						v.worked[step], v.unrecorded[step] = true, true
						continue
					}
					for try := 1; try <= 3 && !v.unrecorded[step] && v.look(t).StepNumber == step; try++ {
						v.beforeItsResult(t, time.Duration(try))
						v.comeBack(t)
						v.takenUp(t, step)
						v.judge(t)
					}
				} else {
					t.Logf("step %d was over before its cut", step)
				}
			}
			v.ends(t)
			v.judge(t)
			for step := 1; step <= v.look(t).StepCount; step++ {
				if !v.worked[step] || !v.unrecorded[step] {
					t.Errorf("step %d: cut while it worked: %v, cut between its effect and its record: %v", step, v.worked[step], v.unrecorded[step])
				}
			}
		})
	}
}

// The appliance is killed in every step of a deployment, and is away for some seconds.
func TestApplianceKilledInEveryStep(t *testing.T) {
	if !soaking() {
		t.Skip("the long form of TestRedeployAndCapture, by `make soak`")
	}
	t.Parallel()
	s := newScene(t, "", nil)
	v := &trial{scene: s, random: seeded(t), sequence: s.bareMetal(t), disk: emptyDisk(t, s, "target.img", 6)}
	v.m = s.begin(t, lab.MachineConfig{Name: "bios", Firmware: lab.BIOS, Disks: []lab.Disk{{Path: v.disk}}}, v.sequence)
	for step := 1; step <= v.running(t, 1, 0).StepCount; step++ {
		at := v.running(t, step, v.epoch)
		if at.StepNumber != step || at.Status.Final() {
			t.Logf("step %d was over before the appliance was killed", step)
			continue
		}
		into, away := v.moment(8), v.some(0, 10*time.Second)
		s.appliance.Kill()
		t.Logf("step %d, %s: the appliance is killed after %.2f s and away for %.1f s", step, at.CurrentName, into.Seconds(), away.Seconds())
		time.Sleep(away)
		must(t, s.appliance.Restart(t.Context()))
	}
	v.ends(t)
}

// bareMetal is a sequence of the template, which configures and installs something.
func (s *scene) bareMetal(t *testing.T) string {
	t.Helper()
	system, err := lab.DebianRoot(filepath.Join(lab.Root(), ".cache", "lab"))
	must(t, err)
	s.addContent(t, "Lab application", "application", labPackage(t))
	s.addContent(t, "Lab drivers", "driverpack", labFirmware(t), "--manufacturer", "Slipway", "--model", "Lab machine")
	return s.fromTemplate(t, "linux-bare-metal", s.addContent(t, "Debian 12", "operatingsystem", system), func(q *ts.Sequence) {
		q.Variables = map[string]ts.Value{"FinishAction": {Text: "shutdown"}, "Applications": {List: []string{"Lab application"}},
			"ComputerName": {Text: "pc-lab"}, "TimeZone": {Text: "Europe/Berlin"}}
	})
}

// labFirmware is a driver pack that takes a moment to write.
func labFirmware(t *testing.T) string {
	t.Helper()
	pack := t.TempDir()
	must(t, os.Mkdir(filepath.Join(pack, "firmware"), 0o755))
	for i := range firmwareFiles {
		must(t, os.WriteFile(filepath.Join(pack, "firmware", fmt.Sprintf("slipway-lab-%d.bin", i)), bytes.Repeat([]byte{byte(i), 7, 9, 11}, 256<<10), 0o644))
	}
	return pack
}

const firmwareFiles = 12

// trial is a machine that is deployed under bad circumstances.
type trial struct {
	*scene
	random   *rand.Rand
	sequence string
	disk     string
	m        *lab.Machine
	firmware lab.Firmware
	starts   int
	step     int   // the highest that was seen
	epoch    int64 // of the deployment before the last cut; it has to be taken up since

	cutAt              time.Time
	known              []fleet.StepResult // by the appliance, when power was cut
	worked, unrecorded map[int]bool       // the steps that a cut has met so
}

// How many reads and writes a second a slow disk does: of Linux' image, which writes
// little, and of the installed system, which reads itself.
const slowImage, slowSystem = 40, 80

// reboots is the step that restarts from the disk, and configures the short one behind
// it, which is over before a step is usually seen to begin.
const reboots, configures = 5, "Configure operating system"

// drag makes the disk slow, or as fast as it is with 0.
func (v *trial) drag(t *testing.T, perSecond int) {
	t.Helper()
	limits := map[string]any{"device": "disk0", "bps": 0, "bps_rd": 0, "bps_wr": 0, "iops": perSecond, "iops_rd": 0, "iops_wr": 0}
	must(t, v.m.QMP.Run(t.Context(), "block_set_io_throttle", limits, nil))
}

func (v *trial) some(least, most time.Duration) time.Duration {
	return lab.Timeout(least + time.Duration(v.random.Int64N(int64(most-least))))
}

func (v *trial) wait(least, most time.Duration) time.Duration {
	d := v.some(least, most)
	time.Sleep(d)
	return d
}

// moment waits a twentieth of a second to so many seconds.
func (v *trial) moment(most float64) time.Duration {
	d := lab.Timeout(time.Duration(0.05 * math.Pow(most/0.05, v.random.Float64()) * float64(time.Second)))
	time.Sleep(d)
	return d
}

func (v *trial) results(t *testing.T) []fleet.StepResult {
	t.Helper()
	return decode[struct{ Results []fleet.StepResult }](t, v.slipway(t, "", "deployment", "show", v.look(t).ID, "--json")).Results
}

// cable plugs the network's cable, or pulls it.
func (v *trial) cable(t *testing.T, plugged bool) {
	t.Helper()
	must(t, v.m.QMP.Run(t.Context(), "set_link", map[string]any{"name": "net0", "up": plugged}, nil))
}

// judge notes what the last cut has met: the step that had begun and had no end, and
// those that had an end which the appliance did not know of. What ran again has ended
// since; a start takes longer than the clocks differ.
func (v *trial) judge(t *testing.T) {
	t.Helper()
	if v.cutAt.IsZero() {
		return
	}
	since := v.results(t)
	for _, r := range since {
		i := slices.IndexFunc(v.known, func(k fleet.StepResult) bool { return k.Number == r.Number })
		switch ended := !r.EndedAt.IsZero() && r.EndedAt.Before(v.cutAt.Add(5*time.Second)); {
		case i >= 0 && v.known[i].Status != "running":
		case ended:
			v.unrecorded[r.Number] = true
			t.Logf("step %d, %s: it had ended %.1f s before the cut, and the appliance did not know", r.Number, r.Name, v.cutAt.Sub(r.EndedAt).Seconds())
		case i >= 0:
			v.worked[r.Number] = true
			t.Logf("step %d, %s: it was at work when power was cut", r.Number, r.Name)
		}
	}
	v.cutAt = time.Time{}
}

// takenUp waits until the appliance knows that a step begins anew, or that it has ended.
func (v *trial) takenUp(t *testing.T, step int) {
	t.Helper()
	until(t, 5*time.Minute, func() bool {
		return v.look(t).Status.Final() || slices.ContainsFunc(v.results(t), func(r fleet.StepResult) bool {
			return r.Number == step && (!r.EndedAt.IsZero() || r.StartedAt.After(v.cutAt))
		})
	})
}

// applied makes the disk slow when the operating system is on it.
func (v *trial) applied(t *testing.T) {
	t.Helper()
	id := v.look(t).ID
	entries := func() int { return strings.Count(v.slipway(t, "", "deployment", "log", id), " entries, ") }
	before := entries()
	until(t, 10*time.Minute, func() bool { return v.look(t).StepNumber > 2 || entries() > before })
	v.drag(t, slowImage)
}

// look returns the deployment. Its steps never go back.
func (v *trial) look(t *testing.T) fleet.Deployment {
	t.Helper()
	all := v.deployments(t)
	if len(all) > 1 {
		t.Fatalf("one deployment was to be there: %+v", all)
	}
	if len(all) == 0 {
		return fleet.Deployment{}
	}
	if all[0].StepNumber < v.step {
		t.Errorf("step %d runs after step %d", all[0].StepNumber, v.step)
	}
	v.step = max(v.step, all[0].StepNumber)
	return all[0]
}

// running waits until a step runs, or one behind it, in an epoch after the given one.
func (v *trial) running(t *testing.T, step int, after int64) fleet.Deployment {
	t.Helper()
	deadline := time.Now().Add(lab.Timeout(10 * time.Minute))
	for {
		// After a resume the first event tells variables, the second one the step.
		d := v.look(t)
		if d.Status.Final() || d.StepNumber >= step && d.Epoch > after && d.Kept >= 2 {
			return d
		}
		if time.Now().After(deadline) {
			t.Fatalf("step %d does not begin: %+v; the console:\n%s", step, d, v.m.Console.Text())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// whileItWorks cuts at a random moment of a step.
func (v *trial) whileItWorks(t *testing.T, at fleet.Deployment) {
	t.Helper()
	v.judge(t)
	most := 1.0
	switch at.CurrentName {
	case "Format disk": // its tools come first
		most = 3
	case "Apply operating system":
		most = 8
	case configures: // it was let begin slowly
		most = 0.2
		v.goOn(t)
	}
	into := v.moment(most)
	v.off(t, fmt.Sprintf("step %d, %s, %.2f s after it began", at.StepNumber, at.CurrentName, into.Seconds()))
}

// beforeItsResult cuts when the step that is taken up has worked. Shortly before that
// the network's cable is pulled, so that the appliance does not learn of it: as soon as
// the step has begun, or, for those that need the appliance themselves, has had what
// it needs.
func (v *trial) beforeItsResult(t *testing.T, patience time.Duration) {
	t.Helper()
	v.judge(t)
	before := v.look(t)
	log := func(text string) int { return strings.Count(v.slipway(t, "", "deployment", "log", before.ID), text) }
	begun := func() bool {
		d := v.look(t)
		return d.Status.Final() || d.Epoch > v.epoch && d.Kept >= 2
	}
	entries, firmware, installed := log(" entries, "), log(" firmware files, "), log("Setting up slipway-lab")
	switch name := before.CurrentName; {
	case name == "Format disk" && !v.formatted(): // it needs its tools from the appliance first
		until(t, 5*time.Minute, func() bool { return v.formatted() || v.look(t).StepNumber > before.StepNumber })
	case name == "Apply operating system":
		until(t, 10*time.Minute, func() bool { return log(" entries, ") > entries || v.look(t).StepNumber > before.StepNumber })
	case name == "Inject drivers":
		v.slowly(t, func() bool {
			return begun() && log(" firmware files, ") > firmware || v.look(t).StepNumber > before.StepNumber
		})
	case name == "Install applications":
		v.slowly(t, func() bool {
			return begun() && log("Setting up slipway-lab") > installed || v.look(t).StepNumber > before.StepNumber
		})
	default:
		v.slowly(t, begun)
	}
	at := v.look(t)
	if at.Status.Final() {
		return
	}
	v.cable(t, false)
	v.goOn(t)
	began := time.Now()
	v.drag(t, 0)                                                                     // it may end; the next one does not begin without the appliance
	if least := patience * 5 * time.Second; before.CurrentName == "Inject drivers" { // the initramfs of the system is made anew
		v.wait(20*least, 30*least)
	} else {
		v.wait(least, 3*least)
	}
	v.off(t, fmt.Sprintf("step %d, %s, without its cable for %.1f s", at.StepNumber, at.CurrentName, time.Since(began).Seconds()))
}

// slowly lets the machine run for moments only until something holds, and leaves it
// stopped: nothing else has happened there since.
func (v *trial) slowly(t *testing.T, ok func() bool) {
	t.Helper()
	until(t, 5*time.Minute, func() bool {
		v.goOn(t)
		time.Sleep(25 * time.Millisecond)
		must(t, v.m.QMP.Run(t.Context(), "stop", nil, nil))
		return ok()
	})
}

// goOn lets a stopped machine run again.
func (v *trial) goOn(t *testing.T) {
	t.Helper()
	must(t, v.m.QMP.Run(t.Context(), "cont", nil, nil))
}

// until polls.
func until(t *testing.T, limit time.Duration, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(lab.Timeout(limit)); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("what is waited for does not come")
		}
	}
}

// formatted reports whether the disk holds the root file system: the magic number of
// ext4, in its superblock.
func (v *trial) formatted() bool {
	out, err := exec.Command("sfdisk", "--json", v.disk).Output()
	var table struct {
		PartitionTable struct{ Partitions []partition }
	}
	if err != nil || json.Unmarshal(out, &table) != nil || len(table.PartitionTable.Partitions) == 0 {
		return false
	}
	f, err := os.Open(v.disk)
	if err != nil {
		return false
	}
	defer f.Close()
	list, magic := table.PartitionTable.Partitions, make([]byte, 2)
	_, err = f.ReadAt(magic, list[len(list)-1].Start*512+1024+0x38)
	return err == nil && magic[0] == 0x53 && magic[1] == 0xef
}

// off pulls the plug, or presses the reset button.
func (v *trial) off(t *testing.T, when string) {
	t.Helper()
	v.cutAt = time.Now()
	if v.random.IntN(2) == 0 {
		t.Log("reset: " + when)
		v.m.Console.Skip()
		must(t, v.m.Reset(t.Context()))
		v.drag(t, 0)
		v.cable(t, true)
		return
	}
	t.Log("power off: " + when)
	v.m.PowerOff()
	v.m = nil
}

// comeBack powers the machine on, and signs in where the disk cannot hold the sign-in.
// It returns as soon as the deployment is taken up.
func (v *trial) comeBack(t *testing.T) {
	t.Helper()
	before := v.look(t)
	if before.Status.Final() {
		return
	}
	v.epoch, v.known = before.Epoch, v.results(t)
	if v.m == nil {
		v.starts++
		m, err := v.net.PowerOn(t.Context(), lab.MachineConfig{Name: fmt.Sprintf("again-%d", v.starts), Firmware: v.firmware, NoIPv6: true, Disks: []lab.Disk{{Path: v.disk}}})
		must(t, err)
		v.m = m
	}
	deadline := time.Now().Add(lab.Timeout(8 * time.Minute))
	started, asked := time.Now(), false
	for {
		d := v.look(t)
		if d.Epoch > v.epoch || d.Status.Final() {
			switch {
			case d.Status.Final():
			case d.StepNumber > reboots:
				v.drag(t, slowSystem)
			case d.StepNumber > 2:
				v.drag(t, slowImage)
			}
			t.Logf("back after %.0f s in step %d of %d: %s", time.Since(started).Seconds(), d.StepNumber, d.StepCount, d.CurrentName)
			return
		}
		if !asked && strings.Contains(v.m.Console.Screen(), "Passcode") {
			if asked = true; before.StepNumber > 1 {
				t.Fatalf("somebody is asked to sign in again; the console:\n%s", v.m.Console.Text())
			}
			t.Log("signing in again: the disk held nothing yet")
			enter(t, v.m, lab.Passcode)
			expect(t, v.m, time.Minute, "Continue the unfinished deployment")
			must(t, v.m.Console.Type("\r"))
		}
		if time.Now().After(deadline) {
			t.Fatalf("the deployment is not taken up: %+v; the console:\n%s", d, v.m.Console.Text())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// ends waits for the success and looks at the disk.
func (v *trial) ends(t *testing.T) {
	t.Helper()
	v.succeedsIn(t, v.m, v.sequence, 10*time.Minute)
	switchedOff(t, v.m)
	results := v.results(t)
	if i := slices.IndexFunc(results, func(r fleet.StepResult) bool { return r.Status != "succeeded" }); i >= 0 || len(results) == 0 {
		t.Errorf("results: %+v", results)
	}
	firmware := filepath.Join(labFirmware(t), "firmware")
	inRoot(t, v.disk, false, func(root string) {
		run(t, "grep", "-qx", "pc-lab", filepath.Join(root, "etc/hostname"))
		run(t, "test", "-e", filepath.Join(root, "usr/share/slipway-lab/installed"))
		for i := range firmwareFiles {
			run(t, "cmp", filepath.Join(firmware, fmt.Sprintf("slipway-lab-%d.bin", i)), filepath.Join(root, "usr/lib/firmware", fmt.Sprintf("slipway-lab-%d.bin", i)))
		}
		noAgent(t, root)
		system, err := lab.DebianRoot(filepath.Join(lab.Root(), ".cache", "lab"))
		must(t, err)
		// The driver pack has the initramfs made anew; it has to be whole.
		sameFiles(t, system, root, "boot/initrd.img-")
		initrds, err := filepath.Glob(filepath.Join(root, "boot/initrd.img-*"))
		if err != nil || len(initrds) != 1 {
			t.Fatalf("initramfs: %q, %v", initrds, err)
		}
		run(t, "bash", "-o", "pipefail", "-c", `zstd -dcq "$1" | cpio -t --quiet | grep -x init`, "bash", initrds[0])
	})
}
