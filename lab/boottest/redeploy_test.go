//go:build lab

package boottest

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
	"slipway/lab"
	ts "slipway/tasksequence"
)

// A machine gets a raw disk image and starts from it. On the running system somebody
// starts the agent, which sends the machine into the boot image, where its disk is
// deployed anew, built, and captured. A second machine with an empty disk and the
// other firmware is deployed with the capture.
func TestRedeployAndCapture(t *testing.T) {
	if !soaking() {
		t.Skip("a quarter of an hour, by `make soak`; TestDeployLinux is the short form")
	}
	t.Parallel()
	for _, r := range []redeployment{{first: lab.UEFI, second: lab.BIOS, kind: "qcow2"}, {first: lab.BIOS, second: lab.UEFI, kind: "raw"}} {
		t.Run(fmt.Sprintf("%s-%s", r.first, r.second), func(t *testing.T) {
			r.scene = newScene(t, "", nil)
			r.prepare(t)
			for _, stage := range []struct {
				name string
				do   func(*testing.T)
			}{{"raw image", r.rawImage}, {"from the installed system", r.fromInstalled}, {"build and capture", r.capture}, {"second machine", r.secondMachine}} {
				started := time.Now()
				stage.do(t)
				t.Logf("BOOT redeploy-%s, %s: %.0f s", r.first, stage.name, time.Since(started).Seconds())
			}
		})
	}
}

type redeployment struct {
	first, second lab.Firmware
	kind          string // of the disk image, as qemu-img calls it

	*scene
	system   string // the root file system that is deployed, a file
	original string // its content item
	captured string // content item of the capture
	tool     string // content item of an application
	image    string // content item of the disk image
	raw      string // sequences
	build    string
	disk     string // of the first machine
	machine  *lab.Machine
	built    string // the machine id of the system that is captured
}

// fromTemplate makes a sequence of a template, lets change it and makes it active.
func (s *scene) fromTemplate(t *testing.T, template, system string, change func(*ts.Sequence)) string {
	t.Helper()
	made := decode[struct{ ID string }](t, s.slipway(t, "", "sequence", "create", "--template", template,
		"--content", "apply-operating-system.OperatingSystem="+system, "--json"))
	sequence := decode[ts.Sequence](t, s.slipway(t, "", "sequence", "export", made.ID))
	sequence.Status = ts.Active
	change(&sequence)
	text, err := json.Marshal(sequence)
	must(t, err)
	file := s.run.Path(template + ".json")
	must(t, os.WriteFile(file, text, 0o644))
	s.slipway(t, "", "sequence", "import", file)
	return made.ID
}

func command(id, line string) ts.Node {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err) // texts have a JSON form
	}
	return ts.Node{ID: id, Name: id, Definition: "run-command-line", Settings: map[string]json.RawMessage{"Command": text}}
}

