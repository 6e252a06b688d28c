//go:build lab

package boottest

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"slipway/fleet"
	"slipway/lab"
	ts "slipway/tasksequence"
)

// Power is lost in every step of the template Linux bare metal, at a random moment
// while it works, and once more after it has worked and before the appliance has its
// result. The deployment succeeds, no step runs again that the appliance has a result
// of, and nobody is asked once the disk holds the sign-in.
func TestPowerCutInEveryStep(t *testing.T) {
	if !soaking() {
		t.Skip("the long form of TestDeployLinux, by `make soak`")
	}
	for _, firmware := range []lab.Firmware{lab.UEFI, lab.BIOS} {
		t.Run(string(firmware), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "", nil)
			v := &trial{scene: s, firmware: firmware, random: seeded(t), sequence: s.bareMetal(t), disk: emptyDisk(t, s, "target.img", 6)}
			v.m = s.begin(t, lab.MachineConfig{Name: string(firmware), Firmware: firmware, NoIPv6: true, Disks: []lab.Disk{{Path: v.disk}}}, v.sequence)
			for step := 1; step <= v.running(t, 1, 0).StepCount; step++ {
				if at := v.running(t, step, v.epoch); at.StepNumber == step && !at.Status.Final() {
					v.whileItWorks(t, at)
					v.comeBack(t)
					v.beforeItsResult(t)
					v.comeBack(t)
				} else {
					t.Logf("step %d was over before its cut", step)
				}
			}
			v.ends(t)
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
		into, away := v.moment(), v.some(0, 10*time.Second)
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
	return s.fromTemplate(t, "linux-bare-metal", s.addContent(t, "Debian 12", "operatingsystem", system), func(q *ts.Sequence) {
		q.Variables = map[string]ts.Value{"FinishAction": {Text: "shutdown"}, "Applications": {List: []string{"Lab application"}},
			"ComputerName": {Text: "pc-lab"}, "TimeZone": {Text: "Europe/Berlin"}}
	})
}

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
}

func (v *trial) some(least, most time.Duration) time.Duration {
	return lab.Timeout(least + time.Duration(v.random.Int64N(int64(most-least))))
}

func (v *trial) wait(least, most time.Duration) time.Duration {
	d := v.some(least, most)
	time.Sleep(d)
	return d
}

// moment waits a twentieth of a second to eight seconds: some steps take a second,
// others a minute.
func (v *trial) moment() time.Duration {
	d := lab.Timeout(time.Duration(math.Pow(10, -1.3+2.2*v.random.Float64()) * float64(time.Second)))
	time.Sleep(d)
	return d
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
	into := v.moment()
	v.off(t, fmt.Sprintf("step %d, %s, %.2f s after it began", at.StepNumber, at.CurrentName, into.Seconds()))
}

// beforeItsResult cuts when the step that is taken up has worked. Shortly before that
// the appliance stops to answer, so that it does not learn of it: as soon as the step
// has begun, or, for those that need the appliance themselves, has had what it needs.
func (v *trial) beforeItsResult(t *testing.T) {
	t.Helper()
	before := v.look(t)
	log := func(text string) int { return strings.Count(v.slipway(t, "", "deployment", "log", before.ID), text) }
	begun := func() bool {
		d := v.look(t)
		return d.Status.Final() || d.Epoch > v.epoch && d.Kept >= 2
	}
	entries, installed := log(" entries, "), log("Setting up slipway-lab")
	switch name := before.CurrentName; {
	case name == "Format disk" && !v.formatted(): // it needs its tools from the appliance first
		until(t, 5*time.Minute, func() bool { return v.formatted() || v.look(t).StepNumber > before.StepNumber })
	case name == "Apply operating system":
		until(t, 10*time.Minute, func() bool { return log(" entries, ") > entries || v.look(t).StepNumber > before.StepNumber })
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
	must(t, v.appliance.Signal(syscall.SIGSTOP))
	must(t, v.m.QMP.Run(t.Context(), "cont", nil, nil))
	silent := v.wait(2*time.Second, 12*time.Second)
	v.off(t, fmt.Sprintf("step %d, %s, while the appliance did not answer for %.1f s", at.StepNumber, at.CurrentName, silent.Seconds()))
	must(t, v.appliance.Signal(syscall.SIGCONT))
}

// slowly lets the machine run for moments only until something holds, and leaves it
// stopped: nothing else has happened there since.
func (v *trial) slowly(t *testing.T, ok func() bool) {
	t.Helper()
	until(t, 5*time.Minute, func() bool {
		must(t, v.m.QMP.Run(t.Context(), "cont", nil, nil))
		time.Sleep(25 * time.Millisecond)
		must(t, v.m.QMP.Run(t.Context(), "stop", nil, nil))
		return ok()
	})
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
	if v.random.IntN(2) == 0 {
		t.Log("reset: " + when)
		v.m.Console.Skip()
		must(t, v.m.Reset(t.Context()))
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
	v.epoch = before.Epoch
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
	shown := decode[struct{ Results []fleet.StepResult }](t, v.slipway(t, "", "deployment", "show", v.look(t).ID, "--json"))
	if i := slices.IndexFunc(shown.Results, func(r fleet.StepResult) bool { return r.Status != "succeeded" }); i >= 0 || len(shown.Results) == 0 {
		t.Errorf("results: %+v", shown.Results)
	}
	inRoot(t, v.disk, false, func(root string) {
		run(t, "grep", "-qx", "pc-lab", filepath.Join(root, "etc/hostname"))
		run(t, "test", "-e", filepath.Join(root, "usr/share/slipway-lab/installed"))
		noAgent(t, root)
		system, err := lab.DebianRoot(filepath.Join(lab.Root(), ".cache", "lab"))
		must(t, err)
		sameFiles(t, system, root)
	})
}
