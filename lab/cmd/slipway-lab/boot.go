package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"slipway/lab"
)

type bootOptions struct {
	firmware, packages, console string
	limit                       time.Duration
}

func logger() *slog.Logger { return slog.New(slog.NewTextHandler(os.Stderr, nil)) }

// boot is `make lab`.
func boot(ctx context.Context, o bootOptions, in *os.File, out io.Writer) error {
	firmware := lab.Firmware(o.firmware)
	switch firmware {
	case lab.BIOS, lab.UEFI, lab.UEFIHTTP:
	default:
		return fmt.Errorf("firmware %q is not known: bios, uefi or uefi-http", o.firmware)
	}
	prepared, err := prepare(ctx, o.packages, out)
	if err != nil {
		return err
	}
	run, err := lab.NewRun(lab.Options{Logger: logger(), Label: "lab-" + o.firmware})
	if err != nil {
		return err
	}
	defer run.Close()
	defer run.CloseOnSignal()()
	machine, err := powerOn(ctx, run, prepared, firmware, o.console, out)
	if err == nil {
		err = attach(machine, o.limit, in, out)
	}
	if err != nil {
		if dir, kerr := run.Keep(); kerr == nil {
			err = fmt.Errorf("%w\nlogs and captures are in %s", err, dir)
		}
	}
	return errors.Join(err, run.Close())
}

// powerOn makes the network, its servers and the machine.
func powerOn(ctx context.Context, run *lab.Run, prepared lab.Prepared, firmware lab.Firmware, console string, out io.Writer) (*lab.Machine, error) {
	data, err := prepared.Copy(run, "data")
	if err != nil {
		return nil, err
	}
	net, err := run.NewNetwork()
	if err != nil {
		return nil, err
	}
	if _, err := net.StartDHCP(lab.DHCPOptions{}); err != nil {
		return nil, err
	}
	if _, err := net.StartCapture("lab"); err != nil {
		return nil, err
	}
	appliance, err := net.StartAppliance(ctx, lab.ApplianceOptions{Data: data})
	if err != nil {
		return nil, err
	}
	address, err := net.Forward(console, lab.ApplianceAddress+":8443")
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, `
The appliance runs. Console: https://%s (%s / %s)
Commands:  SLIPWAY_CONFIG=%s bin/slipway device list
Powering on a machine (%s). Its passcode is %s. Ctrl-] leaves.

`, address, lab.Administrator, lab.AdministratorPassword, appliance.Config, firmware, lab.Passcode)
	return net.PowerOn(ctx, lab.MachineConfig{Firmware: firmware})
}

// leave is Ctrl-].
const leave = 0x1d

// attach joins the terminal and the machine's serial line. Without a terminal it
// shows the line for the limit, passes on what stands on standard input, and
// fails when the passcode was never asked for.
func attach(m *lab.Machine, limit time.Duration, in *os.File, out io.Writer) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m.Console.Tee(func(b []byte) {
		if _, err := out.Write(b); err != nil {
			cancel()
		}
	})
	defer m.Console.Tee(nil)
	if !term.IsTerminal(int(in.Fd())) {
		go typeAll(in, m.Console, func() {})
		select {
		case <-m.Console.Done():
			return m.QEMU.Err()
		case <-ctx.Done():
		case <-time.After(limit):
		}
		if !strings.Contains(m.Console.Text(), "Passcode") {
			return fmt.Errorf("the machine did not ask for the passcode within %v", limit)
		}
		return nil
	}
	old, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return fmt.Errorf("the terminal: %w", err)
	}
	// The machine's screen may have changed colours and hidden the cursor.
	defer fmt.Fprint(out, "\x1b[0m\x1b[?25h\x1b[?1049l\r\n")
	defer func() { _ = term.Restore(int(in.Fd()), old) }()
	go typeAll(in, m.Console, cancel)
	select {
	case <-m.Console.Done():
		return m.QEMU.Err()
	case <-ctx.Done():
		return nil
	}
}

// typeAll passes on what is typed until Ctrl-], or the end of input.
func typeAll(in io.Reader, machine io.Writer, left func()) {
	buf := make([]byte, 256)
	for {
		n, err := in.Read(buf)
		text, _, found := strings.Cut(string(buf[:n]), string(rune(leave)))
		if _, werr := io.WriteString(machine, text); werr != nil || found {
			left()
			return
		}
		if err != nil {
			return
		}
	}
}