// prepare adds the content and the sequences. The disk image has the agent and its
// configuration in it, as whoever rolls the agent out puts them onto machines.
func (r *redeployment) prepare(t *testing.T) {
	cache := filepath.Join(lab.Root(), ".cache", "lab")
	var err error
	r.system, err = lab.DebianRoot(cache)
	must(t, err)
	r.original = r.addContent(t, "Debian 12", "operatingsystem", r.system)
	r.tool = r.addContent(t, "Lab application", "application", labPackage(t))
	r.build = r.fromTemplate(t, "linux-build-and-capture", r.original, func(s *ts.Sequence) {
		s.Variables = map[string]ts.Value{"FinishAction": {Text: "shutdown"}, "Applications": {List: []string{"Lab application"}}}
		s.Steps = append([]ts.Node{{ID: "leave", Name: "Leave the old system", Definition: ts.Reboot}}, s.Steps...)
		inNew := &s.Steps[2]
		inNew.Steps = append([]ts.Node{command("look", `echo "BUILDING $(cat /etc/machine-id)" > /dev/ttyS0`)}, inNew.Steps...)
		s.Steps[3].Steps[0].Settings = map[string]json.RawMessage{"Name": json.RawMessage(`"Lab reference"`)}
	})

	cached, err := lab.RawImage(cache)
	must(t, err)
	image := r.run.Path("vendor.img")
	must(t, exec.Command("cp", "--reflink=auto", "--sparse=always", cached, image).Run())
	config := r.slipway(t, "", "agent-config", "--set", "TSID="+r.build, "--set", "Passcode="+lab.Passcode)
	inRoot(t, image, true, func(root string) {
		run(t, "cp", filepath.Join(lab.Root(), "bin", "slipway-agent"), filepath.Join(root, "usr/local/bin"))
		must(t, os.Mkdir(filepath.Join(root, "etc/slipway"), 0o700))
		must(t, os.WriteFile(filepath.Join(root, "etc/slipway/agent.json"), []byte(config), 0o600))
	})
	if r.kind != "raw" {
		run(t, "qemu-img", "convert", "-f", "raw", "-O", r.kind, image, r.run.Path("vendor."+r.kind))
		image = r.run.Path("vendor." + r.kind)
	}
	r.image = r.addContent(t, "Vendor's image", "operatingsystem", image)
	must(t, os.Remove(image))
	r.raw = r.fromTemplate(t, "linux-bare-metal", r.image, func(s *ts.Sequence) {
		s.Variables = map[string]ts.Value{"FinishAction": {Text: "none"}, "ComputerName": {Text: "raw-pc"}}
		inNew := &s.Steps[1]
		inNew.Steps = append(inNew.Steps, command("look", `echo "RAW $(hostname) $(df --output=size -BM / | tail -n 1)" > /dev/ttyS0`))
	})
}

// rawImage deploys the disk image by the template Linux bare metal. The firmware has
// no boot entry for it; the file system grows to the disk's end.
func (r *redeployment) rawImage(t *testing.T) {
	r.disk = emptyDisk(t, r.scene, "first.img", 4)
	r.machine = r.begin(t, lab.MachineConfig{Name: "first", Firmware: r.first, NoIPv6: true, Disks: []lab.Disk{{Path: r.disk}}}, r.raw)
	var megabytes int
	if _, err := fmt.Sscanf(expect(t, r.machine, 10*time.Minute, `RAW raw-pc +\d+M`), "RAW raw-pc %dM", &megabytes); err != nil || megabytes < 3700 {
		t.Errorf("the root file system has %d MiB of a disk of 4 GiB, %v", megabytes, err)
	}
	r.succeedsIn(t, r.machine, r.raw, 2*time.Minute)
}

// fromInstalled starts the agent in the running system, as root at its console. From
// then on nobody is asked. What the device boots otherwise is its disk.
func (r *redeployment) fromInstalled(t *testing.T) {
	r.slipway(t, "", "device", "boot", r.deviceOf(t, r.machine).ID, "disk")
	must(t, r.machine.Console.Type("\r"))
	expect(t, r.machine, time.Minute, "raw-pc login: ")
	must(t, r.machine.Console.Type("root\r"))
	expect(t, r.machine, time.Minute, "root@raw-pc:.*# ")
	must(t, r.machine.Console.Type("slipway-agent start --config /etc/slipway/agent.json </dev/null; echo \"agent: exit code $?\"\r"))
	if got := expect(t, r.machine, 2*time.Minute, `agent: exit code \d+`); got != "agent: exit code 4" {
		t.Fatalf("%s; the console:\n%s", got, r.machine.Console.Text())
	}
	if got := expect(t, r.machine, 5*time.Minute, `Passcode|Step 2 of \d+`); got == "Passcode" {
		t.Fatalf("somebody is asked to sign in; the console:\n%s", r.machine.Console.Text())
	}
}

