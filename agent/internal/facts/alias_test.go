package facts

import (
	"os"
	"strings"
	"testing"
)

// TestAliasesOfRealMachines reads testdata/models.txt, which names its source.
func TestAliasesOfRealMachines(t *testing.T) {
	text, err := os.ReadFile("testdata/models.txt")
	if err != nil {
		t.Fatal(err)
	}
	models, makes := 0, map[string]int{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		field := strings.Split(line, "|")
		if len(field) != 6 {
			t.Fatalf("%q has %d fields", line, len(field))
		}
		f := Gather(machine(map[string]string{dmi + "sys_vendor": field[0] + "\n", dmi + "product_name": field[1] + "\n", dmi + "board_name": field[2] + "\n"}), "amd64")
		for i, name := range []string{"MakeAlias", "ModelAlias", "SystemAlias"} {
			if f[name] != field[3+i] {
				t.Errorf("%s %s: %s = %q, want %q", field[0], field[1], name, f[name], field[3+i])
			}
		}
		models++
		makes[f["MakeAlias"]]++
	}
	for _, make := range []string{"Dell", "HP", "Lenovo", "Microsoft", "ASUS", "Acer", "Fujitsu", "Supermicro", "QEMU", "VMware"} {
		if makes[make] == 0 {
			t.Errorf("no machine of %s", make)
		}
	}
	if models < 40 {
		t.Errorf("%d machines only", models)
	}
}

func TestGatherFirmwareTPMAndAdapters(t *testing.T) {
	f := Gather(machine(map[string]string{
		dmi + "bios_version": "N32ET96W (1.72 )\n", dmi + "bios_date": "03/04/2025\n", dmi + "product_version": "ThinkPad X1\n", dmi + "product_family": "ThinkPad X1\n",
		"sys/class/tpm/tpm0/tpm_version_major": "2\n",
		"sys/class/net/eth0/device/vendor":     "0x8086\n", "sys/class/net/eth0/device/device": "0x15bc\n", "sys/class/net/eth0/device/uevent": "DRIVER=e1000e\nPCI_ID=8086:15BC\n",
		"sys/class/net/lo/mtu": "65536\n",
	}), "amd64")
	for name, want := range map[string]string{"BIOSVersion": "N32ET96W (1.72 )", "BIOSDate": "03/04/2025", "SystemVersion": "ThinkPad X1",
		"SystemFamily": "ThinkPad X1", "TPM": "True", "TPMVersion": "2", "NetworkAdapters": "eth0 8086:15bc e1000e"} {
		if f[name] != want {
			t.Errorf("%s = %q, want %q", name, f[name], want)
		}
	}
}
