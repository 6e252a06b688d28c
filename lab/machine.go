package lab

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Firmware is the kind of machine: what it powers on with, and how it asks the network.
type Firmware string

// The kinds of firmware.
const (
	BIOS      Firmware = "bios"       // SeaBIOS, the NIC's ROM is iPXE of 2019
	PlainBIOS Firmware = "plain-bios" // a PXE ROM that does not say it is iPXE
	UEFI      Firmware = "uefi"       // EDK2's own PXE client
	UEFIHTTP  Firmware = "uefi-http"  // EDK2's own HTTP Boot client
	Direct    Firmware = "direct"     // no network boot: Kernel and Initrd below
)

// NetworkFirmwares are those that boot from the network, in the order of the tests.
func NetworkFirmwares() []Firmware { return []Firmware{BIOS, UEFI, UEFIHTTP} }

// virtioNIC is the one card that EDK2 in QEMU has a driver for; the others boot
// UEFI machines by the iPXE in their ROM.
const virtioNIC = "virtio-net-pci"

// NoNIC as a machine's NIC leaves it without a network card.
const NoNIC = "none"

// Disk is a disk image file of a machine.
type Disk struct {
	Path   string
	Cache  string // QEMU's cache mode, default writeback: a flush by the guest reaches the host's disk
	Serial string // of a virtio disk: the number that it is known by in whatever slot
	Bus    string // virtio (the default), nvme, or ata: an SSD
}

// device is QEMU's device of the disk with this number.
func (d Disk) device(number int) string {
	switch d.Bus {
	case "nvme":
		return fmt.Sprintf("nvme,serial=LAB-NVME-%d", number)
	case "ata":
		return fmt.Sprintf("ide-hd,rotation_rate=1,serial=LAB-SSD-%d", number)
	}
	if d.Serial != "" {
		return "virtio-blk-pci,serial=" + d.Serial
	}
	return "virtio-blk-pci"
}

// MachineConfig describes a machine. Zero values are filled in by Defaults.
type MachineConfig struct {
	// SecureBoot is for UEFI: the firmware has Microsoft's keys (2011) and starts
	// nothing else, but what the certificate Enrol (DER) signed when there is one.
	SecureBoot bool
	Enrol      []byte

	Name     string
	Firmware Firmware
	MAC      string
	UUID     string
	Serial   string
	Memory   int    // MiB
	NIC      string // QEMU's device name, default virtio-net-pci
	MAC2     string // of a second card of the same kind, on the same segment; "": there is none
	Disks    []Disk
	LateDisk bool // a disk may be plugged in while it runs (PlugIn)

	// A medium that comes before the network card in the boot order.
	CD, USB string // files: in a CD drive, or as a stick

	// NoIPv6 is for UEFI, a setting of many firmwares: no PXE by IPv6, for whose
	// answer a machine otherwise waits more than a minute before it tries its disk.
	NoIPv6 bool

	RTC string // the hardware clock at power-on, "2001-01-01T00:00:00"; "": the host's

	DebugPort string // file that gets what programs write to port 0xe9; "": none

	// For Direct only.
	Kernel, Initrd, Cmdline string
	DiskFirst               bool // the disks come before the network card
	NoReboot                bool // a reboot ends QEMU instead
}

// Defaults returns the configuration with everything that was left out.
func (c MachineConfig) Defaults() MachineConfig {
	if c.Name == "" {
		c.Name = "machine"
	}
	if c.Firmware == "" {
		c.Firmware = UEFI
	}
	if c.MAC == "" {
		c.MAC = "52:54:00:77:00:01"
	}
	if c.UUID == "" {
		c.UUID = "5117a7ed-0000-4000-8000-" + compactMAC(c.MAC)
	}
	if c.Serial == "" {
		c.Serial = "LAB-" + compactMAC(c.MAC)
	}
	if c.NIC == "" {
		c.NIC = virtioNIC
	}
	if c.Memory == 0 {
		c.Memory = 1024
	}
	return c
}

func compactMAC(mac string) string {
	var out []byte
	for i := range len(mac) {
		if mac[i] != ':' {
			out = append(out, mac[i])
		}
	}
	return string(out)
}

// Machine is a QEMU guest on the segment.
type Machine struct {
	MachineConfig
	QEMU    *Process
	Console *Console // its serial line
	QMP     *QMP
	Started time.Time
	run     *Run
}

