package facts

import (
	"reflect"
	"slices"
	"testing"
	"testing/fstest"
)

// machine returns a root file system with these files.
func machine(files map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

const dmi = "sys/class/dmi/id/"

func TestGatherALaptop(t *testing.T) {
	f := Gather(machine(map[string]string{
		dmi + "sys_vendor": "LENOVO\n", dmi + "product_name": "20XW0001GE\n", dmi + "product_serial": "PF-1234\n",
		dmi + "product_uuid": "6BA7B810-9DAD-11D1-80B4-00C04FD430C8\n", dmi + "board_name": "20XWCTO1WW\n",
		dmi + "chassis_type": "10\n", dmi + "chassis_asset_tag": "No Asset Information\n", dmi + "product_sku": "LENOVO_MT_20XW\n",
		"proc/meminfo": "MemTotal:       16077832 kB\nMemFree: 1 kB\n", "proc/cpuinfo": "flags\t: fpu vme\ncpu MHz\t\t: 2800.123\n",
		"sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c": "\x06\x00\x00\x00\x01",
		"sys/class/tpm/tpm0/dev":           "10:224\n",
		"sys/class/power_supply/AC/online": "0\n", "sys/class/power_supply/BAT0/capacity": "50\n",
		"sys/block/nvme0n1/size": "1000215216\n", "sys/block/nvme0n1/device/model": "SAMSUNG MZVLB512   \n",
		"sys/block/loop0/size": "8\n", "sys/block/sr0/size": "2048\n", "sys/block/sda/size": "0\n",
	}), "amd64")
	want := map[string]string{
		"Make": "LENOVO", "MakeAlias": "Lenovo", "Model": "20XW0001GE", "ModelAlias": "20XW", "SystemAlias": "20XWCTO1WW", "SerialNumber": "PF-1234",
		"UUID": "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "Memory": "15701", "ProcessorSpeed": "2800", "Architecture": "x64",
		"IsUEFI": "True", "SecureBoot": "True", "TPM": "True", "Chassis": "Laptop", "IsLaptop": "True", "IsDesktop": "False", "IsServer": "False",
		"IsVM": "False", "IsOnBattery": "True", "OSVersion": "LinuxPE", "Disks": "nvme0n1 512 GB SAMSUNG MZVLB512",
	}
	for name, v := range want {
		if f[name] != v {
			t.Errorf("%s = %q, want %q", name, f[name], v)
		}
	}
	if d := f.Device([]string{"52:54:00:12:34:56"}); d.Serial != "PF-1234" || d.UUID != want["UUID"] || d.Model != "20XW0001GE" || len(d.MAC) != 1 {
		t.Errorf("claim %+v", d)
	}
}

func TestGatherAnEmptyMachine(t *testing.T) {
	f := Gather(machine(nil), "arm64")
	if f["IsUEFI"] != "False" || f["SecureBoot"] != "False" || f["IsOnBattery"] != "False" || f["Architecture"] != "arm64" || f["Memory"] != "0" {
		t.Errorf("got %v", f)
	}
	if disks := f.List("Disks"); disks == nil || len(disks) != 0 {
		t.Errorf("disks %v", disks)
	}
}

func TestPlaceholdersAreLeftOut(t *testing.T) {
	for _, text := range []string{"To Be Filled By O.E.M.", "Default string", "None", "System Serial Number", "Not Specified", "0", ""} {
		f := Gather(machine(map[string]string{dmi + "product_serial": text}), "amd64")
		if v, ok := f["SerialNumber"]; ok {
			t.Errorf("%q became the serial %q", text, v)
		}
	}
}

func TestAliases(t *testing.T) {
	for name, want := range map[string]string{"Dell Inc.": "Dell", "HP": "HP", "Hewlett-Packard": "HP", "Microsoft Corporation": "Microsoft", "Example Inc.": "Example Inc."} {
		if got := makeAlias(name); got != want {
			t.Errorf("%q became %q", name, got)
		}
	}
}

func TestListsOfSeveral(t *testing.T) {
	f := Facts{"Disks": "sda 1 GB\nsdb 2 GB"}
	if !reflect.DeepEqual(f.List("Disks"), []string{"sda 1 GB", "sdb 2 GB"}) || !slices.Contains(Lists(), "Disks") {
		t.Errorf("got %v", f.List("Disks"))
	}
}

func TestVirtualMachines(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"by vendor":    {dmi + "sys_vendor": "QEMU"},
		"by processor": {"proc/cpuinfo": "flags : sse hypervisor lahf_lm"},
	} {
		if f := Gather(machine(files), "amd64"); f["IsVM"] != "True" {
			t.Errorf("%s: not seen", name)
		}
	}
}
