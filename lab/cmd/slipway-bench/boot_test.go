package main

import (
	"io"
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

// What cannot be measured is said before anything is begun.
func TestArguments(t *testing.T) {
	for want, args := range map[string][]string{
		"one round":           {"tftp", "--rounds", "0"},
		"no further":          {"boot", "bios"},
		`there is no row "x"`: {"boot", "--only", "bios,x"},
		usage:                 {"what"},
	} {
		if err := run(t.Context(), args, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", args, err)
		}
	}
	if list, err := chosen("bios"); err != nil || len(list) != 1 || list[0].name != "bios" {
		t.Errorf("%+v, %v", list, err)
	}
}
