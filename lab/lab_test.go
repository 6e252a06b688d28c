package lab

import (
	"bytes"
	"fmt"
	"image/color"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestOnlyNamesOfDeadLabsAreOrphaned(t *testing.T) {
	own, err := ownName()
	if err != nil {
		t.Fatal(err)
	}
	// A child that has ended stands for a lab that was killed.
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	start, err := startTime(child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("%s-%d-%d-123-lan", namePrefix, child.Process.Pid, start)
	if orphaned(name) {
		t.Error("a living lab was taken for dead")
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	if !orphaned(name) {
		t.Error("a dead lab was taken for living")
	}
	reused := fmt.Sprintf("%s-%d-%d-123-lan", namePrefix, os.Getpid(), 1)
	if !orphaned(reused) {
		t.Error("a process id in use by somebody else kept a dead lab")
	}
	for _, n := range []string{own + "-1-lan", "somebody", "slwlab-x-y-z", "docker-1-2-3", ""} {
		if orphaned(n) {
			t.Errorf("%q was taken for an orphan", n)
		}
	}
}

func TestTimeoutIsOnlyStretched(t *testing.T) {
	for factor, want := range map[string]time.Duration{"": time.Second, "2.5": 2500 * time.Millisecond, "0.1": time.Second, "x": time.Second} {
		t.Setenv(TimeFactor, factor)
		if got := Timeout(time.Second); got != want {
			t.Errorf("factor %q: %v", factor, got)
		}
	}
}

func TestDecodePPM(t *testing.T) {
	img, err := decodePPM(strings.NewReader("P6\n2 1\n255\n\x01\x02\x03\xff\x00\x00"))
	if err != nil {
		t.Fatal(err)
	}
	if got := img.At(1, 0); got != (color.RGBA{255, 0, 0, 255}) || img.Bounds().Dx() != 2 {
		t.Errorf("%v", got)
	}
	for _, bad := range []string{"", "P5\n1 1\n255\nx", "P6\n2 2\n255\nxx", "P6\n-1 2\n255\n", "P6\n1 1\n65535\nxxxxxx"} {
		if _, err := decodePPM(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was taken for a picture", bad)
		}
	}
}

// cpio(1) reads what we write.
func TestArchiveIsCpio(t *testing.T) {
	a := archive{}
	a.add("bin/deep/tool", modeExec, []byte("12345"))
	a.add("init", modeExec, []byte("x"))
	var b bytes.Buffer
	if err := a.write(&b); err != nil {
		t.Fatal(err)
	}
	list := exec.Command("cpio", "-t", "--quiet")
	list.Stdin = &b
	out, err := list.CombinedOutput()
	if err != nil || string(out) != "bin\nbin/deep\nbin/deep/tool\ninit\n" {
		t.Errorf("%v: %q", err, out)
	}
}

func TestEveryPasscodeCharacterHasAKey(t *testing.T) {
	for _, c := range Passcode {
		if _, ok := keyFor(c); !ok {
			t.Errorf("no key for %q", c)
		}
	}
}

func TestTextOfCells(t *testing.T) {
	cells := []byte("S\x07l\x07 \x07 \x07" + "\xb3\x07x\x07\x00\x07\xdb\x07" + " \x07 \x07 \x07 \x07")
	if got := textOfCells(cells, 4); got != "Sl\n x" {
		t.Errorf("got %q", got)
	}
}

func TestNetworkCardsOfAMachine(t *testing.T) {
	one := MachineConfig{Firmware: BIOS}
	two, none, media := one, one, one
	const second = "52:54:00:77:00:02"
	two.MAC2, none.NIC, media.USB, media.MAC2 = second, NoNIC, "stick.img", second
	for _, c := range []struct {
		config MachineConfig
		want   string
	}{
		{one, "net0,mac=52:54:00:77:00:01,bootindex=1"},
		{two, "net0,mac=52:54:00:77:00:01,bootindex=1 net1,mac=52:54:00:77:00:02,bootindex=101"},
		{none, ""},
		{media, "net0,mac=52:54:00:77:00:01,bootindex=100 net1,mac=52:54:00:77:00:02,bootindex=200"},
	} {
		var got []string
		for _, a := range c.config.Defaults().nics([]string{"tap1", "tap2"}) {
			if device, ok := strings.CutPrefix(a, "virtio-net-pci,netdev="); ok {
				got = append(got, device)
			}
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%+v: %q", c.config, text)
		}
	}
}
