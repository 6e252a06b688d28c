package disk

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// fixture builds a /sys out of lines "path content" and links "path -> target".
func fixture(lines string) fstest.MapFS {
	m := fstest.MapFS{}
	for line := range strings.Lines(lines) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" {
			continue
		}
		if target, ok := strings.CutPrefix(rest, "-> "); ok {
			m[name] = &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
			continue
		}
		m[name] = &fstest.MapFile{Data: []byte(rest + "\n")}
	}
	return m
}

const nvmeAt = "sys/devices/pci0000:00/0000:00:04.0/nvme/nvme0/nvme0n1"

func TestDisksAreListed(t *testing.T) {
	root := fixture(`
sys/block/nvme0n1 -> ../devices/pci0000:00/0000:00:04.0/nvme/nvme0/nvme0n1
` + nvmeAt + `/size 1953525168
` + nvmeAt + `/wwid eui.0025385b71b0a3c1
` + nvmeAt + `/queue/logical_block_size 4096
` + nvmeAt + `/queue/physical_block_size 4096
` + nvmeAt + `/device/model Samsung SSD 980
` + nvmeAt + `/device/serial S649NX0
sys/block/sdb -> ../devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sdb
sys/devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sdb/size 100
sys/devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sdb/queue/rotational 1
sys/devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sdb/device/vendor ATA
sys/devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sdb/device/model ST1000
sys/devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sdb/device/wwid t10.ATA     ST1000    Z1
sys/devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sdb/device/vpd_pg80 ....Z1
sys/block/sdaa/size 7
sys/block/sdaa/removable 1
sys/block/vda -> ../devices/pci0000:00/0000:00:05.0/virtio2/block/vda
sys/devices/pci0000:00/0000:00:05.0/virtio2/block/vda/size 8
sys/devices/pci0000:00/0000:00:05.0/virtio2/block/vda/device/vendor 0x1af4
sys/block/mmcblk0/size 9
sys/block/mmcblk0boot0/size 9
sys/block/sdc/size 0
sys/block/sr0/size 5
sys/block/loop3/size 5
sys/block/dm-0/size 5
`)
	list, err := ReadDisks(root, false)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range list {
		names = append(names, d.Name)
	}
	if got := strings.Join(names, " "); got != "nvme0n1 mmcblk0 sdb sdaa vda" {
		t.Fatalf("listed: %s", got)
	}
	n, b, v := list[0], list[2], list[4]
	if n.ID != "wwid-eui.0025385b71b0a3c1" || n.Bus != BusNVMe || n.Size != 1953525168*512 || n.SectorSize != 4096 || n.Serial != "S649NX0" || n.Rotational {
		t.Errorf("NVMe: %+v", n)
	}
	if b.ID != "wwid-t10.ATA_ST1000_Z1" || b.Bus != BusATA || !b.Rotational || b.Model != "ST1000" || b.Serial != "Z1" {
		t.Errorf("ATA: %+v", b)
	}
	if v.ID != "path-pci0000:00_0000:00:05.0_virtio2" || v.Bus != BusVirtio || v.SectorSize != 512 {
		t.Errorf("virtio: %+v", v)
	}
	if !list[3].External() {
		t.Errorf("removable: %+v", list[3])
	}
}

func TestIdsAreUnique(t *testing.T) {
	list, err := ReadDisks(fixture("sys/block/sda/size 5\nsys/block/sda/serial 1\nsys/block/sdb/size 5\nsys/block/sdb/serial 1"), false)
	if err != nil || len(list) != 2 || list[0].ID == list[1].ID {
		t.Errorf("%+v, %v", list, err)
	}
}
