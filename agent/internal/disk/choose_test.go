package disk

import (
	"errors"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	nvme := Disk{ID: "n", Name: "nvme0n1", Size: 500e9, Bus: BusNVMe, Serial: "N1"}
	ssd := Disk{ID: "s", Name: "sda", Size: 250e9, Bus: BusATA, Serial: "S1", Model: "Fast SSD"}
	hdd := Disk{ID: "h", Name: "sdb", Size: 4e12, Bus: BusATA, Rotational: true, Serial: "H1"}
	stick := Disk{ID: "u", Name: "sdc", Size: 8e9, Bus: BusUSB, Serial: "U1"}
	medium := Disk{ID: "m", Name: "sdd", Size: 4e9, Bus: BusUSB, Serial: "M1", Boot: true}
	busy := Disk{ID: "b", Name: "sde", Size: 1e9, Bus: BusSCSI, Serial: "B1", InUse: "sde1 is mounted at /x"}
	all := []Disk{nvme, ssd, hdd, stick, medium, busy}
	tests := []struct {
		name string
		rule Rule
		id   string
		err  error
		want string
	}{
		{"the first", Rule{}, "n", nil, ""},
		{"index", Rule{By: ByIndex, Index: 2}, "h", nil, ""},
		{"index counts no sticks", Rule{By: ByIndex, Index: 4}, "", ErrNotFound, "sdc, 8.0 GB, usb, serial U1"},
		{"smallest that may be used", Rule{By: BySmallest}, "s", nil, ""},
		{"largest", Rule{By: ByLargest}, "h", nil, ""},
		{"fastest", Rule{By: ByFastest}, "n", nil, ""},
		{"fastest ATA", Rule{By: ByFastest, Type: BusATA}, "s", nil, ""},
		{"serial", Rule{By: BySerial, Serial: "u1"}, "u", nil, ""},
		{"serial of nobody", Rule{By: BySerial, Serial: "X"}, "", ErrNotFound, "serial number \"X\""},
		{"no serial given", Rule{By: BySerial}, "", ErrNotFound, ""},
		{"boot medium", Rule{By: BySerial, Serial: "M1"}, "", ErrRefused, "booted from it"},
		{"in use", Rule{By: ByIndex, Index: 3}, "", ErrInUse, "mounted at /x"},
		{"protected by serial", Rule{Protected: []string{" n1 "}}, "", ErrRefused, "protected"},
		{"protected by model", Rule{By: BySmallest, Protected: []string{"fast*"}}, "n", nil, ""},
		{"all protected", Rule{By: ByFastest, Type: BusNVMe, Protected: []string{"nvme*"}}, "", ErrRefused, "protected"},
		{"USB asked for", Rule{By: ByLargest, Type: BusUSB}, "u", nil, ""},
		{"no such rule", Rule{By: "best"}, "", nil, "no rule"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Choose(all, tt.rule)
			if tt.id != "" && (err != nil || d.ID != tt.id) {
				t.Fatalf("got %v, %v", d, err)
			}
			if tt.id == "" && (err == nil || tt.err != nil && !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, %v; want %v with %q", d, err, tt.err, tt.want)
			}
		})
	}
	if _, err := Choose(nil, Rule{}); err == nil || !strings.Contains(err.Error(), "has none") {
		t.Errorf("without disks: %v", err)
	}
}
