package kmod

import (
	"path"
	"reflect"
	"strings"
	"testing"

	"slipway/bootimages/bootimagetest"
)

func TestParse(t *testing.T) {
	m, err := Parse("kernel/drivers/net/r8169.ko", bootimagetest.Module("license=GPL\x00firmware=rtl_nic/a.fw\x00softdep=pre: realtek post: x-y\x00"+
		"alias=pci:v1*\x00alias=bad alias\x00alias=new\nline\x00depends=lib-phy,mdio\x00name=r8169\x00"))
	if err != nil {
		t.Fatal(err)
	}
	want := &Module{Name: "r8169", Path: "kernel/drivers/net/r8169.ko", Depends: []string{"lib_phy", "mdio"}, Soft: []SoftDep{{Pre: []string{"realtek"}, Post: []string{"x-y"}}},
		Aliases: []string{"pci:v1*"}, Firmware: []string{"rtl_nic/a.fw"}, Signed: true}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got %+v", m)
	}
	if _, err := Parse("a.ko", []byte("not a module")); err == nil {
		t.Error("nonsense was accepted")
	}
	if _, err := Parse("a.ko", bootimagetest.Program(false)); err == nil {
		t.Error("an ELF file without .modinfo was accepted")
	}
}

func modules() []*Module {
	return []*Module{
		{Name: "net_failover", Path: "k/net_failover.ko", Depends: []string{"failover"}},
		{Name: "failover", Path: "k/failover.ko"},
		{Name: "virtio_net", Path: "k/virtio_net.ko", Depends: []string{"net_failover", "failover", "virtio"}, Aliases: []string{"virtio:d1v*", "a", "a"}},
		{Name: "virtio", Path: "k/virtio.ko"},
		{Name: "ext4", Path: "k/ext4.ko", Depends: []string{"nls_utf8"}, Soft: []SoftDep{{Pre: []string{"crypto-crc32c"}}}},
		{Name: "crc32c_generic", Path: "k/crc32c_generic.ko", Aliases: []string{"crypto-crc32c"}},
		{Name: "crc32c_intel", Path: "k/crc32c-intel.ko", Aliases: []string{"crypto-crc32c"}, Firmware: []string{"b", "a"}},
		{Name: "other", Path: "k/other.ko"},
		{Name: "broken", Path: "k/broken.ko", Depends: []string{"gone"}},
	}
}

func names(set []*Module) string {
	var out []string
	for _, m := range set {
		out = append(out, m.Name)
	}
	return strings.Join(out, " ")
}

func TestClosure(t *testing.T) {
	x := NewIndex(modules(), "kernel/fs/nls/nls_utf8.ko\n")
	set, missing, err := x.Closure([]string{"virtio-net", "ext4", "nls-utf8", "nowhere"})
	if err != nil {
		t.Fatal(err)
	}
	if got := names(set); got != "crc32c_intel crc32c_generic ext4 failover net_failover virtio virtio_net" {
		t.Errorf("set: %s", got)
	}
	if !reflect.DeepEqual(missing, []string{"nowhere"}) {
		t.Errorf("missing: %v", missing)
	}
	if _, _, err := x.Closure([]string{"broken"}); err == nil || !strings.Contains(err.Error(), "broken needs gone") {
		t.Errorf("an unmet dependency: %v", err)
	}
}

func TestIndexes(t *testing.T) {
	x := NewIndex(modules(), "kernel/nls_utf8.ko")
	set, _, err := x.Closure([]string{"virtio_net", "ext4"})
	if err != nil {
		t.Fatal(err)
	}
	dep := "k/crc32c-intel.ko:\nk/crc32c_generic.ko:\nk/ext4.ko:\nk/failover.ko:\nk/net_failover.ko: k/failover.ko\nk/virtio.ko:\n" +
		"k/virtio_net.ko: k/virtio.ko k/net_failover.ko k/failover.ko\n"
	if got := string(x.Dep(set)); got != dep {
		t.Errorf("modules.dep:\n%s", got)
	}
	alias := "alias crypto-crc32c crc32c_intel\nalias crypto-crc32c crc32c_generic\nalias a virtio_net\nalias virtio:d1v* virtio_net\n"
	if got := string(Alias(set)); got != alias {
		t.Errorf("modules.alias:\n%s", got)
	}
	if got := string(SoftDeps(set)); got != "softdep ext4 pre: crypto-crc32c\n" {
		t.Errorf("modules.softdep:\n%s", got)
	}
	if got := string(Firmware(set)); got != "crc32c_intel: a b\n" {
		t.Errorf("modules.firmware:\n%s", got)
	}
}

// A dependency cycle cannot come from a kernel build, but from a damaged package.
func TestCyclesEnd(t *testing.T) {
	x := NewIndex([]*Module{{Name: "a", Path: "a.ko", Depends: []string{"b"}}, {Name: "b", Path: "b.ko", Depends: []string{"a"}}}, "")
	set, _, err := x.Closure([]string{"a"})
	if err != nil || names(set) != "a b" {
		t.Errorf("%s %v", names(set), err)
	}
	if got := string(x.Dep(set)); got != "a.ko: b.ko\nb.ko: a.ko\n" {
		t.Errorf("modules.dep:\n%s", got)
	}
}

func TestMatch(t *testing.T) {
	aliases := "# comment\nalias pci:v00008086d000010D3sv*sd*bc*sc*i* e1000e\nalias pci:v*d*sv*sd*bc01sc06i01* ahci\nalias pci:v00008086d0000[1-2]0D3sv*sd*bc*sc*i* other\n"
	if got := Match(aliases, PCIAlias(0x8086, 0x10d3)); !reflect.DeepEqual(got, []string{"e1000e", "other"}) {
		t.Errorf("got %v", got)
	}
	if got := Match(aliases, PCIAlias(0x8086, 0x10d4)); got != nil {
		t.Errorf("got %v", got)
	}
}

func FuzzModinfo(f *testing.F) {
	f.Add(bootimagetest.Module("depends=a,b\x00alias=x\x00softdep=pre: a post: b\x00"))
	f.Add(bootimagetest.Program(true))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse("kernel/a.ko", b)
		if err != nil {
			return
		}
		set := []*Module{m}
		for _, text := range [][]byte{Alias(set), SoftDeps(set), Firmware(set)} {
			for line := range strings.Lines(string(text)) {
				if !strings.HasPrefix(line, "alias ") && !strings.HasPrefix(line, "softdep a ") && !strings.HasPrefix(line, "a: ") {
					t.Fatalf("a module broke the index: %q", line)
				}
			}
		}
	})
}

// Glob must agree with path.Match where that one has no rules of its own.
func FuzzGlob(f *testing.F) {
	f.Add("pci:v00008086d*sv*sd*bc02sc00i*", "pci:v00008086d000010D3sv00000000sd00000000bc02sc00i00")
	f.Add("usb:v*p*d[0-8]*dc*", "usb:v1p2d3dc4")
	f.Add("a*b?c*", "axxbyc")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		got := Glob(pattern, s)
		if strings.ContainsAny(pattern, "\\[]/") || strings.Contains(s, "/") || !ascii(pattern) || !ascii(s) {
			return
		}
		if want, err := path.Match(pattern, s); err == nil && got != want {
			t.Fatalf("Glob(%q, %q) = %t", pattern, s, got)
		}
	})
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}
