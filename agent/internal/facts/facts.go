// Package facts gathers what a device says of itself: SMBIOS, processor, memory,
// firmware, disks. On Linux all of it comes from /sys and /proc, on Windows from the
// firmware's tables, the registry and a few calls that WinPE has too. No tool is needed.
package facts

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"slipway/agent/wire"
)

// Facts are the gathered variables by the names that task sequences know.
type Facts map[string]string

// Gather reads the facts below root (the machine's "/"). arch is the Go
// architecture of this program.
func Gather(root fs.FS, arch string) Facts {
	f := Facts{}
	f.hardware(func(name string) string { return read(root, "sys/class/dmi/id/"+name) })
	f["Architecture"] = architecture(arch)
	f["Memory"] = strconv.Itoa(memory(root))
	f.set("ProcessorSpeed", processorSpeed(root))
	_, err := fs.Stat(root, "sys/firmware/efi")
	f["IsUEFI"] = boolean(err == nil)
	f["SecureBoot"] = boolean(secureBoot(root))
	f.set("SecureBootDB", secureBootDB(root))
	_, err = fs.Stat(root, "sys/class/tpm/tpm0")
	f["TPM"] = boolean(err == nil)
	if major := read(root, "sys/class/tpm/tpm0/tpm_version_major"); major != "" {
		f["TPMVersion"] = major
	}
	f["IsVM"] = boolean(isVM(root, f))
	f["IsOnBattery"] = boolean(onBattery(root))
	f["OSVersion"] = "LinuxPE"
	f["Disks"] = strings.Join(disks(root), "\n")
	f["NetworkAdapters"] = strings.Join(adapters(root), "\n")
	return f
}

// architecture is the word that task sequences know for Go's.
func architecture(arch string) string {
	return map[string]string{"amd64": "x64", "arm64": "arm64"}[arch]
}

// Device is the claim that a sign-in carries.
func (f Facts) Device(macs []string) wire.Device {
	return wire.Device{UUID: f["UUID"], MAC: macs, Serial: f["SerialNumber"], Manufacturer: f["Manufacturer"], Model: f["Model"]}
}

// List splits a fact that holds several values.
func (f Facts) List(name string) []string {
	if f[name] == "" {
		return []string{}
	}
	return strings.Split(f[name], "\n")
}

// Lists names the facts that are lists.
func Lists() []string { return []string{"Disks", "IPAddress", "MacAddress", "NetworkAdapters"} }

func (f Facts) set(name, value string) {
	if value != "" {
		f[name] = value
	}
}

func read(root fs.FS, name string) string {
	text, _ := fs.ReadFile(root, name)
	return strings.TrimSpace(string(text))
}

// clean leaves out what firmware says when nobody filled a field in.
func clean(text string) string {
	switch strings.ToLower(strings.Trim(text, ". ")) {
	case "", "none", "default string", "to be filled by o.e.m", "not specified", "not applicable", "system serial number",
		"system product name", "system manufacturer", "unknown", "invalid", "0", "o.e.m", "oem":
		return ""
	}
	return text
}

func boolean(b bool) string { return map[bool]string{true: "True", false: "False"}[b] }

// chassis sets Chassis and the Is* variables from the SMBIOS type (DSP0134, 7.4.1).
func (f Facts) chassis(text string) {
	kind := map[string]string{
		"8": "Laptop", "9": "Laptop", "10": "Laptop", "14": "Laptop", "31": "Laptop", "32": "Tablet", "30": "Tablet",
		"3": "Desktop", "4": "Desktop", "5": "Desktop", "6": "Desktop", "7": "Desktop", "13": "Desktop", "15": "Desktop",
		"16": "Desktop", "35": "Desktop", "36": "Desktop", "17": "Server", "23": "Server", "28": "Server", "29": "Server",
	}[text]
	f.set("Chassis", kind)
	for _, k := range []string{"Laptop", "Desktop", "Server", "Tablet"} {
		f["Is"+k] = boolean(kind == k)
	}
}

// memory is the size in MiB.
func memory(root fs.FS) int {
	for line := range strings.Lines(read(root, "proc/meminfo")) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			kb, _ := strconv.Atoi(strings.Fields(rest + " 0")[0])
			return kb / 1024
		}
	}
	return 0
}

var cpuMHz = regexp.MustCompile(`(?m)^cpu MHz\s*:\s*(\d+)`)

func processorSpeed(root fs.FS) string {
	if m := cpuMHz.FindStringSubmatch(read(root, "proc/cpuinfo")); m != nil {
		return m[1]
	}
	return ""
}

func isVM(root fs.FS, f Facts) bool {
	if strings.Contains(read(root, "proc/cpuinfo"), " hypervisor") {
		return true
	}
	return f.virtual()
}

// virtual tells a virtual machine by the names it gives itself.
func (f Facts) virtual() bool {
	for _, word := range []string{"qemu", "vmware", "virtualbox", "virtual machine", "kvm", "xen", "bochs"} {
		if strings.Contains(strings.ToLower(f["Manufacturer"]+" "+f["Model"]), word) {
			return true
		}
	}
	return false
}

func onBattery(root fs.FS) bool {
	names, _ := fs.Glob(root, "sys/class/power_supply/*/online")
	for _, n := range names {
		if read(root, n) == "1" {
			return false
		}
	}
	return len(names) > 0
}

// disks lists the disks as "name size-in-GB model", without memory disks,
// optical drives and empty readers.
func disks(root fs.FS) []string {
	entries, _ := fs.ReadDir(root, "sys/block")
	var list []string
	for _, e := range entries {
		n := e.Name()
		if slices.ContainsFunc([]string{"loop", "ram", "zram", "sr", "fd", "dm-", "md", "nbd"}, func(p string) bool { return strings.HasPrefix(n, p) }) {
			continue
		}
		sectors, _ := strconv.ParseInt(read(root, path.Join("sys/block", n, "size")), 10, 64)
		if sectors == 0 {
			continue
		}
		text := n + " " + strconv.FormatInt(sectors*512/1_000_000_000, 10) + " GB"
		if model := read(root, path.Join("sys/block", n, "device/model")); model != "" {
			text += " " + model
		}
		list = append(list, text)
	}
	return list
}

// adapters lists the network adapters that are devices (no bridges, no tunnels) as
// "name vendor:device driver".
func adapters(root fs.FS) []string {
	entries, _ := fs.ReadDir(root, "sys/class/net")
	var list []string
	for _, e := range entries {
		dir := path.Join("sys/class/net", e.Name())
		vendor, device := read(root, dir+"/device/vendor"), read(root, dir+"/device/device")
		if _, err := fs.Stat(root, dir+"/device"); err != nil {
			continue
		}
		text := e.Name()
		if vendor != "" && device != "" {
			text += " " + strings.TrimPrefix(vendor, "0x") + ":" + strings.TrimPrefix(device, "0x")
		}
		for line := range strings.Lines(read(root, dir+"/device/uevent")) {
			if driver, ok := strings.CutPrefix(strings.TrimSpace(line), "DRIVER="); ok {
				text += " " + driver
			}
		}
		list = append(list, text)
	}
	return list
}