// capture waits until the machine has deployed its disk anew, built and captured.
func (r *redeployment) capture(t *testing.T) {
	r.built = strings.TrimPrefix(expect(t, r.machine, 10*time.Minute, "BUILDING [0-9a-f]{32}"), "BUILDING ")
	r.succeedsIn(t, r.machine, r.build, 10*time.Minute)
	switchedOff(t, r.machine)
	inRoot(t, r.disk, false, func(root string) {
		if id, err := os.ReadFile(filepath.Join(root, "etc/machine-id")); err != nil || len(id) > 0 {
			t.Errorf("the captured system keeps its machine id: %q, %v", id, err)
		}
		if _, err := os.Stat(filepath.Join(root, "etc/slipway")); err == nil {
			t.Error("the disk was not formatted: the old system is there")
		}
		noAgent(t, root)
	})
	items := decode[struct{ Items []fleet.ContentItem }](t, r.slipway(t, "", "content", "list", "--json")).Items
	for _, item := range items {
		if item.Name == "Lab reference" {
			r.captured = item.ID
		}
	}
	r.slipway(t, "", "content", "status", "Lab reference:1", "active")
}

// secondMachine deploys the capture to an empty disk. The appliance is killed once
// while the image streams.
func (r *redeployment) secondMachine(t *testing.T) {
	file := r.run.Path("second.json")
	must(t, os.WriteFile(file, []byte(deployed(r.captured, r.tool)), 0o644))
	r.slipway(t, "", "sequence", "import", file)
	disk := emptyDisk(t, r.scene, "second.img", 6)
	m := r.begin(t, lab.MachineConfig{Name: "second", Firmware: r.second, NoIPv6: true, MAC: "52:54:00:77:00:02", Disks: []lab.Disk{{Path: disk}}}, deploySequence)
	expect(t, m, 5*time.Minute, `Step 2 of \d+`)
	wait := time.Duration(seeded(t).Int64N(int64(lab.Timeout(6 * time.Second))))
	t.Logf("the appliance is killed %.1f s into the step", wait.Seconds())
	time.Sleep(wait)
	r.appliance.Kill()
	must(t, r.appliance.Restart(t.Context()))
	expect(t, m, 15*time.Minute, "DEPLOYED pc-"+m.Serial)
	r.succeedsIn(t, m, deploySequence, 2*time.Minute)
	switchedOff(t, m)
	lookAtDisk(t, disk, m)
	inRoot(t, disk, false, func(root string) {
		id, err := os.ReadFile(filepath.Join(root, "etc/machine-id"))
		if must(t, err); !regexp.MustCompile(`^[0-9a-f]{32}\n$`).Match(id) || strings.TrimSpace(string(id)) == r.built {
			t.Errorf("machine id %q, that of the captured machine was %q", id, r.built)
		}
		sameFiles(t, r.system, root)
	})
}

// sameFiles holds that the programs and the kernel of a root file system (tar.zst) are
// unchanged below root, all but files that were made anew: those with these beginnings.
func sameFiles(t *testing.T, system, root string, remade ...string) {
	t.Helper()
	unpack := exec.CommandContext(t.Context(), "zstd", "-dcq", system)
	out, err := unpack.StdoutPipe()
	must(t, err)
	must(t, unpack.Start())
	compared := 0
	for r := tar.NewReader(bufio.NewReaderSize(out, 1<<20)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		name := path.Clean(h.Name)
		if h.Typeflag != tar.TypeReg || !strings.HasPrefix(name, "usr/") && !strings.HasPrefix(name, "boot/") || strings.HasPrefix(name, "usr/lib/locale/") ||
			slices.ContainsFunc(remade, func(p string) bool { return strings.HasPrefix(name, p) }) {
			continue
		}
		want, got := sha256.New(), sha256.New()
		_, err = io.Copy(want, r)
		must(t, err)
		f, err := os.Open(filepath.Join(root, name))
		if err != nil {
			t.Errorf("missing: %v", err)
			continue
		}
		_, err = io.Copy(got, f)
		must(t, errors.Join(err, f.Close()))
		if string(want.Sum(nil)) != string(got.Sum(nil)) {
			t.Errorf("%s has another content", name)
		}
		compared++
	}
	must(t, unpack.Wait())
	if compared < 1000 {
		t.Errorf("only %d files compared", compared)
	}
	t.Logf("%d files below /usr and /boot have the content of the image", compared)
}
