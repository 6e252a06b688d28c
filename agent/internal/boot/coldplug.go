package boot

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Loader puts one module file into the kernel. A module that is there already
// is no error.
type Loader interface {
	Load(file string) error
}

// Drivers loads the drivers for the hardware that is present. Its methods may
// be called from several goroutines.
type Drivers struct {
	index  *Modules
	loader Loader
	log    *slog.Logger

	mu     sync.Mutex
	tried  map[string]bool // files, loaded or failed
	seen   map[string]bool // modaliases that have been looked up
	loaded int
	failed []string
}

// NewDrivers returns Drivers over an index and a loader.
func NewDrivers(index *Modules, loader Loader, log *slog.Logger) *Drivers {
	return &Drivers{index: index, loader: loader, log: log, tried: map[string]bool{}, seen: map[string]bool{}}
}

// Load loads a module by name or alias with all it needs and returns how many
// files were new. Each file is tried once.
func (d *Drivers) Load(name string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	fresh := 0
	for _, file := range d.index.Plan(name) {
		if d.tried[file] {
			continue
		}
		d.tried[file] = true
		if err := d.loader.Load(file); err != nil {
			d.failed = append(d.failed, moduleName(file))
			d.log.Warn("module not loaded", "module", moduleName(file), "error", err)
			continue
		}
		fresh++
		d.loaded++
	}
	return fresh
}

// Modalias loads what claims a modalias. Each modalias is looked up once.
func (d *Drivers) Modalias(text string) int {
	text = strings.TrimSpace(text)
	d.mu.Lock()
	known := d.seen[text]
	d.seen[text] = true
	d.mu.Unlock()
	if known || text == "" {
		return 0
	}
	fresh := 0
	for _, name := range d.index.Match(text) {
		fresh += d.Load(name)
	}
	return fresh
}

// Counts returns how many module files were loaded and how many failed.
func (d *Drivers) Counts() (loaded, failed int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.loaded, len(d.failed)
}

// Settle is how long to wait between rounds: buses such as virtio and USB make
// their devices known shortly after their driver came.
const Settle = 30 * time.Millisecond

// maxRounds bounds Coldplug: no bus chain seen is deeper than five.
const maxRounds = 12

// Coldplug walks the devices below sys (the root of sysfs) and loads their
// drivers, again until a round finds nothing new. Network adapters come before all
// else: the challenge needs them only, and the lease is asked for meanwhile.
func (d *Drivers) Coldplug(ctx context.Context, sys fs.FS, sleep func(time.Duration)) error {
	d.network(ctx, sys)
	quiet := 0
	for range maxRounds {
		if err := ctx.Err(); err != nil {
			return err
		}
		fresh := 0
		for _, text := range modaliases(sys) {
			fresh += d.Modalias(text)
		}
		if fresh == 0 {
			if quiet++; quiet == 2 {
				return nil
			}
		} else {
			quiet = 0
		}
		sleep(Settle)
	}
	return nil
}

// network loads the drivers of the network adapters that the buses tell of. A
// virtual card is two devices, its own and that of its bus: hence several rounds.
func (d *Drivers) network(ctx context.Context, sys fs.FS) {
	for fresh := 1; fresh > 0 && ctx.Err() == nil; {
		fresh = 0
		for _, bus := range []string{"pci", "virtio", "vmbus", "xen"} {
			files, _ := fs.Glob(sys, "bus/"+bus+"/devices/*/modalias")
			for _, name := range files {
				if text, err := fs.ReadFile(sys, name); err == nil && isNetwork(string(text)) {
					fresh += d.Modalias(string(text))
				}
			}
		}
	}
}

// isNetwork reports whether a modalias is that of a network adapter: by the class
// code of PCI, or the device type of virtio, Hyper-V (include/linux/hyperv.h,
// HV_NIC_GUID) and Xen.
func isNetwork(modalias string) bool {
	return strings.HasPrefix(modalias, "pci:") && strings.Contains(modalias, "bc02sc") ||
		strings.HasPrefix(modalias, "virtio:d00000001v") ||
		strings.HasPrefix(modalias, "vmbus:635161f83edfc546913ff2d2f965ed0e") ||
		strings.HasPrefix(modalias, "xen:vif")
}

// modaliases reads every modalias below devices/, each once.
func modaliases(sys fs.FS) []string {
	var found []string
	seen := map[string]bool{}
	_ = fs.WalkDir(sys, "devices", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) || entry == nil || !entry.IsDir() {
				return nil // devices come and go while we walk
			}
			return fs.SkipDir
		}
		if entry.Name() != "modalias" {
			return nil
		}
		text, err := fs.ReadFile(sys, name)
		if s := strings.TrimSpace(string(text)); err == nil && s != "" && !seen[s] {
			seen[s] = true
			found = append(found, s)
		}
		return nil
	})
	return found
}
