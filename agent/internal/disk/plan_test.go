package disk

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

const gib = 1 << 30

func shape(l Layout) string {
	var s []string
	for _, p := range l.Partitions {
		s = append(s, fmt.Sprintf("%s@%d+%d", p.Role, p.Start/mib, p.Size/mib))
	}
	return string(l.Table) + " " + strings.Join(s, " ")
}

func TestPlans(t *testing.T) {
	tests := []struct {
		name string
		spec Spec
		size int64
		want string
	}{
		{"linux, UEFI", Spec{Layout: LayoutLinux, Firmware: UEFI}, 20 * gib, "gpt esp@1+512 root@513+19966"},
		{"linux, UEFI, swap", Spec{Layout: LayoutLinux, Firmware: UEFI, SwapMiB: 2048}, 20 * gib, "gpt esp@1+512 swap@513+2048 root@2561+17918"},
		{"linux, BIOS", Spec{Layout: LayoutLinux, Firmware: BIOS}, 20 * gib, "mbr root@1+20479"},
		{"linux, BIOS, GPT", Spec{Layout: LayoutLinux, Firmware: BIOS, Table: GPT}, 20 * gib, "gpt biosboot@1+1 root@2+20477"},
		{"linux, both ways", Spec{Layout: LayoutLinux, Firmware: BIOS, BothWays: true}, 20 * gib, "gpt biosboot@1+1 esp@2+512 root@514+19965"},
		{"linux, BIOS, 3 TiB", Spec{Layout: LayoutLinux, Firmware: BIOS}, 3 << 40, "gpt biosboot@1+1 root@2+3145725"},
		{"windows, UEFI", Spec{Layout: LayoutWindows, Firmware: UEFI}, 100 * gib, "gpt esp@1+499 msr@500+128 windows@628+100747 recovery@101375+1024"},
		{"windows, BIOS", Spec{Layout: LayoutWindows, Firmware: BIOS}, 100 * gib, "mbr esp@1+499 windows@500+100876 recovery@101376+1024"},
		{"custom", Spec{Layout: LayoutCustom, Firmware: UEFI, Wants: []Want{{Role: RoleESP, Size: Size{MiB: 300}}, {Role: RoleRoot, Size: Size{Percent: 50}}, {Role: RoleData, Size: Size{Rest: true}}}},
			10 * gib, "gpt esp@1+300 root@301+5119 data@5420+4819"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := Plan(tt.spec, Geometry{Size: tt.size, SectorSize: 512})
			if err != nil {
				t.Fatal(err)
			}
			if got := shape(l); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestWhatCannotBe(t *testing.T) {
	custom := func(text string) Spec {
		wants, err := ParseWants(text)
		if err != nil {
			t.Fatal(err)
		}
		return Spec{Layout: LayoutCustom, Firmware: BIOS, Wants: wants}
	}
	withTable := func(s Spec, k TableKind) Spec { s.Table = k; return s }
	tests := []struct {
		name string
		spec Spec
		size int64
		err  error
		want string
	}{
		{"too small", Spec{Layout: LayoutLinux, Firmware: UEFI}, 900 * mib, ErrTooSmall, "it has 900 MiB, this layout needs 1026 MiB"},
		{"no disk at all", Spec{Layout: LayoutLinux, Firmware: BIOS}, 0, ErrTooSmall, "it has 0 MiB"},
		{"swap larger than the disk", Spec{Layout: LayoutLinux, Firmware: UEFI, SwapMiB: 1 << 20}, 10 * gib, ErrTooSmall, ""},
		{"MBR for UEFI", Spec{Layout: LayoutLinux, Firmware: UEFI, Table: MBR}, 10 * gib, ErrSpec, "needs a GPT"},
		{"MBR beyond 2 TiB", Spec{Layout: LayoutLinux, Firmware: BIOS, Table: MBR}, 3 << 40, ErrSpec, "use a GPT"},
		{"five in an MBR", withTable(custom("root 600\ndata 20\ndata 20\ndata 20\ndata 20"), MBR), 10 * gib, ErrSpec, "holds 4 partitions"},
		{"two rests", custom("root rest\ndata rest"), 10 * gib, ErrSpec, "only one"},
		{"two roots", custom("root 600\nroot 600"), 10 * gib, ErrSpec, "there is one already"},
		{"more than all", custom("root 70%\ndata 40%"), 10 * gib, ErrSpec, "110%"},
		{"unknown role", custom("home rest"), 10 * gib, ErrSpec, "the roles are biosboot, data, esp"},
		{"file system that the role has not", custom("root rest fs=vfat"), 10 * gib, ErrSpec, "it takes ext4"},
		{"label", custom("esp 300 label=twelve-chars\nroot rest"), 10 * gib, ErrSpec, "at most 11"},
		{"root too small", custom("root 100"), 10 * gib, ErrSpec, "needs 512 MiB at least"},
		{"no firmware", Spec{Layout: LayoutLinux}, 10 * gib, ErrSpec, "no firmware"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Plan(tt.spec, Geometry{Size: tt.size, SectorSize: 512})
			if !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %v with %q", err, tt.err, tt.want)
			}
		})
	}
	small := custom("esp 200\nroot rest")
	if _, err := Plan(small, Geometry{Size: 10 * gib, SectorSize: 4096}); !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), "260") {
		t.Errorf("a FAT32 of 200 MiB on sectors of 4096 bytes: %v", err)
	}
}

