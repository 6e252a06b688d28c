package boot

import (
	"context"
	"errors"
	"log/slog"
	"path"
	"reflect"
	"slices"
	"testing"
	"testing/fstest"
	"time"
)

// moduleFiles are in the text formats of kmod 30 (depmod).
func moduleFiles() fstest.MapFS {
	text := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	return fstest.MapFS{
		"modules.dep": text("kernel/drivers/virtio/virtio.ko:\n" +
			"kernel/drivers/virtio/virtio_ring.ko: kernel/drivers/virtio/virtio.ko\n" +
			"kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko\n" +
			"kernel/net/core/failover.ko:\n" +
			"kernel/drivers/net/virtio_net.ko: kernel/net/core/failover.ko kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko\n" +
			"kernel/drivers/net/phy/realtek.ko:\n" +
			"kernel/drivers/net/r8169.ko.xz:\n"),
		"modules.alias": text("# Aliases extracted from modules themselves.\n" +
			"alias pci:v00001AF4d*sv*sd*bc*sc*i* virtio_pci\n" +
			"alias virtio:d00000001v* virtio-net\n" +
			"alias pci:v000010ECd00008168sv*sd*bc*sc*i* r8169\n" +
			"alias fs-ext4 ext4\n"),
		"modules.softdep": text("softdep r8169 pre: realtek\n"),
	}
}

func readModules(t *testing.T) *Modules {
	t.Helper()
	m, err := ReadModules(moduleFiles())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPlan(t *testing.T) {
	m := readModules(t)
	tests := map[string][]string{
		"virtio-net":                  {"virtio.ko", "virtio_ring.ko", "failover.ko", "virtio_net.ko"},
		"r8169":                       {"realtek.ko", "r8169.ko.xz"},
		"virtio:d00000001v00001AF4":   {"virtio.ko", "virtio_ring.ko", "failover.ko", "virtio_net.ko"},
		"pci:v000010ECd00008169sv0sd": nil,
		"unknown":                     nil,
	}
	for name, want := range tests {
		var got []string
		for _, f := range m.Plan(name) {
			got = append(got, path.Base(f))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("Plan(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestReadModulesWithoutIndex(t *testing.T) {
	if _, err := ReadModules(fstest.MapFS{}); err == nil {
		t.Error("a missing modules.dep is no error")
	}
}

// bus is a fake sysfs in which a driver makes new devices known, as virtio_pci does.
type bus struct {
	sys    fstest.MapFS
	loaded []string
	broken string
}

func (b *bus) Load(file string) error {
	name := path.Base(file)
	if name == b.broken {
		return errors.New("invalid module format")
	}
	b.loaded = append(b.loaded, name)
	if name == "virtio_pci.ko" {
		b.sys["devices/pci0000:00/0000:00:03.0/virtio0/modalias"] = &fstest.MapFile{Data: []byte("virtio:d00000001v00001AF4\n")}
	}
	return nil
}

func newBus() *bus {
	return &bus{sys: fstest.MapFS{
		"devices/pci0000:00/0000:00:03.0/modalias": {Data: []byte("pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00\n")},
		"devices/pci0000:00/0000:00:04.0/modalias": {Data: []byte("pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00\n")},
		"devices/platform/none/modalias":           {Data: []byte("\n")},
	}}
}

func TestColdplugGoesOnUntilQuiet(t *testing.T) {
	b := newBus()
	d := NewDrivers(readModules(t), b, slog.New(slog.DiscardHandler))
	if err := d.Coldplug(context.Background(), b.sys, func(time.Duration) {}); err != nil {
		t.Fatal(err)
	}
	want := []string{"virtio.ko", "virtio_ring.ko", "virtio_pci.ko", "failover.ko", "virtio_net.ko"}
	if !slices.Equal(b.loaded, want) {
		t.Errorf("loaded %v, want %v", b.loaded, want)
	}
	if loaded, failed := d.Counts(); loaded != 5 || failed != 0 {
		t.Errorf("counts %d, %d", loaded, failed)
	}
}

// TestColdplugWaitsForSlowBuses: a bus may make its devices known a little after
// its driver came, when a round has already found nothing.
func TestColdplugWaitsForSlowBuses(t *testing.T) {
	b := &bus{sys: fstest.MapFS{"devices/usb1/modalias": {Data: []byte("usb:unknown\n")}}}
	naps := 0
	d := NewDrivers(readModules(t), b, slog.New(slog.DiscardHandler))
	err := d.Coldplug(context.Background(), b.sys, func(time.Duration) {
		if naps++; naps == 1 {
			b.sys["devices/usb1/1-1/modalias"] = &fstest.MapFile{Data: []byte("pci:v000010ECd00008168sv0sd0bc02sc00i00\n")}
		}
	})
	if want := []string{"realtek.ko", "r8169.ko.xz"}; err != nil || !slices.Equal(b.loaded, want) {
		t.Errorf("loaded %v, %v", b.loaded, err)
	}
}

// TestNetworkAdaptersComeFirst: whatever comes before them in sysfs.
func TestNetworkAdaptersComeFirst(t *testing.T) {
	b := newBus()
	b.sys["devices/a/modalias"] = &fstest.MapFile{Data: []byte("pci:v000010ECd00008168sv0sd0bc01sc00i00\n")}
	b.sys["bus/pci/devices/0000:00:03.0/modalias"] = b.sys["devices/pci0000:00/0000:00:03.0/modalias"]
	d := NewDrivers(readModules(t), b, slog.New(slog.DiscardHandler))
	if err := d.Coldplug(context.Background(), b.sys, func(time.Duration) {}); err != nil {
		t.Fatal(err)
	}
	if i := slices.Index(b.loaded, "virtio_pci.ko"); i < 0 || i > slices.Index(b.loaded, "realtek.ko") {
		t.Errorf("loaded %v", b.loaded)
	}
}

func TestColdplugSurvivesAModuleThatFails(t *testing.T) {
	b := newBus()
	b.broken = "failover.ko"
	d := NewDrivers(readModules(t), b, slog.New(slog.DiscardHandler))
	if err := d.Coldplug(context.Background(), b.sys, func(time.Duration) {}); err != nil {
		t.Fatal(err)
	}
	if loaded, failed := d.Counts(); loaded != 4 || failed != 1 {
		t.Errorf("counts %d, %d", loaded, failed)
	}
	if d.Load("virtio_net") != 0 {
		t.Error("a file was tried twice")
	}
}

func TestColdplugEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	d := NewDrivers(readModules(t), newBus(), slog.New(slog.DiscardHandler))
	if err := d.Coldplug(ctx, newBus().sys, func(time.Duration) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func FuzzReadModules(f *testing.F) {
	f.Add("kernel/a.ko: kernel/b.ko\nkernel/b.ko: kernel/a.ko\n", "alias pci:v[0-9* a\n", "softdep a pre: b post: a\n", "pci:v1")
	f.Fuzz(func(t *testing.T, dep, alias, soft, modalias string) {
		m, err := ReadModules(fstest.MapFS{"modules.dep": {Data: []byte(dep)}, "modules.alias": {Data: []byte(alias)}, "modules.softdep": {Data: []byte(soft)}})
		if err != nil {
			return
		}
		m.Plan(modalias) // ends, also for modules that need each other
	})
}
