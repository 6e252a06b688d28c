//go:build winetest

package main

import (
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	_ "unsafe" // for go:linkname

	"slipway/agent/internal/disk"
	"slipway/agent/internal/network"
)

// Wine 8 knows the older way to remove files only: without this os.RemoveAll fails.
//
//go:linkname removeTheOldWay internal/syscall/windows.TestDeleteatFallback
var removeTheOldWay bool

func init() { removeTheOldWay = true }

// replaceMachine takes away what of the machine that runs the tests must not be seen
// or changed: its clock, its adapters and its disks. All else is as in the real program.
func replaceMachine(m *machineParts, log *slog.Logger) {
	m.network = loopback{}
	m.setClock = func(t time.Time) error {
		log.Info("the clock would be set", "to", t)
		return nil
	}
	if os.Getenv("SLIPWAY_TEST_ORDINARY") != "" {
		m.elevated = func() bool { return false }
	}
	d := &madeUp{letters: map[string]disk.Place{"C": {Disk: -1, Partition: -1}, "Z": {Disk: -1, Partition: -1}}}
	write := m.disks.Script
	m.disks.Drives = d
	if text, err := os.ReadFile(disk0); err == nil { // what an earlier start made of it
		d.take(string(text))
	}
	m.disks.Script = func(text string) (string, func(), error) {
		d.take(text)
		if err := os.WriteFile(disk0, []byte(text), 0o600); err != nil {
			return "", nil, err
		}
		return write(text)
	}
}

// disk0 keeps the made-up disk over restarts: the last script that diskpart was given.
const disk0 = `C:\made-up-disk.txt`

// madeUp is a machine with one disk, which is as the last script for diskpart has it.
type madeUp struct {
	mu      sync.Mutex
	layout  disk.Layout
	letters map[string]disk.Place
}

// Disks implements disk.Drives.
func (*madeUp) Disks() ([]disk.Drive, error) {
	return []disk.Drive{{Disk: disk.Disk{ID: "nvme-made-up", Name: "PhysicalDrive0", Size: 64 << 30, SectorSize: 512, PhysicalSectorSize: 512,
		Model: "Made up", Serial: "M1", Bus: disk.BusNVMe}}}, nil
}

// Layout implements disk.Drives.
func (m *madeUp) Layout(int) (disk.Layout, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.layout.Table == "" {
		return disk.Layout{}, disk.ErrNoTable
	}
	return m.layout, nil
}

// Letters implements disk.Drives.
func (m *madeUp) Letters() (map[string]disk.Place, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.letters), nil
}

// take does what diskpart would do.
func (m *madeUp) take(script string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := 0
	for line := range strings.Lines(script) {
		words := strings.Fields(line)
		value := map[string]string{}
		for _, w := range words {
			if name, text, ok := strings.Cut(w, "="); ok {
				value[name] = text
			}
		}
		number := func(name string, unit int64) int64 {
			n, _ := strconv.ParseInt(value[name], 10, 64)
			return n * unit
		}
		switch {
		case len(words) == 0:
		case words[0] == "clean":
			m.layout = disk.Layout{}
			maps.DeleteFunc(m.letters, func(_ string, p disk.Place) bool { return p.Disk == 0 })
		case words[0] == "convert":
			m.layout.Table = disk.TableKind(words[1])
		case words[0] == "uniqueid":
			m.layout.TableID = value["id"]
		case words[0] == "create":
			at = len(m.layout.Partitions) + 1
			m.layout.Partitions = append(m.layout.Partitions, disk.Partition{Number: at, Start: number("offset", 1<<10), Size: number("size", 1<<20)})
		case words[0] == "select" && words[1] == "partition":
			at, _ = strconv.Atoi(words[2])
		case words[0] == "assign":
			m.letters[value["letter"]] = disk.Place{Disk: 0, Partition: at}
		}
	}
}

// loopback is an adapter that has an address.
type loopback struct{}

func (loopback) Adapters() []network.Adapter {
	return []network.Adapter{{Name: "Ethernet", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 0x77}, State: network.Leased,
		Lease: network.Lease{Address: netip.MustParsePrefix("127.0.0.1/8")}}}
}
