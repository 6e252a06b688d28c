package steps

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/agent/internal/disk"
	"slipway/agent/internal/disk/disktest"
	"slipway/tasksequence"
)

const gib = 1 << 30

func twoDisks(t *testing.T) *disktest.Disks {
	return disktest.New(t, disk.Disk{ID: "big", Name: "sda", Path: "/dev/sda", Size: 100 * gib, Bus: disk.BusATA, Serial: "S1"},
		disk.Disk{ID: "small", Name: "sdb", Path: "/dev/sdb", Size: 20 * gib, Bus: disk.BusATA, Serial: "S2"})
}

func formatStep(t *testing.T, disks disk.Disks, vars *tasksequence.Variables, settings map[string]any) *Step {
	t.Helper()
	s, _ := step(t, tasksequence.FormatDisk, settings, vars)
	s.Machine.Disks, s.Key = disks, "deployment/format"
	return s
}

func TestFormatDisk(t *testing.T) {
	disks, vars := twoDisks(t), tasksequence.NewVariables()
	if err := vars.Set("IsUEFI", tasksequence.Value{Text: "True"}); err != nil {
		t.Fatal(err)
	}
	s := formatStep(t, disks, vars, map[string]any{"DiskRule": "smallest", "SwapSize": 1024})
	if _, err := formatDisk(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	l, err := disk.ParseLayout(vars.Text("_TargetLayout"))
	if err != nil || l.Disk != "small" || l.Firmware != disk.UEFI || l.Table != disk.GPT || len(l.Partitions) != 3 {
		t.Errorf("%+v, %v", l, err)
	}
	if vars.Text("_TargetDisk") != "small" || vars.Text("OSDTargetSystemDrive") != disks.Root || disks.Mounted() != "small" {
		t.Errorf("target %q at %q", vars.Text("_TargetDisk"), vars.Text("OSDTargetSystemDrive"))
	}

	// A step that was interrupted looks first; one that was not formats anew.
	again := formatStep(t, disks, vars, map[string]any{"DiskRule": "smallest", "SwapSize": 1024})
	again.Interrupted = true
	if _, err := formatDisk(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	want := []string{"prepare small", "mount small", "holds small", "mount small"}
	if got := disks.Calls(); !slices.Equal(got, want) {
		t.Errorf("calls %q", got)
	}
	other := formatStep(t, disks, vars, map[string]any{"DiskRule": "smallest", "SwapSize": 2048})
	other.Interrupted = true
	if _, err := formatDisk(t.Context(), other); err != nil || !slices.Contains(disks.Calls()[len(want):], "prepare small") {
		t.Errorf("another layout was taken for done: %v, %q", err, disks.Calls())
	}
}

func TestFormatDiskRefuses(t *testing.T) {
	tests := []struct {
		name, want string
		settings   map[string]any
	}{
		{"protected", "protected disks", map[string]any{"ProtectedDisks": []string{"x", "S1"}}},
		{"protected, in lines", "protected disks", map[string]any{"ProtectedDisks": "x\ns1\n"}},
		{"no such disk", "no disk number 7", map[string]any{"DiskIndex": 7}},
		{"no such kind", "this machine has: sda", map[string]any{"DiskType": "nvme"}},
		{"too small", "it has 20480 MiB", map[string]any{"DiskIndex": 1, "SwapSize": 100000}},
		{"bad partitions", "line 2", map[string]any{"Layout": "custom", "Partitions": "root rest\nnonsense"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			disks := twoDisks(t)
			s := formatStep(t, disks, tasksequence.NewVariables(), tt.settings)
			if _, err := formatDisk(t.Context(), s); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
			if len(disks.Calls()) > 0 {
				t.Errorf("the disk was touched: %q", disks.Calls())
			}
		})
	}
}

func TestFormatDiskFails(t *testing.T) {
	disks, vars := twoDisks(t), tasksequence.NewVariables()
	broken := errors.New("input/output error")
	disks.Fail = func(what, _ string) error {
		if what == "prepare" {
			return broken
		}
		return nil
	}
	if _, err := formatDisk(t.Context(), formatStep(t, disks, vars, nil)); !errors.Is(err, broken) || vars.Text("_TargetLayout") != "" {
		t.Errorf("%v, layout %q", err, vars.Text("_TargetLayout"))
	}
}

// lateDisks show one disk more with each look from the second on.
type lateDisks struct {
	*disktest.Disks
	looks int
}

func (l *lateDisks) List(ctx context.Context) ([]disk.Disk, error) {
	all, err := l.Disks.List(ctx)
	l.looks++
	return all[:min(max(0, l.looks-1), len(all))], err
}

// TestDisksThatComeLate: no disk is chosen while more of them show themselves, and one
// that is not there is waited for.
func TestDisksThatComeLate(t *testing.T) {
	for rule, want := range map[string]string{"smallest": "small", "largest": "big", "index": "big"} {
		s := formatStep(t, &lateDisks{Disks: twoDisks(t)}, tasksequence.NewVariables(), map[string]any{"DiskRule": rule})
		s.Machine.DiskPatience = 400 * time.Millisecond
		if d, err := chooseDisk(t.Context(), s); err != nil || d.ID != want {
			t.Errorf("%s: %q, %v", rule, d.ID, err)
		}
	}
	late := &lateDisks{Disks: twoDisks(t), looks: -3} // quiet at first, as a USB stick is
	s := formatStep(t, late, tasksequence.NewVariables(), map[string]any{"DiskRule": "serial", "DiskSerial": "S2"})
	s.Machine.DiskPatience = time.Minute / 10
	if d, err := chooseDisk(t.Context(), s); err != nil || d.ID != "small" {
		t.Errorf("%q, %v", d.ID, err)
	}
	s = formatStep(t, twoDisks(t), tasksequence.NewVariables(), map[string]any{"DiskRule": "serial", "DiskSerial": "S3"})
	s.Machine.DiskPatience = 200 * time.Millisecond
	if _, err := chooseDisk(t.Context(), s); !errors.Is(err, disk.ErrNotFound) {
		t.Error(err)
	}
	s.Machine.DiskPatience = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := chooseDisk(ctx, s); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
