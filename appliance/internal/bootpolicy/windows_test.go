package bootpolicy

import (
	"errors"
	"strings"
	"testing"

	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/netboot"
)

// A deployment that began in Windows PE goes back there, also when the device was set to
// it for once, and from the installed system.
func TestADeploymentGoesBackToItsWindowsPE(t *testing.T) {
	b := newBench(t)
	b.images["winpe x64"] = fleet.BootImage{ID: "fedc", Kind: "winpe", Architecture: "x64", Files: []fleet.ImageFile{{Name: "boot.wim"}, {Name: "bootmgfw.efi"}}}
	if _, err := b.policy.Decide(t.Context(), client()); err != nil {
		t.Fatal(err)
	}
	for _, is := range []struct {
		environment, image string
		waits, always      fleet.BootTarget
		want               string
	}{
		{"winpe", "", fleet.BootImageTarget, "", "windows"},
		{"winpe", "", "", "", "windows"}, // power was lost
		{"winpe", "", "", fleet.BootDisk, "disk"},
		{"winpe", "", fleet.BootDisk, "", "disk"},
		{"fullos", "fedc", fleet.BootImageTarget, "", "windows"},
		{"fullos", imageID, fleet.BootImageTarget, "", "linux"},
		{"fullos", "gone", fleet.BootImageTarget, "", "linux"},
		{"linuxpe", imageID, fleet.BootImageTarget, fleet.BootWinPE, "linux"},
	} {
		b.deployment(fleet.DeploymentRunning, is.waits)
		if is.always != "" {
			b.setBoot(is.always, false)
		}
		err := b.store.Update(t.Context(), func(tx *state.Tx) error {
			d, err := tx.Deployments().Get("dep1")
			d.Environment, d.ImageID = is.environment, is.image
			return errors.Join(err, tx.Deployments().Put(d),
				tx.Images().Put(fleet.BootImage{ID: "fedc", Kind: "winpe"}), tx.Images().Put(fleet.BootImage{ID: imageID, Kind: "linux"}))
		})
		if err != nil {
			t.Fatal(err)
		}
		boot, err := b.policy.Decide(t.Context(), client())
		if err != nil {
			t.Fatal(err)
		}
		got := string(boot.Target)
		switch {
		case boot.Windows != nil:
			got = "windows"
		case boot.Kernel != "":
			got = "linux"
		}
		if got != is.want {
			t.Errorf("%+v: got %s", is, got)
		}
		b.setBoot(fleet.BootImageTarget, false)
	}
}

// A device on whose disk Windows PE lies is sent to its disk: also with its network card
// first it starts that one, and not the Linux image.
func TestADeviceWithWindowsPEOnItsDiskStartsFromThere(t *testing.T) {
	b := newBench(t)
	if _, err := b.policy.Decide(t.Context(), client()); err != nil {
		t.Fatal(err)
	}
	for _, staged := range []string{"", "fedc"} {
		b.deployment(fleet.DeploymentRunning, fleet.BootImageTarget)
		err := b.store.Update(t.Context(), func(tx *state.Tx) error {
			d, err := tx.Deployments().Get("dep1")
			d.Environment, d.ImageID, d.Staged = "fullos", imageID, staged
			return errors.Join(err, tx.Deployments().Put(d))
		})
		if err != nil {
			t.Fatal(err)
		}
		boot, err := b.policy.Decide(t.Context(), client())
		if err != nil || (boot.Target == netboot.TargetDisk) != (staged != "") {
			t.Errorf("staged %q: %+v, %v", staged, boot, err)
		}
	}
}

// A device set to Windows PE is told its files, and how it gets there; others get the
// Linux image.
func TestWindowsPE(t *testing.T) {
	b := newBench(t)
	if _, err := b.policy.Decide(t.Context(), client()); err != nil {
		t.Fatal(err)
	}
	device := client().UUID
	if err := b.devices.SetBoot(t.Context(), device, fleet.BootWinPE, true); err != nil {
		t.Fatal(err)
	}
	boot, err := b.policy.Peek(t.Context(), client())
	if err != nil || !strings.Contains(boot.Message, "no Windows PE image for x64") {
		t.Fatalf("%+v, %v", boot, err)
	}
	const id = "fedcba98765432100123456789abcdef"
	b.images["winpe x64"] = fleet.BootImage{ID: id, Kind: "winpe", Architecture: "x64", Files: []fleet.ImageFile{{Name: "boot.wim"}, {Name: "bootmgfw.efi"}, {Name: "pxeboot.n12"}, {Name: "bootmgr.exe"}}}
	if boot, err = b.policy.Peek(t.Context(), client()); err != nil || boot.Windows == nil || boot.Windows.Image != id || !boot.Windows.BIOS || boot.Windows.ByIPXE || boot.Kernel != "" {
		t.Fatalf("%+v, %v", boot, err)
	}
	if err := b.devices.SetWay(t.Context(), device, fleet.BootByIPXE); err != nil {
		t.Fatal(err)
	}
	if boot, err = b.policy.Decide(t.Context(), client()); err != nil || boot.Windows == nil || !boot.Windows.ByIPXE {
		t.Fatalf("%+v, %v", boot, err)
	}
	d, known, err := b.devices.Find(claim(client()))
	if err != nil || !known || d.ImageID != id || d.Boot.Next != "" {
		t.Errorf("recorded %+v, %v, %v", d, known, err)
	}
	b.images["winpe x64"] = fleet.BootImage{ID: id, Files: []fleet.ImageFile{{Name: "boot.wim"}}}
	if err := b.devices.SetBoot(t.Context(), device, fleet.BootWinPE, false); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(24 * 3600e9)
	if boot, err := b.policy.Peek(t.Context(), client()); err == nil {
		t.Errorf("an image without boot manager: %+v", boot)
	}
}
