package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"slipway/agent/internal/boot"
	"slipway/agent/internal/client"
	"slipway/agent/internal/facts"
	"slipway/agent/internal/screen"
	"slipway/agent/internal/session"
	"slipway/agent/internal/steps"
	"slipway/agent/internal/winsys"
	"slipway/agent/wire"
)

// What the agent writes in WinPE, below its system drive (X:\), which is in memory.
// The image's own script has set up drivers and network before it starts the agent.
const (
	peState = `slipway\state`
	peLog   = `slipway\agent.log`
	peHooks = `slipway\hooks\after-sign-in`
	peRan   = `slipway\after-sign-in.ran` // the drive is made anew at each start of the computer
)

// winPE is the agent in WinPE. It ends with a restart of the computer, or with an exit
// code that says what went wrong: then WinPE restarts by itself.
func winPE(stderr io.Writer) int {
	way, err := workInWinPE(context.Background())
	if err != nil {
		fmt.Fprintln(stderr, "slipway-agent:", err)
		return 1
	}
	p := winsys.Power{WinPE: true}
	end := p.Restart
	if way == boot.PowerOff {
		end = p.Off
	}
	if err := end(context.Background()); err != nil {
		fmt.Fprintln(stderr, "slipway-agent: restart the computer by hand:", err)
		return 1
	}
	return 0
}

// workInWinPE wires the parts and runs them until the session says how to end.
func workInWinPE(ctx context.Context) (boot.Way, error) {
	drive := facts.SystemDrive()
	state := filepath.Join(drive, peState)
	if err := os.MkdirAll(state, 0o700); err != nil {
		return boot.Restart, fmt.Errorf("make the folder for the agent's state: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(drive, peLog), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return boot.Restart, fmt.Errorf("open the agent's log: %w", err)
	}
	defer file.Close()
	log := newLog(file)
	logger := slog.New(slog.NewTextHandler(log, nil))
	image, imageErr := boot.LoadWinPE(os.DirFS(drive))
	parts := machine(temporary(state), logger)
	gathered := facts.GatherWindows()
	diskFacts(ctx, parts.disks, gathered, logger)
	logger.Info("agent starts", "version", version, "image", image.ID, "model", gathered["Model"])

	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	ways := make(chan boot.Way, 2)
	display := peDisplay(image, gathered, log, logger, ways)
	running.Go(func() { display.Run(ctx) })
	settled := make(chan struct{})
	close(settled)

	identity, err := client.KeepIdentity(filepath.Join(state, "identity.pem"))
	if err != nil {
		return boot.Restart, err
	}
	s := &session.Session{Display: display, Network: parts.network, Settled: settled, Hardware: func() []string { return nil }, Rescan: func() {},
		Image: image, ImageErr: imageErr, Facts: gathered, Identity: identity, Version: version, Environment: wire.WinPE,
		Now: time.Now, SetClock: parts.setClock, Keyboard: func(string) {}, Log: logger, StateDir: state,
		Machine: steps.Machine{Exec: steps.WindowsExec{}, Files: steps.LocalFiles{Dir: temporary(state)}, Disks: parts.disks, DiskPatience: steps.UsualDiskPatience},
		Target:  target{image: image, disks: parts.disks, log: logger},
		Hooks:   session.Hooks{Dir: filepath.Join(drive, peHooks), Ran: filepath.Join(drive, peRan)}}
	failed := make(chan error, 1)
	running.Go(func() {
		way, err := s.Run(ctx)
		if err != nil {
			failed <- err
			return
		}
		ways <- way
	})
	select {
	case way := <-ways:
		return way, nil
	case err := <-failed:
		return boot.Restart, err
	}
}

// peDisplay is the console; without one the standard streams take its place.
func peDisplay(image boot.Image, f facts.Facts, log *ring, logger *slog.Logger, ways chan boot.Way) *screen.Display {
	t, err := screen.OpenConsole()
	if err != nil {
		logger.Warn("no console: the standard streams are used", "error", err)
		t = screen.OpenStream(os.Stdin, os.Stdout)
	}
	o := screen.Options{Now: time.Now, Log: log.Lines, Power: func(off bool) {
		way := boot.Restart
		if off {
			way = boot.PowerOff
		}
		select {
		case ways <- way:
		default:
		}
	}}
	firmware := "BIOS"
	if f["IsUEFI"] == "True" {
		firmware = "UEFI"
	}
	start := screen.NewNotice("Starting", "Looking for the network", screen.Calm)
	return screen.NewDisplay(o, start, screen.Facts{
		Product: "Slipway " + version, Model: modelLine(f), Serial: f["SerialNumber"], Firmware: firmware,
		Memory: f["Memory"] + " MiB", Image: image.ShortID(), Lab: image.Lab,
	}, t)
}