// PowerOn starts a machine. Its network card is first in the boot order, disks follow.
func (n *Network) PowerOn(ctx context.Context, c MachineConfig) (*Machine, error) {
	c = c.Defaults()
	var taps []string
	for range c.macs() {
		tap, err := n.tap()
		if err != nil {
			return nil, err
		}
		taps = append(taps, tap)
	}
	files, err := c.firmwareFiles(n.run)
	if err != nil {
		return nil, err
	}
	monitor, err := listenUnix(n.run.Path(c.Name + ".qmp"))
	if err != nil {
		return nil, err
	}
	defer monitor.Close()

	line, serial, err := newLine()
	if err != nil {
		return nil, err
	}
	defer serial.Close()

	m := &Machine{MachineConfig: c, run: n.run}
	if m.Console, err = newConsole(line, n.run.Path(c.Name+"-serial.log")); err != nil {
		line.Close()
		return nil, err
	}
	argv := append([]string{"qemu-system-x86_64"}, c.arguments(taps, monitor.Addr().String())...)
	argv = append(argv, files...)
	if m.QEMU, err = n.run.startWith([]*os.File{serial}, c.Name+"-qemu", n.Bridge, argv...); err != nil {
		m.Console.Close()
		return nil, err
	}
	control, err := m.accept(ctx, monitor)
	if err != nil {
		return nil, err
	}
	if m.QMP, err = newQMP(ctx, control); err != nil {
		return nil, fmt.Errorf("monitor of %s: %w", c.Name, err)
	}
	n.run.OnClose(func() error { m.PowerOff(); return nil })
	m.Started = time.Now()
	return m, m.QMP.Run(ctx, "cont", nil, nil)
}

// PowerOff pulls the plug: SIGKILL to QEMU. What the guest had only in memory is gone.
func (m *Machine) PowerOff() {
	m.QEMU.Kill()
	m.Console.Close()
	m.QMP.Close()
}

// Reset presses the reset button.
func (m *Machine) Reset(ctx context.Context) error {
	m.Started = time.Now()
	return m.QMP.Run(ctx, "system_reset", nil, nil)
}

// PlugIn gives a running machine a disk, as a controller does that shows one late. The
// machine's LateDisk must be set.
func (m *Machine) PlugIn(ctx context.Context, d Disk) error {
	node := map[string]any{"driver": "raw", "node-name": "late", "file": map[string]any{"driver": "file", "filename": d.Path, "locking": "off"}}
	if err := m.QMP.Run(ctx, "blockdev-add", node, nil); err != nil {
		return err
	}
	device := map[string]any{"driver": "virtio-blk-pci", "drive": "late", "serial": d.Serial, "bootindex": 2}
	if m.Firmware != BIOS {
		device["bus"] = latePort
	}
	return m.QMP.Run(ctx, "device_add", device, nil)
}

// latePort is where a PCI Express machine takes a LateDisk; the PC with BIOS takes one
// anywhere.
const latePort = "late-port"