// checkPlan holds a plan against what every plan must be.
func checkPlan(t *testing.T, l Layout, g Geometry) {
	t.Helper()
	end := int64(0)
	for i, p := range l.Partitions {
		switch {
		case p.Number != i+1:
			t.Errorf("partition %d has the number %d", i+1, p.Number)
		case p.Start%align != 0 || p.Size%align != 0 || p.Size <= 0:
			t.Errorf("partition %d is not aligned: %d+%d", p.Number, p.Start, p.Size)
		case p.Start < max(end, align):
			t.Errorf("partition %d begins at %d, within what is before it", p.Number, p.Start)
		}
		end = p.End()
	}
	last := g.Size
	if l.Table == GPT {
		last -= gptArrayBytes + int64(g.SectorSize)
	}
	if end > last {
		t.Errorf("partitions end at %d, the space at %d", end, last)
	}
	if l.Table == MBR && end/int64(g.SectorSize) > 1<<32 {
		t.Errorf("an MBR cannot say %d", end)
	}
}

// Whatever is wanted of whatever disk: a plan is right, or the error is one of two.
func TestPlansAreRight(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	planned := 0
	for range 20_000 {
		g := Geometry{Size: r.Int64N(1 << (20 + r.IntN(23))), SectorSize: []int{512, 4096}[r.IntN(2)]}
		s := Spec{Layout: []string{LayoutLinux, LayoutWindows, LayoutCustom}[r.IntN(3)], Firmware: []Firmware{UEFI, BIOS}[r.IntN(2)],
			Table: []TableKind{"", GPT, MBR}[r.IntN(3)], BothWays: r.IntN(4) == 0, SwapMiB: r.Int64N(3) * r.Int64N(9000)}
		for range r.IntN(6) {
			role := []Role{RoleESP, RoleBIOSBoot, RoleRoot, RoleSwap, RoleData, RoleData, RoleMSR}[r.IntN(7)]
			size := []Size{{MiB: 1 + r.Int64N(1<<r.IntN(30))}, {Percent: 1 + r.IntN(60)}, {Rest: true}}[r.IntN(3)]
			s.Wants = append(s.Wants, Want{Role: role, Size: size})
		}
		l, err := Plan(s, g)
		if err != nil {
			if !errors.Is(err, ErrSpec) && !errors.Is(err, ErrTooSmall) {
				t.Fatalf("%+v on %+v: %v", s, g, err)
			}
			continue
		}
		planned++
		checkPlan(t, l, g)
		if t.Failed() {
			t.Fatalf("%+v on %+v: %s", s, g, shape(l))
		}
	}
	if planned < 1000 {
		t.Errorf("only %d plans came out", planned)
	}
}

func FuzzCustomLayout(f *testing.F) {
	f.Add("esp 512MiB\nroot rest fs=ext4 label=x", int64(20*gib), true)
	f.Add("# nothing\nroot 50%\ndata 1TiB", int64(3<<40), false)
	f.Fuzz(func(t *testing.T, text string, size int64, uefi bool) {
		wants, err := ParseWants(text)
		if err != nil {
			return
		}
		s := Spec{Layout: LayoutCustom, Firmware: BIOS, Wants: wants}
		if uefi {
			s.Firmware = UEFI
		}
		for _, sector := range []int{512, 4096} {
			g := Geometry{Size: size, SectorSize: sector}
			if l, err := Plan(s, g); err == nil {
				checkPlan(t, l, g)
			}
		}
	})
}

func TestIdsFollowFromTheSeed(t *testing.T) {
	l, err := Plan(Spec{Layout: LayoutLinux, Firmware: UEFI, SwapMiB: 100}, Geometry{Size: 10 * gib, SectorSize: 512})
	if err != nil {
		t.Fatal(err)
	}
	again := Layout{Partitions: append([]Partition(nil), l.Partitions...), Format: l.Format, Table: l.Table, Firmware: l.Firmware, SectorSize: l.SectorSize}
	other := again
	other.Partitions = append([]Partition(nil), l.Partitions...)
	l.Identify("d1", "seed")
	again.Identify("d1", "seed")
	other.Identify("d1", "another")
	if l.Text() != again.Text() || l.Text() == other.Text() || l.TableID == other.TableID {
		t.Errorf("%s\n%s\n%s", l.Text(), again.Text(), other.Text())
	}
	ids := map[string]bool{l.TableID: true}
	for _, p := range l.Partitions {
		for _, id := range []string{p.UUID, p.PartUUID} {
			if id == "" || ids[id] {
				t.Errorf("partition %d: id %q", p.Number, id)
			}
			ids[id] = true
		}
	}
}
