package bootpolicy

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/appliance/internal/devices"
	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/netboot"
)

// imageList is Images with what a test wants built.
type imageList map[string]fleet.BootImage

func (l imageList) Current(arch string) (fleet.BootImage, bool) { i, ok := l[arch]; return i, ok }

func (l imageList) CurrentWinPE(arch string) (fleet.BootImage, bool) {
	i, ok := l["winpe "+arch]
	return i, ok
}

const imageID = "0123456789abcdef0123456789abcdef"

// bench is a policy over a real store, with a clock that the test moves.
type bench struct {
	t       *testing.T
	store   *state.Store
	devices *devices.Service
	policy  *Policy
	images  imageList
	now     time.Time
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, now: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC), images: imageList{"x64": {
		ID: imageID, Kind: "linux", Architecture: "x64", Files: []fleet.ImageFile{{Name: "initrd.zst"}, {Name: "vmlinuz"}, {Name: "vmlinuz.fast"}},
	}}}
	store, err := state.Open(t.Context(), state.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	clock := func() time.Time { return b.now }
	b.store = store
	b.devices = devices.New(devices.Options{Store: store, Now: clock})
	b.policy = New(Options{Store: store, Devices: b.devices, Images: b.images, Installation: "abcdefgh", HTTPSPort: 8443, Now: clock})
	return b
}

func client() netboot.Client {
	return netboot.Client{
		MAC: net.HardwareAddr{0x52, 0x54, 0, 0, 0, 1}, UUID: "7a5e0d10-1c2d-4e3f-8a4b-5c6d7e8f9a0b",
		Arch: "x64", Firmware: netboot.UEFI, Server: netip.MustParseAddr("10.77.0.2"), Address: netip.MustParseAddr("10.77.0.150"),
	}
}

// target is what an answer comes to: image, disk, silent or message.
func (b *bench) target(ask func(context.Context, netboot.Client) (*netboot.Boot, error)) string {
	b.t.Helper()
	boot, err := ask(b.t.Context(), client())
	switch {
	case err != nil:
		b.t.Fatal(err)
	case boot == nil:
		return "silent"
	case boot.Message != "":
		return "message"
	}
	return string(boot.Target)
}

func (b *bench) expect(when, peek, decide string) {
	b.t.Helper()
	if got := b.target(b.policy.Peek); got != peek {
		b.t.Errorf("%s: Peek says %s, want %s", when, got, peek)
	}
	if got := b.target(b.policy.Decide); got != decide {
		b.t.Errorf("%s: Decide says %s, want %s", when, got, decide)
	}
}

func (b *bench) setBoot(target fleet.BootTarget, once bool) {
	b.t.Helper()
	if err := b.devices.SetBoot(b.t.Context(), "52:54:00:00:00:01", target, once); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) device() fleet.Device {
	b.t.Helper()
	d, err := b.devices.Get(b.t.Context(), "52:54:00:00:00:01")
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}

