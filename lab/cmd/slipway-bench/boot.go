package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"slipway/lab"
)

// row is one kind of boot that is measured, each time in a network of its own
// without router advertisements.
type row struct {
	name     string
	firmware lab.Firmware
	answer   bool    // the appliance answers router solicitations (ra.answer: inert)
	peer     string  // the row that it is compared with; empty: a peer itself, or the floor
	reach    float64 // at most this part of the peer's time; 0: no aim
	way      string  // boot.uefi; empty: as it is by default
	debian   bool    // Debian's installer instead of the appliance
	bare     bool    // the kernel alone, with a program that only says the word
}

const (
	peerBIOS = "debian-bios"
	peerUEFI = "debian-uefi"
)

// rows are in the order of the table. UEFI is measured by both ways (boot.uefi): the
// one file without a loader, which asks for no router, and iPXE. HTTP Boot has no peer of its own: Debian's
// installer is compared as the same firmware loads it by PXE.
func rows() []row {
	return []row{
		{name: "kernel", firmware: lab.Direct, bare: true, peer: peerBIOS},
		{name: "floor", firmware: lab.Direct, peer: peerBIOS},
		{name: "bios", firmware: lab.BIOS, peer: peerBIOS, reach: 0.40},
		{name: "bios-ra", firmware: lab.BIOS, answer: true, peer: peerBIOS, reach: 0.25},
		{name: "uefi", firmware: lab.UEFI, way: "one-file", peer: peerUEFI, reach: 0.45},
		{name: "uefi-http", firmware: lab.UEFIHTTP, way: "one-file", peer: peerUEFI, reach: 0.45},
		{name: "uefi-ipxe", firmware: lab.UEFI, way: "ipxe", peer: peerUEFI},
		{name: "uefi-ipxe-ra", firmware: lab.UEFI, way: "ipxe", answer: true, peer: peerUEFI},
		{name: "uefi-http-ipxe", firmware: lab.UEFIHTTP, way: "ipxe", peer: peerUEFI},
		{name: "uefi-http-ipxe-ra", firmware: lab.UEFIHTTP, way: "ipxe", answer: true, peer: peerUEFI},
		{name: peerBIOS, firmware: lab.BIOS, debian: true},
		{name: peerUEFI, firmware: lab.UEFI, debian: true},
	}
}

// bootLimit is how long one boot may take.
const bootLimit = 4 * time.Minute

// chosen are the rows of these names, separated by commas; all when there are none.
func chosen(only string) (list []row, err error) {
	list = rows()
	if only == "" {
		return list, nil
	}
	names := strings.Split(only, ",")
	for _, name := range names {
		if !slices.ContainsFunc(list, func(r row) bool { return r.name == name }) {
			err = errors.Join(err, fmt.Errorf("there is no row %q", name))
		}
	}
	return slices.DeleteFunc(list, func(r row) bool { return !slices.Contains(names, r.name) }), err
}

// benchBoot measures every row once a round, one machine at a time.
func benchBoot(ctx context.Context, packages string, list []row, rounds int, out io.Writer) error {
	if err := lab.Tools(); err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	prepared, err := lab.Prepare(ctx, filepath.Join(lab.Root(), ".cache", "lab"), packages, lab.Options{Logger: logger, Label: "bench-boot"}, out)
	if err != nil {
		return err
	}
	results := map[string][]lab.Milestones{}
	for round := range rounds {
		for i := range list {
			r := list[(i+round)%len(list)]
			m, err := bootOnce(ctx, r, prepared, logger)
			if err != nil {
				return fmt.Errorf("%s, round %d: %w", r.name, round+1, err)
			}
			fmt.Fprintf(out, "round %d  %-17s %v\n", round+1, r.name, m)
			results[r.name] = append(results[r.name], m)
		}
	}
	fmt.Fprintln(out)
	return bootTable(out, list, results)
}

// bootOnce makes a network, boots one machine in it and takes all away again.
func bootOnce(ctx context.Context, r row, prepared lab.Prepared, logger *slog.Logger) (m lab.Milestones, err error) {
	run, err := lab.NewRun(lab.Options{Logger: logger, Label: "bench-boot-" + r.name})
	if err != nil {
		return m, err
	}
	defer run.CloseOnSignal()()
	m, err = bootIn(ctx, run, r, prepared)
	if err != nil {
		if kept, kerr := run.Keep(); kerr == nil {
			err = fmt.Errorf("%w\nlogs and captures are in %s", err, kept)
		}
	}
	return m, errors.Join(err, run.Close())
}

func bootIn(ctx context.Context, run *lab.Run, r row, prepared lab.Prepared) (lab.Milestones, error) {
	var m lab.Milestones
	segment, err := run.NewNetwork()
	if err != nil {
		return m, err
	}
	machine, prompt := lab.MachineConfig{Firmware: r.firmware}, "Passcode"
	if r.debian {
		prompt = debianQuestion
		err = startDebian(segment, run)
	} else {
		err = startOurs(ctx, segment, run, r, prepared, &machine)
	}
	if err != nil {
		return m, err
	}
	capture, err := segment.StartCapture("boot")
	if err != nil {
		return m, err
	}
	guest, err := segment.PowerOn(ctx, machine)
	if err != nil {
		return m, err
	}
	if _, err := guest.Console.Expect(ctx, bootLimit, prompt); err != nil {
		return m, err
	}
	at := time.Since(guest.Started)
	guest.PowerOff()
	m, err = capture.Milestones(guest)
	m.Prompt = at
	return m, err
}

// startOurs starts an ordinary DHCP server and the appliance. For the floor the
// machine gets the kernel and initrd of the appliance's image without a network boot.
func startOurs(ctx context.Context, segment *lab.Network, run *lab.Run, r row, prepared lab.Prepared, machine *lab.MachineConfig) error {
	data, err := prepared.Copy(run, "data")
	if err != nil {
		return err
	}
	if _, err := segment.StartDHCP(lab.DHCPOptions{}); err != nil {
		return err
	}
	config := ""
	if r.answer {
		config = "ra:\n  answer: inert\n"
	}
	if r.way != "" {
		config += "boot:\n  uefi: " + r.way + "\n"
	}
	app, err := segment.StartAppliance(ctx, lab.ApplianceOptions{Data: data, Config: config})
	if err != nil {
		return err
	}
	if r.answer { // it listens for other routers first, which is over on an appliance that runs
		err = app.WaitFor(time.Minute, "the link to be listened to", func() bool {
			b, err := os.ReadFile(app.Log)
			return err == nil && strings.Contains(string(b), "router solicitations of booting machines are answered")
		})
		if err != nil {
			return err
		}
	}
	if r.firmware != lab.Direct {
		return nil
	}
	kernels, err := filepath.Glob(filepath.Join(data, "boot", "*", "vmlinuz"))
	if err != nil || len(kernels) != 1 {
		return fmt.Errorf("%d boot images in %s: %w", len(kernels), data, errors.Join(err, os.ErrNotExist))
	}
	if fast := kernels[0] + ".fast"; fileThere(fast) {
		kernels[0] = fast
	}
	machine.Kernel, machine.Initrd = kernels[0], filepath.Join(filepath.Dir(kernels[0]), "initrd.zst")
	if r.bare {
		if machine.Initrd, err = run.BareInitrd("Passcode"); err != nil {
			return err
		}
	}
	machine.Cmdline = "console=tty0 console=ttyS0,115200n8 panic=30 quiet loglevel=3 cryptomgr.notests slipway.server=" + lab.ApplianceAddress + ":8443"
	return nil
}

func fileThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
