// Package bootpolicy decides what a device boots when it asks the network: the
// boot image, its own disk, or nothing. It implements netboot.Policy over the
// records of devices and deployments.
//
// In this order: while a deployment waits for the disk or the image, the device
// gets that; then a one-time answer; then what is set for always; then the
// default, the boot image. A machine that is not known gets the default.
package bootpolicy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway/appliance/internal/devices"
	"slipway/appliance/internal/state"
	"slipway/bootimages"
	"slipway/fleet"
	"slipway/netboot"
	"slipway/tasksequence"
)

// Images tells the boot image that an architecture gets. Package imaging
// implements it.
type Images interface {
	Current(arch string) (fleet.BootImage, bool)
	CurrentWinPE(arch string) (fleet.BootImage, bool)
}

// Options of a Policy. Store, Devices and Images must be set.
type Options struct {
	Store        *state.Store
	Devices      *devices.Service
	Images       Images
	Installation string        // id, told to the agent
	Advertise    netip.Addr    // address that devices reach; unset: the one the client reached
	HTTPSPort    uint16        // of the API, as devices reach it
	Way          fleet.BootWay // for devices without a way of their own; empty: iPXE
	Logger       *slog.Logger
	Now          func() time.Time
}

// Policy implements netboot.Policy. It is safe for concurrent use.
type Policy struct {
	o      Options
	recent *recent
}

// New returns the policy.
func New(o Options) *Policy {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Policy{o: o, recent: newRecent(o.Now)}
}

var _ netboot.Policy = (*Policy)(nil)

// Peek implements netboot.Policy. It writes nothing, save that a one-time
// silence is consumed by being kept: no script request ever follows one.
func (p *Policy) Peek(ctx context.Context, c netboot.Client) (*netboot.Boot, error) {
	d, known, err := p.o.Devices.Find(claim(c))
	if err != nil {
		return nil, fmt.Errorf("find device: %w", err)
	}
	if !known {
		return p.boot(ctx, c, fleet.Device{}, choice{target: fleet.BootImageTarget})
	}
	ch, err := p.choose(d)
	if err != nil {
		return nil, err
	}
	if ch.once && ch.target == fleet.BootSilent {
		p.consume(ctx, d, ch.target)
	}
	return p.boot(ctx, c, fleet.Device{Boot: d.Boot}, ch)
}

// Decide implements netboot.Policy. The device is recorded, and a served one-time
// answer consumed. A full disk or too many strangers keep a machine from being
// recorded, not from booting.
func (p *Policy) Decide(ctx context.Context, c netboot.Client) (*netboot.Boot, error) {
	d, err := p.o.Devices.Resolve(ctx, claim(c), devices.Seen{Addr: c.Address, Arch: c.Arch, Firmware: string(c.Firmware)})
	if err != nil {
		p.o.Logger.WarnContext(ctx, "device not recorded", "mac", c.MAC.String(), "uuid", c.UUID, "err", err)
		known := false
		if d, known, err = p.o.Devices.Find(claim(c)); err != nil {
			return nil, fmt.Errorf("find device: %w", err)
		}
		if !known {
			return p.boot(ctx, c, fleet.Device{}, choice{target: fleet.BootImageTarget})
		}
	}
	ch, err := p.choose(d)
	if err != nil {
		return nil, err
	}
	b, err := p.boot(ctx, c, d, ch)
	if served := err == nil && (b == nil || b.Message == ""); ch.once && served { // a message is not what it was to boot
		p.consume(ctx, d, ch.target)
	}
	return b, err
}

func claim(c netboot.Client) fleet.Claim {
	return fleet.Claim{UUID: c.UUID, MACs: []string{c.MAC.String()}, Serial: c.Serial, Manufacturer: c.Manufacturer, Model: c.Model}
}

// choice is a target and what belongs to it.
type choice struct {
	target fleet.BootTarget
	once   bool // a one-time answer that is still to be consumed
	resume bool // the unfinished deployment keeps its state on a disk
}

// choose says what a known device boots.
func (p *Policy) choose(d fleet.Device) (choice, error) {
	deployment, windows, err := p.unfinished(d)
	if err != nil {
		return choice{}, err
	}
	ch, err := p.chooseFor(d, deployment, windows)
	ch.resume = hasTarget(deployment)
	return ch, err
}

