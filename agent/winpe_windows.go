package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// What a WinPE boot image holds for the agent, below its system drive (X:\). Its
// description lies in etc\slipway, as in a Linux boot image (boot.LoadImage).
const (
	peDrivers = `slipway\drivers` // folders of drivers, loaded before the network
	peState   = `slipway\state`   // in memory, as all of WinPE
	peLog     = `slipway\agent.log`
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
	image, imageErr := boot.LoadImage(os.DirFS(drive))
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
	hw := &peHardware{log: logger, settled: make(chan struct{})}
	running.Go(func() { hw.bringUp(ctx, filepath.Join(drive, peDrivers)) })

	identity, err := client.KeepIdentity(filepath.Join(state, "identity.pem"))
	if err != nil {
		return boot.Restart, err
	}
	s := &session.Session{Display: display, Network: parts.network, Settled: hw.settled, Hardware: hw.troubles, Rescan: func() {},
		Image: image, ImageErr: imageErr, Facts: gathered, Identity: identity, Version: version, Environment: wire.WinPE,
		Now: time.Now, SetClock: parts.setClock, Keyboard: func(string) {}, Log: logger, StateDir: state,
		Machine: steps.Machine{Exec: steps.WindowsExec{}, Files: steps.LocalFiles{Dir: temporary(state)}, Disks: parts.disks}}
	failed := make(chan error, 1)
	running.Go(func() {
		<-hw.settled // devices and network are WinPE's to set up first
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
	start := screen.NewNotice("Starting", "Looking for network adapters", screen.Calm)
	start.Next = "Loading drivers"
	return screen.NewDisplay(o, start, screen.Facts{
		Product: "Slipway " + version, Model: modelLine(f), Serial: f["SerialNumber"], Firmware: firmware,
		Memory: f["Memory"] + " MiB", Image: image.ShortID(), Lab: image.Lab,
	}, t)
}

// peHardware brings up what WinPE does not by itself.
type peHardware struct {
	log     *slog.Logger
	settled chan struct{} // closed when bringUp is over

	mu      sync.Mutex
	trouble []string
}

// bringUp loads the image's drivers and then has WinPE set up devices and network
// (wpeinit), which a winpeshl.ini of one's own leaves to the program it names.
func (h *peHardware) bringUp(ctx context.Context, drivers string) {
	defer close(h.settled)
	for _, inf := range driverFiles(drivers) {
		if err := winsys.Run(ctx, "drvload.exe", inf); err != nil {
			h.fail("driver "+filepath.Base(inf)+" was not loaded", err)
		}
	}
	if err := winsys.Run(ctx, "wpeinit.exe"); err != nil {
		h.fail("WinPE did not set up its devices (wpeinit)", err)
	}
}

func (h *peHardware) fail(what string, err error) {
	h.log.Warn(what, "error", err)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trouble = append(h.trouble, what)
}

// troubles lists what was not brought up.
func (h *peHardware) troubles() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.trouble)
}

// driverFiles lists the .inf files below a folder, in the order of their paths.
func driverFiles(folder string) (list []string) {
	err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.EqualFold(filepath.Ext(name), ".inf") {
			list = append(list, name)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return list
}