// arguments returns QEMU's command line but for the firmware's files. The serial line is
// its descriptor 3.
func (c MachineConfig) arguments(taps []string, monitor string) []string {
	machine := "pc"
	if c.Firmware == UEFI || c.Firmware == UEFIHTTP {
		machine = "q35"
	}
	cpu := "qemu64"
	if c.SecureBoot {
		machine, cpu = "q35,smm=on", "max" // the variables are written in system management mode only
	}
	a := []string{
		"-name", c.Name, "-S", "-nodefaults", "-no-user-config", "-display", "none", "-vga", "std",
		// Never KVM: some machines open /dev/kvm and then run no guest.
		"-machine", machine, "-accel", "tcg,thread=multi", "-cpu", cpu, "-smp", "1", "-m", strconv.Itoa(c.Memory),
		"-uuid", c.UUID,
		"-smbios", "type=1,manufacturer=Slipway,product=Lab machine,serial=" + c.Serial + ",uuid=" + c.UUID,
	}
	a = append(a, c.nics(taps)...)
	a = append(a,
		"-chardev", "socket,id=serial0,fd=3", "-serial", "chardev:serial0",
		"-chardev", "socket,id=qmp0,path="+monitor, "-mon", "chardev=qmp0,mode=control",
		"-device", "virtio-rng-pci",
	)
	for i, d := range c.Disks {
		if d.Cache == "" {
			d.Cache = "writeback"
		}
		a = append(a,
			"-drive", fmt.Sprintf("if=none,id=disk%d,format=raw,file=%s,cache=%s,file.locking=off", i, d.Path, d.Cache),
			"-device", fmt.Sprintf("%s,drive=disk%d,bootindex=%d", d.device(i), i, i+2))
	}
	if c.LateDisk && c.Firmware != BIOS {
		a = append(a, "-device", "pcie-root-port,chassis=1,id="+latePort)
	}
	const medium = "if=none,id=medium,format=raw,readonly=on,file.locking=off,file="
	switch {
	case c.CD != "":
		a = append(a, "-drive", medium+c.CD+",media=cdrom", "-device", "ide-cd,drive=medium,bootindex=1")
	case c.USB != "":
		a = append(a, "-device", "qemu-xhci", "-drive", medium+c.USB, "-device", "usb-storage,drive=medium,removable=on,bootindex=1")
	}
	if c.RTC != "" {
		a = append(a, "-rtc", "base="+c.RTC)
	}
	if c.DebugPort != "" {
		a = append(a, "-debugcon", "file:"+c.DebugPort)
	}
	if c.NoReboot {
		a = append(a, "-no-reboot")
	}
	return a
}

// macs are the addresses of the machine's network cards.
func (c MachineConfig) macs() []string {
	switch {
	case c.NIC == NoNIC:
		return nil
	case c.MAC2 != "":
		return []string{c.MAC, c.MAC2}
	}
	return []string{c.MAC}
}

// nics are the arguments of the network cards; QEMU calls their cables net0, net1.
func (c MachineConfig) nics(taps []string) (a []string) {
	index := 1
	if c.DiskFirst || c.CD != "" || c.USB != "" {
		index = 100
	}
	for i, mac := range c.macs() {
		device := fmt.Sprintf("%s,netdev=net%d,mac=%s,bootindex=%d", c.NIC, i, mac, index+100*i)
		if c.NIC == virtioNIC && (c.Firmware == UEFI || c.Firmware == UEFIHTTP) {
			device += ",romfile=" // or the ROM's iPXE takes over from EDK2's own client
		}
		a = append(a, "-netdev", fmt.Sprintf("tap,id=net%d,ifname=%s,script=no,downscript=no", i, taps[i]), "-device", device)
	}
	return a
}

// firmwareFiles returns the arguments that name the firmware, and makes the
// files that a machine may write to.
func (c MachineConfig) firmwareFiles(r *Run) ([]string, error) {
	switch c.Firmware {
	case BIOS:
		return nil, nil
	case PlainBIOS:
		script := r.Path(c.Name + ".ipxe")
		text := "#!ipxe\nset user-class plain\nautoboot\n"
		return []string{"-kernel", "/usr/lib/ipxe/ipxe.lkrn", "-initrd", script}, os.WriteFile(script, []byte(text), 0o644)
	case Direct:
		return []string{"-kernel", c.Kernel, "-initrd", c.Initrd, "-append", c.Cmdline}, nil
	case UEFI, UEFIHTTP:
		vars, kind := r.Path(c.Name+"-vars.fd"), ""
		if c.SecureBoot {
			kind = ".ms"
		}
		if err := copyFile("/usr/share/OVMF/OVMF_VARS_4M"+kind+".fd", vars); err != nil {
			return nil, fmt.Errorf("UEFI variables: %w", err)
		}
		if c.Enrol != nil {
			if err := EnrolCertificate(vars, c.Enrol); err != nil {
				return nil, err
			}
		}
		a := []string{
			"-drive", "if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M" + kind + ".fd",
			"-drive", "if=pflash,unit=1,format=raw,file=" + vars,
		}
		if c.SecureBoot {
			a = append(a, "-global", "driver=cfi.pflash01,property=secure,value=on", "-global", "ICH9-LPC.disable_s3=1")
		}
		if c.NoIPv6 && c.Firmware == UEFI {
			a = append(a, "-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n")
		}
		if c.Firmware == UEFIHTTP {
			a = append(a,
				"-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n",
				"-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n")
		}
		return a, nil
	}
	return nil, fmt.Errorf("firmware %q is not known: bios, uefi or uefi-http", c.Firmware)
}