// deployment puts the device's deployment into a state, as the engine does.
func (b *bench) deployment(status fleet.DeploymentStatus, waits fleet.BootTarget) {
	b.t.Helper()
	err := b.store.Update(b.t.Context(), func(tx *state.Tx) error {
		d, err := tx.Devices().Get(b.device().ID)
		if err != nil {
			return err
		}
		d.Deployment = "dep1"
		if err := tx.Devices().Put(d); err != nil {
			return err
		}
		return tx.Deployments().Put(fleet.Deployment{ID: "dep1", DeviceID: d.ID, Status: status, WaitsFor: waits})
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// After a power loss in the installed system a deployment goes on there: with the
// network card first in the boot order the device would start the boot image else.
func TestADeploymentInItsInstalledSystemStartsFromTheDisk(t *testing.T) {
	b := newBench(t)
	b.expect("new", "image", "image")
	b.deployment(fleet.DeploymentRunning, "")
	b.expect("in the boot image", "image", "image")
	in := func(environment string, status fleet.DeploymentStatus) {
		t.Helper()
		err := b.store.Update(t.Context(), func(tx *state.Tx) error {
			d, err := tx.Deployments().Get("dep1")
			d.Environment, d.Status = environment, status
			return errors.Join(err, tx.Deployments().Put(d))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	in("fullos", fleet.DeploymentRunning)
	b.expect("in the installed system", "disk", "disk")
	b.setBoot(fleet.BootImageTarget, true) // an administrator's one-time answer wins
	b.expect("once", "image", "image")
	b.setBoot(fleet.BootSilent, false)
	b.expect("always silent", "silent", "silent")
	b.setBoot(fleet.BootImageTarget, false)
	in("fullos", fleet.DeploymentSucceeded)
	b.expect("afterwards", "image", "image")
}

// The agent waits for a slow disk where the state of an unfinished deployment is on one,
// and only there.
func TestAnUnfinishedDeploymentsDiskIsWaitedFor(t *testing.T) {
	b := newBench(t)
	b.expect("new", "image", "image")
	b.deployment(fleet.DeploymentRunning, "")
	told := func(what string, want bool) {
		t.Helper()
		boot, err := b.policy.Decide(t.Context(), client())
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(boot.Cmdline, "slipway.resume=disk") != want {
			t.Errorf("%s: told %v: %q", what, !want, boot.Cmdline)
		}
	}
	with := func(status fleet.DeploymentStatus, vars ...fleet.VariableRecord) {
		t.Helper()
		err := b.store.Update(t.Context(), func(tx *state.Tx) error {
			d, err := tx.Deployments().Get("dep1")
			d.Status, d.Variables = status, vars
			return errors.Join(err, tx.Deployments().Put(d))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	told("before there is a file system", false)
	with(fleet.DeploymentRunning, fleet.VariableRecord{Name: "_TargetLayout", Value: json.RawMessage(`""`)})
	told("the disk could not be formatted", false)
	with(fleet.DeploymentRunning, fleet.VariableRecord{Name: "_TargetLayout", Value: json.RawMessage(`"{}"`)})
	told("on the disk", true)
	with(fleet.DeploymentRunning, fleet.VariableRecord{Name: "_targetlayout", Sealed: []byte("x")})
	told("on the disk, sealed", true)
	with(fleet.DeploymentSucceeded, fleet.VariableRecord{Name: "_TargetLayout", Value: json.RawMessage(`"{}"`)})
	told("afterwards", false)
}

func TestUnknownDeviceGetsTheImage(t *testing.T) {
	b := newBench(t)
	if got := b.target(b.policy.Peek); got != "image" {
		t.Errorf("Peek says %s", got)
	}
	if list, _ := b.devices.List(t.Context()); len(list) != 0 {
		t.Errorf("a DISCOVER made a device: %+v", list)
	}
	boot, err := b.policy.Decide(t.Context(), client())
	if err != nil {
		t.Fatal(err)
	}
	want := "slipway.server=10.77.0.2:8443 slipway.installation=abcdefgh slipway.image=" + imageID +
		" slipway.lease=${ip} BOOTIF=01-${netX/mac:hexhyp} console=tty0 console=ttyS0,115200n8 panic=30 quiet loglevel=3 cryptomgr.notests"
	if got := strings.Join(boot.Cmdline, " "); got != want {
		t.Errorf("command line\n%s\nwant\n%s", got, want)
	}
	if boot.Kernel != imageID+"/vmlinuz" || boot.FastKernel != imageID+"/vmlinuz.fast" || len(boot.Initrds) != 1 || boot.Initrds[0] != imageID+"/initrd.zst" {
		t.Errorf("files %q %q", boot.Kernel, boot.Initrds)
	}
	d := b.device()
	if d.ImageID != imageID || d.Address != "10.77.0.150" || d.Firmware != "uefi" || d.UUID != client().UUID {
		t.Errorf("recorded %+v", d)
	}
}

func TestAdvertisedAddressWins(t *testing.T) {
	b := newBench(t)
	b.policy.o.Advertise = netip.MustParseAddr("192.0.2.9")
	boot, err := b.policy.Decide(t.Context(), client())
	if err != nil || boot.Cmdline[0] != "slipway.server=192.0.2.9:8443" {
		t.Errorf("%+v, %v", boot, err)
	}
}

func TestNoImageIsSaid(t *testing.T) {
	b := newBench(t)
	delete(b.images, "x64")
	b.expect("nothing built", "message", "message")
}

func TestAlways(t *testing.T) {
	b := newBench(t)
	b.expect("new", "image", "image")
	for _, want := range []fleet.BootTarget{fleet.BootDisk, fleet.BootSilent, fleet.BootImageTarget} {
		b.setBoot(want, false)
		b.expect("always "+string(want), string(want), string(want))
		b.expect("again", string(want), string(want))
	}
}

// A one-time answer is given to one boot attempt, however often its loader asks,
// and only Decide consumes it.
func TestOnce(t *testing.T) {
	b := newBench(t)
	b.expect("new", "image", "image")
	b.setBoot(fleet.BootDisk, false)
	b.setBoot(fleet.BootImageTarget, true)
	for range 5 {
		if got := b.target(b.policy.Peek); got != "image" || b.device().Boot.Next != "image" {
			t.Fatalf("Peek says %s, next is %q", got, b.device().Boot.Next)
		}
	}
	b.expect("first request", "image", "image")
	if b.device().Boot.Next != "" {
		t.Error("Decide did not consume the one-time answer")
	}
	b.now = b.now.Add(5 * time.Second)
	b.expect("the same attempt", "image", "image")
	b.now = b.now.Add(attemptWindow)
	b.expect("next boot", "disk", "disk")
}

// A one-time answer for which there is no image yet is kept: the machine shows what is
// missing and asks again until there is one.
func TestOnceWithoutAnImageIsKept(t *testing.T) {
	b := newBench(t)
	if _, err := b.policy.Decide(t.Context(), client()); err != nil {
		t.Fatal(err)
	}
	b.setBoot(fleet.BootDisk, false)
	b.setBoot(fleet.BootWinPE, true)
	for range 4 {
		boot, err := b.policy.Decide(t.Context(), client())
		if err != nil || !strings.Contains(boot.Message, "no Windows PE image") {
			t.Fatalf("%+v, %v", boot, err)
		}
		b.now = b.now.Add(attemptWindow)
	}
	b.images["winpe x64"] = fleet.BootImage{ID: "fedc", Kind: "winpe", Architecture: "x64", Files: []fleet.ImageFile{{Name: "boot.wim"}, {Name: "bootmgfw.efi"}}}
	boot, err := b.policy.Decide(t.Context(), client())
	if err != nil || boot.Windows == nil || b.device().Boot.Next != "" {
		t.Errorf("once it is built: %+v, %v", boot, err)
	}
}

// A new order within the window counts at once.
func TestOnceThenChangedMind(t *testing.T) {
	b := newBench(t)
	b.expect("new", "image", "image")
	b.setBoot(fleet.BootDisk, true)
	b.expect("once", "disk", "disk")
	b.setBoot(fleet.BootImageTarget, true)
	b.expect("once more", "image", "image")
	b.setBoot(fleet.BootSilent, false)
	b.expect("always", "silent", "silent")
}

// The agent's sign-in ends the boot attempt: a quick deployment must not be
// followed by the image again.
func TestOnceEndsWithSignIn(t *testing.T) {
	b := newBench(t)
	b.expect("new", "image", "image")
	b.setBoot(fleet.BootDisk, false)
	b.setBoot(fleet.BootImageTarget, true)
	b.expect("once", "image", "image")
	b.now = b.now.Add(2 * time.Second)
	id := b.device().ID
	err := b.store.Update(t.Context(), func(tx *state.Tx) error {
		return tx.Tokens().Put(fleet.Token{Hash: "h", ID: "t", Kind: fleet.TokenDevice, DeviceID: id, CreatedAt: b.now, ExpiresAt: b.now.Add(time.Hour)})
	})
	if err != nil {
		t.Fatal(err)
	}
	b.expect("after the sign-in", "disk", "disk")
}

// One-time silence has no script request that could consume it.
func TestOnceSilent(t *testing.T) {
	b := newBench(t)
	b.expect("new", "image", "image")
	b.setBoot(fleet.BootSilent, true)
	if got := b.target(b.policy.Peek); got != "silent" {
		t.Fatalf("Peek says %s", got)
	}
	b.now = b.now.Add(32 * time.Second)
	b.expect("EDK2's last DISCOVER", "silent", "silent")
	b.now = b.now.Add(silenceWindow)
	b.expect("next boot", "image", "image")
}

// While a deployment waits, nothing else counts; afterwards the policy does.
func TestDeploymentWaits(t *testing.T) {
	b := newBench(t)
	b.expect("new", "image", "image")
	b.setBoot(fleet.BootSilent, false)
	b.deployment(fleet.DeploymentRunning, fleet.BootDisk)
	for range 3 { // NIC first in the boot order: each restart comes by here
		b.expect("waits for the disk", "disk", "disk")
		b.now = b.now.Add(3 * time.Minute)
	}
	b.setBoot(fleet.BootImageTarget, true)
	b.expect("one-time answer while waiting", "disk", "disk")
	if b.device().Boot.Next != fleet.BootImageTarget {
		t.Error("the one-time answer was consumed by a waiting deployment")
	}
	b.setBoot("", true)
	b.deployment(fleet.DeploymentRunning, fleet.BootImageTarget)
	b.expect("waits for the image", "image", "image")
	b.deployment(fleet.DeploymentRunning, "")
	b.expect("waits for nothing", "silent", "silent")
	for _, s := range []fleet.DeploymentStatus{fleet.DeploymentSucceeded, fleet.DeploymentFailed, fleet.DeploymentCancelled} {
		b.deployment(s, fleet.BootDisk)
		b.expect("ended "+string(s), "silent", "silent")
	}
}

// A record of a deployment that is gone does not keep a machine from booting.
func TestDeploymentGone(t *testing.T) {
	b := newBench(t)
	b.expect("new", "image", "image")
	b.deployment(fleet.DeploymentRunning, fleet.BootDisk)
	if err := b.store.Update(t.Context(), func(tx *state.Tx) error { return tx.Deployments().Delete("dep1") }); err != nil {
		t.Fatal(err)
	}
	b.expect("gone", "image", "image")
}

// When nothing can be written, machines still boot.
func TestStateThatCannotBeWritten(t *testing.T) {
	b := newBench(t)
	b.expect("new", "image", "image")
	b.setBoot(fleet.BootDisk, false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // writes fail, reads do not look at it
	b.now = b.now.Add(time.Hour)
	boot, err := b.policy.Decide(ctx, client())
	if err != nil || boot == nil || boot.Target != netboot.TargetDisk {
		t.Errorf("known device: %+v, %v", boot, err)
	}
	stranger := client()
	stranger.MAC, stranger.UUID = net.HardwareAddr{0x52, 0x54, 0, 0, 0, 9}, ""
	boot, err = b.policy.Decide(ctx, stranger)
	if err != nil || boot == nil || boot.Target != netboot.TargetImage {
		t.Errorf("stranger: %+v, %v", boot, err)
	}
}

func TestBrokenImage(t *testing.T) {
	b := newBench(t)
	b.images["x64"] = fleet.BootImage{ID: imageID, Files: []fleet.ImageFile{{Name: "vmlinuz"}}}
	if boot, err := b.policy.Decide(t.Context(), client()); err == nil {
		t.Errorf("an image without initrd was served: %+v", boot)
	}
}

func TestClosedStateIsAnError(t *testing.T) {
	b := newBench(t)
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.policy.Peek(t.Context(), client()); !errors.Is(err, state.ErrClosed) {
		t.Errorf("Peek: %v", err)
	}
	if _, err := b.policy.Decide(t.Context(), client()); !errors.Is(err, state.ErrClosed) {
		t.Errorf("Decide: %v", err)
	}
}

// The way is the device's, else the appliance's; it goes with every answer.
func TestWays(t *testing.T) {
	b := newBench(t)
	image := b.images["x64"]
	image.Files = append(image.Files, fleet.ImageFile{Name: "slipway.efi"})
	b.images["x64"] = image
	b.policy.o.Way = fleet.BootByOneFile
	check := func(when string, way netboot.Way) {
		t.Helper()
		for name, ask := range map[string]func(context.Context, netboot.Client) (*netboot.Boot, error){"Peek": b.policy.Peek, "Decide": b.policy.Decide} {
			boot, err := ask(t.Context(), client())
			if err != nil || boot.Way != way || boot.Target == netboot.TargetImage && boot.OneFile != imageID+"/slipway.efi" {
				t.Errorf("%s: %s answers %+v, %v", when, name, boot, err)
			}
		}
	}
	check("unknown", netboot.WayOneFile)
	if err := b.devices.SetWay(t.Context(), b.device().ID, fleet.BootByIPXE); err != nil {
		t.Fatal(err)
	}
	check("its own way", netboot.WayIPXE)
	b.setBoot(fleet.BootDisk, false)
	check("to the disk", netboot.WayIPXE)
	if err := b.devices.SetWay(t.Context(), b.device().ID, ""); err != nil {
		t.Fatal(err)
	}
	check("back", netboot.WayOneFile)
	if err := b.devices.SetWay(t.Context(), b.device().ID, "floppy"); !errors.Is(err, devices.ErrInvalid) {
		t.Errorf("a way nobody knows: %v", err)
	}
}

// The signed copy is served in place of the file it was made of, in whatever order
// they are recorded.
func TestTheSignedCopyComesFirst(t *testing.T) {
	b := newBench(t)
	plain, signed := fleet.ImageFile{Name: "slipway.efi"}, fleet.ImageFile{Name: "slipway-signed-0123456789ab.efi"}
	for _, files := range [][]fleet.ImageFile{{plain, signed}, {signed, plain}} {
		image := b.images["x64"]
		image.Files = append([]fleet.ImageFile{{Name: "initrd.zst"}, {Name: "vmlinuz"}}, files...)
		b.images["x64"] = image
		boot, err := b.policy.Peek(t.Context(), client())
		if err != nil || boot.OneFile != imageID+"/"+signed.Name {
			t.Errorf("%v: served %q, %v", files, boot.OneFile, err)
		}
	}
}
