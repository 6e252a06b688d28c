//go:build lab

package boottest

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"slipway/lab"
)

const stickSequence = "0f8c2d7e-5b1a-4c39-9e64-51a9c0de0015"

// The stick that a machine was started from is no target, whatever label somebody gave
// it, and whatever the steps say.
func TestStickWithAnotherLabelIsNoTarget(t *testing.T) {
	t.Parallel()
	s := newScene(t, withoutPXE, nil)
	stick := s.medium(t, "usb", "--server", lab.ApplianceAddress)
	before, err := os.ReadFile(stick)
	must(t, err)
	const label, other = "SLIPWAY    ", "MY BACKUP  " // of ISO 9660 and of FAT
	if bytes.Count(before, []byte(label)) < 2 {
		t.Fatal("the medium's labels are not where they were")
	}
	before = bytes.ReplaceAll(before, []byte(label), []byte(other))
	must(t, os.WriteFile(stick, before, 0o600))
	var steps []string
	for i, settings := range []string{`"Method": "overwrite", "DiskType": "usb"`, `"DiskRule": "fastest", "DiskType": "usb"`} {
		steps = append(steps, fmt.Sprintf(`{"id": "s%d", "name": "Wipe the stick", "definition": "wipe-disk", "continueOnError": true, "settings": {%s}}`, i, settings))
	}
	sequence := fmt.Sprintf(`{"format": 1, "id": %q, "version": 1, "status": "active", "name": "Wipe the stick", "steps": [%s]}`, stickSequence, strings.Join(steps, ", "))
	s.slipway(t, sequence, "sequence", "import", "-")

	m, err := s.net.PowerOn(t.Context(), lab.MachineConfig{Name: "stick", Firmware: lab.UEFI, USB: stick})
	must(t, err)
	expect(t, m, 3*time.Minute, "Passcode")
	enter(t, m, lab.Passcode)
	expect(t, m, time.Minute, "Choose a task sequence")
	expect(t, m, time.Minute, "Wipe the stick") // behind the sample, by its name
	must(t, m.Console.Type("\x1b[B\r"))
	expect(t, m, 3*time.Minute, "Succeeded|Failed")
	s.succeeds(t, m, time.Minute)
	results := s.results(t)
	if len(results) != 2 {
		t.Fatalf("%d results: %+v", len(results), results)
	}
	for _, r := range results {
		t.Logf("%s: %s", r.Status, r.Message)
		if r.Status != "failed" || !strings.Contains(r.Message, "it is a Slipway medium") {
			t.Errorf("the stick was to be refused: %s, %q", r.Status, r.Message)
		}
	}
	m.PowerOff()
	if after, err := os.ReadFile(stick); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the stick was changed: %v", err)
	}
}
