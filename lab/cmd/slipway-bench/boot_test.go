package main

import (
	"strings"
	"testing"
	"time"

	"slipway/lab"
)

func TestBootTable(t *testing.T) {
	at := func(seconds ...int) (out []lab.Milestones) {
		for _, s := range seconds {
			out = append(out, lab.Milestones{Discover: time.Second, Prompt: time.Duration(s) * time.Second})
		}
		return out
	}
	var b strings.Builder
	results := map[string][]lab.Milestones{"bios": at(16, 99, 10), "bios-ra": at(13), "uefi": at(3), peerBIOS: at(40, 41, 2)}
	if err := bootTable(&b, rows(), results); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"bios 1.0 - - - - - - 16.0 0.40 0.40 reached",
		"bios-ra 1.0 - - - - - - 13.0 0.33 0.25 MISSED",
		"uefi 1.0 - - - - - - 3.0", // without its peer there is no ratio
		"debian-bios 1.0 - - - - - - 40.0",
	} {
		found := false
		for line := range strings.Lines(b.String()) {
			found = found || strings.Join(strings.Fields(line), " ") == want
		}
		if !found {
			t.Errorf("no line %q in\n%s", want, b.String())
		}
	}
}
