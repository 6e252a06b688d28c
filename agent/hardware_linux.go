package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"slipway/agent/internal/boot"
)

// hardware loads drivers for what is there and for what comes later.
type hardware struct {
	log     *slog.Logger
	drivers *boot.Drivers // nil when there is no module index
	changed chan struct{}
	settled chan struct{}
	scans   chan struct{}

	mu      sync.Mutex
	trouble []string
	looked  time.Time
}

// startHardware begins the first look; it goes on in parts until ctx ends.
func startHardware(ctx context.Context, parts *sync.WaitGroup, log *slog.Logger) *hardware {
	h := &hardware{log: log, changed: make(chan struct{}, 1), settled: make(chan struct{}), scans: make(chan struct{}, 1)}
	h.drivers = openDrivers(log)
	parts.Go(func() {
		err := boot.Uevents(ctx, h.event)
		if ctx.Err() == nil {
			log.Warn("no device events: adapters plugged in later are found by looking again", "error", err)
		}
	})
	parts.Go(func() { h.run(ctx) })
	return h
}

func openDrivers(log *slog.Logger) *boot.Drivers {
	dir, err := boot.ModuleDir()
	if err != nil {
		log.Warn("kernel modules", "error", err)
		return nil
	}
	index, err := boot.ReadModules(os.DirFS(dir))
	if err != nil {
		log.Warn("kernel modules", "error", err)
		return nil
	}
	// The kernel itself may ask for a module (file systems, character sets).
	if self, err := os.Executable(); err == nil {
		_ = os.WriteFile("/proc/sys/kernel/modprobe", []byte(self), 0)
	}
	return boot.NewDrivers(index, boot.KernelLoader{Dir: dir}, log)
}

func (h *hardware) run(ctx context.Context) {
	start := time.Now()
	if h.drivers != nil {
		h.drivers.Load("virtio_rng") // entropy early: the agent's key waits for it
		h.coldplug(ctx)
		loaded, failed := h.drivers.Counts()
		h.log.Info("drivers loaded", "modules", loaded, "failed", failed, "took", time.Since(start).Round(time.Millisecond).String())
	}
	close(h.settled)
	h.notify()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.scans:
			h.coldplug(ctx)
			h.notify()
		}
	}
}

func (h *hardware) coldplug(ctx context.Context) {
	if h.drivers == nil {
		return
	}
	if err := h.drivers.Coldplug(ctx, os.DirFS("/sys"), time.Sleep); err != nil && ctx.Err() == nil {
		h.log.Warn("load drivers", "error", err)
	}
}

// load loads a module by name, for what has no device that asks for it.
func (h *hardware) load(module string) {
	if h.drivers != nil {
		h.drivers.Load(module)
	}
}

// event loads the driver for a device that has just come.
func (h *hardware) event(e boot.Uevent) {
	switch {
	case e.Action == "lost":
		h.rescan()
	case e.Action == "add" && e.Modalias != "" && h.drivers != nil:
		h.drivers.Modalias(e.Modalias)
		h.notify()
	case e.Subsystem == "net":
		h.notify()
	}
}

func (h *hardware) notify() {
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

func (h *hardware) rescan() {
	select {
	case h.scans <- struct{}{}:
	default:
	}
}

// troubles lists the adapters that cannot be used, looked at once a second at most.
func (h *hardware) troubles() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.looked) < time.Second {
		return h.trouble
	}
	h.looked, h.trouble = time.Now(), nil
	for _, a := range boot.PCIAdapters(os.DirFS("/sys"), boot.ReadKmsg()) {
		if text := a.Trouble(); text != "" {
			h.trouble = append(h.trouble, text)
		}
	}
	return h.trouble
}

// modprobe loads one module on the kernel's behalf.
func modprobe(name string) int {
	dir, err := boot.ModuleDir()
	if err != nil {
		return 1
	}
	index, err := boot.ReadModules(os.DirFS(dir))
	if err != nil {
		return 1
	}
	code := 1
	for _, file := range index.Plan(name) {
		code = 0
		if (boot.KernelLoader{Dir: dir}).Load(file) != nil && strings.TrimSuffix(filepath.Base(file), ".ko") == name {
			return 1
		}
	}
	return code
}