// hasTarget reports whether a deployment has made the file systems of its target, where
// its state is from then on.
func hasTarget(d fleet.Deployment) bool {
	return slices.ContainsFunc(d.Variables, func(v fleet.VariableRecord) bool {
		return strings.EqualFold(v.Name, tasksequence.VariableTargetLayout) && (len(v.Sealed) > 0 || len(v.Value) > len(`""`))
	})
}

func (p *Policy) chooseFor(d fleet.Device, deployment fleet.Deployment, windows bool) (choice, error) {
	switch {
	case deployment.WaitsFor == fleet.BootImageTarget && deployment.Staged != "":
		return choice{target: fleet.BootDisk}, nil // its own boot manager starts the image
	case deployment.WaitsFor == fleet.BootImageTarget && windows:
		return choice{target: fleet.BootWinPE}, nil
	case deployment.WaitsFor != "":
		return choice{target: deployment.WaitsFor}, nil
	}
	if d.Boot.Next != "" {
		return choice{target: d.Boot.Next, once: true}, nil
	}
	if a, ok := p.recent.get(d); ok {
		over, err := p.signedInSince(d, a.at)
		if err != nil {
			return choice{}, err
		}
		if !over {
			return choice{target: a.target}, nil // the same boot attempt asks again
		}
	}
	if d.Boot.Always == fleet.BootSilent {
		return choice{target: fleet.BootSilent}, nil
	}
	if deployment.Environment == tasksequence.FullOS {
		return choice{target: fleet.BootDisk}, nil // power was lost in the installed system: it goes on there
	}
	if deployment.Environment == tasksequence.WinPE && (d.Boot.Always == "" || d.Boot.Always == fleet.BootImageTarget) {
		return choice{target: fleet.BootWinPE}, nil // also when Windows PE was the answer for once
	}
	if d.Boot.Always != "" {
		return choice{target: d.Boot.Always}, nil
	}
	return choice{target: fleet.BootImageTarget}, nil
}

// unfinished returns the device's unfinished deployment, the zero value when it has
// none, and whether its boot image is Windows PE.
func (p *Policy) unfinished(d fleet.Device) (found fleet.Deployment, windows bool, err error) {
	if d.Deployment == "" {
		return found, false, nil
	}
	err = p.o.Store.View(func(tx *state.Tx) error {
		deployment, err := tx.Deployments().Get(d.Deployment)
		if errors.Is(err, state.ErrNotFound) {
			return nil
		}
		if err == nil && !deployment.Status.Final() {
			found = deployment
			image, missing := tx.Images().Get(deployment.ImageID)
			windows = deployment.Environment == tasksequence.WinPE || missing == nil && image.Kind == bootimages.KindWinPE
		}
		return err
	})
	if err != nil {
		return found, false, fmt.Errorf("read deployment: %w", err)
	}
	return found, windows, nil
}

