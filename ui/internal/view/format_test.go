package view

import (
	"testing"
	"time"

	"slipway/fleet"
)

func TestTimesInWords(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for back, want := range map[time.Duration]string{
		0: "just now", 4 * time.Second: "just now", 42 * time.Second: "42 s ago", 4 * time.Minute: "4 min ago",
		23 * time.Hour: "23 h ago", 25 * time.Hour: "2026-11-20 11:00 UTC", -2 * time.Second: "just now", -time.Hour: "2026-11-21 13:00 UTC",
	} {
		if got := Ago(now, now.Add(-back)); got != want {
			t.Errorf("%s back: %q, not %q", back, got, want)
		}
	}
	if got := Ago(now, time.Time{}); got != "never" {
		t.Errorf("no time: %q", got)
	}
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 800 * time.Millisecond: "0.8 s", 42 * time.Second: "42 s", 12*time.Minute + 4*time.Second: "12 min 04 s", 185 * time.Minute: "3 h 05 min",
	} {
		if got := Took(d); got != want {
			t.Errorf("%s: %q, not %q", d, got, want)
		}
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 41_300_000: "41.3 MB", 5_400_000_000: "5.4 GB", 7_000_000_000_000_000: "7000.0 TB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %q, not %q", n, got, want)
		}
	}
}

// TestNoStaleTruth: a device that says nothing is not shown as running, and one
// that reports progress is heard.
func TestNoStaleTruth(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	d := fleet.Deployment{Status: fleet.DeploymentRunning, UpdatedAt: now.Add(-10 * time.Minute), CurrentStep: "a"}
	if f := DeploymentFields(d, nil, d.UpdatedAt, now)["status"]; f.Status != Offline || f.Text != "No report" {
		t.Errorf("silent for 10 min: %+v", f)
	}
	p := &fleet.Progress{Path: "a", Percent: 3, At: now.Add(-5 * time.Second)}
	if f := DeploymentFields(d, p, p.At, now); f["status"].Status != Running || *f["progress"].Percent != 3 {
		t.Errorf("progress 5 s ago: %+v", f)
	}
	p.Path = "another"
	if f := DeploymentFields(d, p, p.At, now); *f["progress"].Percent != -1 {
		t.Error("the progress of another step was shown")
	}
	d.WaitsFor, d.Staged = fleet.BootImageTarget, "fedc"
	if f := DeploymentFields(d, nil, d.UpdatedAt, now)["step"]; f.Text != "Waiting for the device to start Windows PE from its own disk" {
		t.Errorf("an image on the disk: %+v", f)
	}
	d.WaitsFor = fleet.BootDisk
	if f := DeploymentFields(d, nil, d.UpdatedAt, now); f["status"].Status != Booting {
		t.Errorf("restarting: %+v", f["status"])
	}
	d.Status = fleet.DeploymentSucceeded
	if f := DeploymentFields(d, p, p.At, now); f["status"].Status != Done || f["progress"].Percent != nil {
		t.Errorf("ended: %+v", f)
	}
}

// TestAddresses: whatever an id holds, it stays one part of the path.
func TestAddresses(t *testing.T) {
	for got, want := range map[string]string{
		DeviceURL("a/../b?c#d"): "/devices/a%2F..%2Fb%3Fc%23d", SequenceURL("x y", 2): "/sequences/x%20y?version=2",
		ExportURL("x", 1, "json&a=b"): "/sequences/x/export?format=json%26a%3Db&version=1",
	} {
		if got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
