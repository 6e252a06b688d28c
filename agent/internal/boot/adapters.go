package boot

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"sort"
	"strings"
)

// PCIAdapter is a network adapter on the PCI bus, seen from its class code and
// not from its driver: it is listed even when no driver knows it.
type PCIAdapter struct {
	Slot     string // 0000:00:1f.6
	ID       string // vendor:device, four hex digits each
	Driver   string // bound driver, empty when none is
	HasNet   bool   // the driver made a network interface
	Firmware []string
}

// Trouble says in one line why the adapter cannot be used, or nothing.
func (a PCIAdapter) Trouble() string {
	switch {
	case len(a.Firmware) > 0:
		return fmt.Sprintf("%s: driver %s present, firmware missing: %s", a.ID, a.Driver, strings.Join(a.Firmware, ", "))
	case a.Driver == "":
		return fmt.Sprintf("%s: this boot image has no driver for it", a.ID)
	case !a.HasNet:
		return fmt.Sprintf("%s: driver %s gave no network interface", a.ID, a.Driver)
	}
	return ""
}

// PCIAdapters lists the PCI devices of class 02 (network controller) below sys
// and joins what the kernel log says about their firmware.
func PCIAdapters(sys fs.FS, kernelLog []string) []PCIAdapter {
	missing := missingFirmware(kernelLog)
	entries, _ := fs.ReadDir(sys, "bus/pci/devices")
	var found []PCIAdapter
	for _, e := range entries {
		dir := path.Join("bus/pci/devices", e.Name())
		if !strings.HasPrefix(attribute(sys, dir, "class"), "0x02") {
			continue
		}
		a := PCIAdapter{Slot: e.Name(), Driver: driverOf(sys, dir)}
		a.ID = strings.TrimPrefix(attribute(sys, dir, "vendor"), "0x") + ":" +
			strings.TrimPrefix(attribute(sys, dir, "device"), "0x")
		a.HasNet = hasNet(sys, dir)
		if miss, ok := missing[a.Slot]; ok {
			a.Firmware = miss.files
			if a.Driver == "" { // a probe that failed for its firmware leaves no driver bound
				a.Driver = miss.driver
			}
		}
		found = append(found, a)
	}
	return found
}

func attribute(sys fs.FS, dir, name string) string {
	text, _ := fs.ReadFile(sys, path.Join(dir, name))
	return strings.TrimSpace(string(text))
}

// driverOf reads the driver's name from the device's uevent, which needs no
// symbolic link.
func driverOf(sys fs.FS, dir string) string {
	for line := range strings.Lines(attribute(sys, dir, "uevent")) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "DRIVER="); ok {
			return name
		}
	}
	return ""
}

// hasNet looks for a net folder in the device and, for virtio, one level below.
func hasNet(sys fs.FS, dir string) bool {
	if list, err := fs.ReadDir(sys, path.Join(dir, "net")); err == nil && len(list) > 0 {
		return true
	}
	below, _ := fs.Glob(sys, path.Join(dir, "*", "net", "*"))
	return len(below) > 0
}

type firmwareMiss struct {
	driver string
	files  []string
}

// The two forms of drivers/base/firmware_loader, whose messages start with the
// driver's and the device's name.
var firmwareFailed = regexp.MustCompile(
	`^(\S+) (\S+): (?:Direct firmware load for (\S+) failed|firmware: failed to load (\S+))`)

// missingFirmware collects from the kernel log, by device, which firmware files
// were asked for in vain.
func missingFirmware(kernelLog []string) map[string]firmwareMiss {
	found := map[string]firmwareMiss{}
	for _, line := range kernelLog {
		g := firmwareFailed.FindStringSubmatch(line)
		if g == nil {
			continue
		}
		miss := found[g[2]]
		miss.driver = g[1]
		if file := g[3] + g[4]; !contains(miss.files, file) && len(miss.files) < 8 {
			miss.files = append(miss.files, file)
			sort.Strings(miss.files)
		}
		found[g[2]] = miss
	}
	return found
}

func contains(list []string, s string) bool {
	for _, have := range list {
		if have == s {
			return true
		}
	}
	return false
}
