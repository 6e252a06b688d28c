package view

import "testing"

// TestFactGroups: every fact stands under exactly one heading, also one that no
// heading knows.
func TestFactGroups(t *testing.T) {
	facts := map[string]string{"Make": "Dell", "IsLaptop": "true", "Memory": "16384", "Disks": "2", "NetworkAdapters": "1", "IPAddress": "192.0.2.9", "SecureBoot": "true", "IsUEFI": "true", "Novelty": "x"}
	got := map[string]string{}
	for _, g := range factGroups(facts) {
		for _, n := range g.Names {
			got[n] = g.Label
		}
	}
	want := map[string]string{"Make": "Computer", "IsLaptop": "Computer", "Memory": "Processor and memory", "Disks": "Disks", "NetworkAdapters": "Network",
		"IPAddress": "Network", "SecureBoot": "Firmware and security", "IsUEFI": "Firmware and security", "Novelty": "Other"}
	if len(got) != len(facts) {
		t.Errorf("%d of %d facts are shown", len(got), len(facts))
	}
	for name, label := range want {
		if got[name] != label {
			t.Errorf("%s stands under %q", name, got[name])
		}
	}
}
