package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"slipway/agent/internal/boot"
	"slipway/agent/internal/client"
	"slipway/agent/internal/facts"
	"slipway/agent/internal/network"
	"slipway/agent/internal/screen"
	"slipway/agent/internal/session"
	"slipway/agent/internal/steps"
)

// memoryLimit is what the worker aims to stay below; steps run in processes of
// their own.
const memoryLimit = 256 << 20

// stateDir holds what outlives a crash of the worker. It is in memory.
const stateDir = "/run/slipway"

// worker is the agent proper. Its exit code tells PID 1 how to go on.
func worker(stderr io.Writer) int {
	debug.SetMemoryLimit(memoryLimit)
	boot.QuietConsole()
	log := newLog(boot.OpenKmsg())
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	way, err := work(ctx, log, logger)
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "slipway-agent:", err)
		return 1
	}
	return way.ExitCode()
}

// work wires the parts and runs them until the session says how to end.
func work(ctx context.Context, log *ring, logger *slog.Logger) (boot.Way, error) {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return boot.Restart, fmt.Errorf("make %s: %w", stateDir, err)
	}
	installShell(logger)
	image, imageErr := boot.LoadImage(os.DirFS("/"))
	cmdline, _ := os.ReadFile("/proc/cmdline")
	if err := boot.MountEFIVariables(); err != nil {
		logger.Warn("the firmware's variables cannot be read", "error", err)
	}
	gathered := facts.Gather(os.DirFS("/"), runtime.GOARCH)
	logger.Info("agent starts", "version", version, "image", image.ID, "model", gathered["Model"])

	ctx, cancel := context.WithCancel(ctx)
	var parts sync.WaitGroup
	defer parts.Wait()
	defer cancel()
	ways := make(chan boot.Way, 2)
	keyboard := &keyboard{log: logger}
	display, err := openDisplay(image, gathered, log, logger, keyboard, ways)
	if err != nil {
		return boot.Restart, err
	}
	keyboard.display = display
	keyboard.suggest(image.Keyboard)
	parts.Go(func() { display.Run(ctx) })

	hw := startHardware(ctx, &parts, logger)
	args := boot.ParseCmdline(string(cmdline))
	medium := ""
	if args.Medium != "" {
		logger.Info("the machine was started from a medium", "medium", args.Medium)
		medium = image.ID
	}
	manager := &network.Manager{System: network.LinuxSystem{Kinds: []string{"device"}, Resolve: "/etc/resolv.conf"},
		Log: logger, BootIF: args.BootIF, Lease: args.Lease, Notify: hw.notify}
	parts.Go(func() { _ = manager.Run(ctx) })
	// The key is made while drivers load: on machines without a random number
	// generator it waits for entropy.
	identity, err := client.KeepIdentity(filepath.Join(stateDir, "identity.pem"))
	if err != nil {
		return boot.Restart, err
	}
	storage := disks(logger, medium)
	s := &session.Session{Display: display, Network: manager, Changed: hw.changed, Settled: hw.settled, Hardware: hw.troubles,
		Rescan: hw.rescan, Image: image, ImageErr: imageErr, Args: args, Facts: gathered, Identity: identity, Version: version,
		Now: time.Now, SetClock: boot.SetClock, Keyboard: keyboard.suggest, Log: logger,
		Machine: steps.Machine{Exec: steps.LinuxExec{}, Files: steps.LinuxFiles{Dir: filepath.Join(stateDir, "tmp")}, Disks: storage, Settle: storage.Settle,
			DiskPatience: steps.UsualDiskPatience},
		Target:   target{image: image, load: hw.load, log: logger},
		StateDir: stateDir, Tools: toolPack(image)}
	failed := make(chan error, 1)
	parts.Go(func() {
		way, err := s.Run(ctx)
		if err != nil {
			failed <- err
			return
		}
		ways <- way
	})
	select {
	case way := <-ways:
		logger.Info("the machine ends its session", "power off", way == boot.PowerOff)
		return way, nil
	case err := <-failed:
		return boot.Restart, err
	case <-ctx.Done():
		return boot.Restart, ctx.Err()
	}
}

// openDisplay opens every active console. One that does not open is left out;
// a machine without any is still deployed.
func openDisplay(image boot.Image, f facts.Facts, log *ring, logger *slog.Logger, k *keyboard, ways chan boot.Way) (*screen.Display, error) {
	var terminals []*screen.Terminal
	for _, path := range boot.Consoles() {
		t, err := screen.OpenTTY(path)
		if err != nil {
			logger.Warn("console not used", "console", path, "error", err)
			continue
		}
		terminals = append(terminals, t)
	}
	o := screen.Options{Now: time.Now, SetKeyboard: k.choose, Log: log.Lines, Power: func(off bool) {
		way := boot.Restart
		if off {
			way = boot.PowerOff
		}
		select {
		case ways <- way:
		default:
		}
	}}
	if image.Lab {
		o.Shell = func(tty string) { runShell(tty, logger) }
	}
	firmware := "BIOS"
	if f["IsUEFI"] == "True" {
		firmware = "UEFI"
	}
	start := screen.NewNotice("Starting", "Looking for network adapters", screen.Calm)
	start.Next = "Loading drivers"
	return screen.NewDisplay(o, start, screen.Facts{
		Product: "Slipway " + version, Model: modelLine(f), Serial: f["SerialNumber"], Firmware: firmware,
		Memory: f["Memory"] + " MiB", Image: image.ShortID(), Lab: image.Lab, Keyboard: "English (US)",
	}, terminals...), nil
}

// installShell makes the usual program names point to busybox, for the commands
// of task sequences.
func installShell(logger *slog.Logger) {
	if _, err := os.Stat("/bin/sh"); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if out, err := exec.Command("/bin/busybox", "--install", "-s", "/bin").CombinedOutput(); err != nil {
		logger.Warn("shell not installed", "error", err, "output", string(out))
	}
}

// runShell runs the rescue shell of lab images on one console.
func runShell(tty string, logger *slog.Logger) {
	f, err := os.OpenFile("/dev/"+tty, os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		logger.Warn("rescue shell", "error", err)
		return
	}
	defer f.Close()
	restore, err := screen.Cook(f)
	if err != nil {
		logger.Warn("rescue shell", "error", err)
		return
	}
	defer restore()
	fmt.Fprint(f, "\x1b[0m\x1b[2J\x1b[H\x1b[?25hRescue shell of a lab image. Leave it with: exit\n")
	cmd := exec.Command("/bin/busybox", "sh")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = f, f, f
	cmd.Env = []string{"PATH=/bin:/sbin:/usr/bin:/usr/sbin", "HOME=/", "TERM=linux", "PS1=slipway# "}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	logger.Info("rescue shell begins", "console", tty)
	if err := cmd.Run(); err != nil {
		logger.Info("rescue shell ended", "error", err)
	}
}