// signedInSince reports that the agent has signed in after at: the boot attempt
// succeeded, whatever comes next is another.
func (p *Policy) signedInSince(d fleet.Device, at time.Time) (yes bool, err error) {
	err = p.o.Store.View(func(tx *state.Tx) error {
		for t := range tx.Tokens().ByDevice(d.ID) {
			yes = yes || t.CreatedAt.After(at)
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("read tokens: %w", err)
	}
	return yes, nil
}

// consume takes a one-time answer and remembers it for the rest of this boot
// attempt. When it cannot be written (disk full), it stands: the machine gets it
// again next time, which is logged.
func (p *Policy) consume(ctx context.Context, d fleet.Device, target fleet.BootTarget) {
	if _, err := p.o.Devices.TakeNext(ctx, d.ID, target); err != nil {
		p.o.Logger.ErrorContext(ctx, "one-time boot answer could not be consumed", "device", d.ID, "target", string(target), "err", err)
		return
	}
	p.recent.put(d, target)
}

// boot makes the answer for a target. The id of d is set where serving is to be
// recorded.
func (p *Policy) boot(ctx context.Context, c netboot.Client, d fleet.Device, ch choice) (*netboot.Boot, error) {
	b, err := p.answer(ctx, c, d, ch)
	if b != nil {
		b.Way = netboot.Way(cmp.Or(d.Boot.Way, p.o.Way))
	}
	return b, err
}

func (p *Policy) answer(ctx context.Context, c netboot.Client, d fleet.Device, ch choice) (*netboot.Boot, error) {
	switch ch.target {
	case fleet.BootSilent:
		return nil, nil
	case fleet.BootDisk:
		return &netboot.Boot{Target: netboot.TargetDisk}, nil
	}
	find, make, missing := p.o.Images.Current, p.imageBoot(ch.resume), noImage
	if ch.target == fleet.BootWinPE {
		find, make, missing = p.o.Images.CurrentWinPE, p.windowsBoot(d), noWinPE
	}
	image, ok := find(c.Arch)
	if !ok {
		return &netboot.Boot{Target: netboot.TargetImage, Message: missing(c.Arch)}, nil
	}
	b, err := make(c, image)
	if err != nil {
		return nil, err
	}
	if d.ID != "" && d.ImageID != image.ID {
		if err := p.o.Devices.NoteImage(ctx, d.ID, image.ID); err != nil {
			p.o.Logger.WarnContext(ctx, "served boot image not recorded", "device", d.ID, "err", err)
		}
	}
	return b, nil
}

func noImage(arch string) string {
	return "no boot image for " + arch + " has been built yet. Build one in the console, or with: slipway image build linux"
}

func noWinPE(arch string) string {
	return "no Windows PE image for " + arch + " has been built yet. Build one with: slipway image build winpe --source FILE"
}

// windowsBoot makes the answer of a Windows PE image for a device. UEFI firmware is
// given Microsoft's own boot manager, unless the device is set to iPXE itself.
func (p *Policy) windowsBoot(d fleet.Device) func(netboot.Client, fleet.BootImage) (*netboot.Boot, error) {
	return func(_ netboot.Client, image fleet.BootImage) (*netboot.Boot, error) {
		has := map[string]bool{}
		for _, f := range image.Files {
			has[f.Name] = true
		}
		if !has[bootimages.BootWIM] || !has[bootimages.BootManager] {
			return nil, fmt.Errorf("boot image %s has no boot.wim or no boot manager", image.ID)
		}
		return &netboot.Boot{Target: netboot.TargetImage, Windows: &netboot.Windows{Image: image.ID, Disk: has[bootimages.BootSDI], ByIPXE: d.Boot.Way == fleet.BootByIPXE,
			BIOS: has[bootimages.BIOSLoader] && has[bootimages.BIOSManager]}}, nil
	}
}

// imageBoot names the files and the kernel command line.
func (p *Policy) imageBoot(resume bool) func(netboot.Client, fleet.BootImage) (*netboot.Boot, error) {
	return func(c netboot.Client, image fleet.BootImage) (*netboot.Boot, error) {
		b, err := imageFiles(image)
		if err == nil {
			b.Cmdline = p.commandLine(c, image, resume)
		}
		return b, err
	}
}

func imageFiles(image fleet.BootImage) (*netboot.Boot, error) {
	b := &netboot.Boot{Target: netboot.TargetImage}
	for _, f := range image.Files {
		switch {
		case f.Name == bootimages.FastKernel:
			b.FastKernel = image.ID + "/" + f.Name
		case f.Name == "vmlinuz":
			b.Kernel = image.ID + "/" + f.Name
		case strings.HasPrefix(f.Name, "initrd"):
			b.Initrds = append(b.Initrds, image.ID+"/"+f.Name)
		case f.Name == bootimages.OneFile && b.OneFile == "", bootimages.IsSigned(f.Name): // the signed copy comes first
			b.OneFile = image.ID + "/" + f.Name
		}
	}
	if b.Kernel == "" || len(b.Initrds) == 0 {
		return nil, fmt.Errorf("boot image %s has no kernel or no initrd", image.ID)
	}
	return b, nil
}

// commandLine is what the agent needs to find us again, and quiet consoles: the
// last console= is where the kernel writes, the agent opens each of them.
func (p *Policy) commandLine(c netboot.Client, image fleet.BootImage, resume bool) []string {
	var args []string
	server := p.o.Advertise
	if !server.IsValid() {
		server = c.Server
	}
	if server.IsValid() {
		args = append(args, "slipway.server="+server.String()+":"+strconv.Itoa(int(p.o.HTTPSPort)))
	}
	if resume {
		args = append(args, "slipway.resume=disk")
	}
	return append(args,
		"slipway.installation="+p.o.Installation,
		"slipway.image="+image.ID,
		"slipway.lease="+netboot.LoaderAddress,
		"BOOTIF=01-"+netboot.LoaderMAC,
		"console=tty0", "console=ttyS0,115200n8", "panic=30", "quiet", "loglevel=3", "cryptomgr.notests",
	)
}
