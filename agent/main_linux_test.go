package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestRunOnAnOrdinarySystem(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run([]string{"slipway-agent", "version"}, 4711, &out, &errs); code != 0 || !strings.HasPrefix(out.String(), "slipway-agent ") {
		t.Errorf("version: %d, %q", code, out.String())
	}
	out.Reset()
	if code := run([]string{"slipway-agent", "--help"}, 4711, &out, &errs); code != 0 || !strings.Contains(out.String(), "slipway-agent start --config FILE") {
		t.Errorf("help: %d, %q", code, out.String())
	}
	for _, args := range [][]string{{"slipway-agent"}, {"slipway-agent", "nonsense"}, {"slipway-agent", "start"}} {
		errs.Reset()
		if code := run(args, 4711, &out, &errs); code != 2 || strings.Count(errs.String(), "\n") != 1 {
			t.Errorf("%v: %d, %q", args, code, errs.String())
		}
	}
}

func TestLogKeepsTheNewestLines(t *testing.T) {
	var kmsg bytes.Buffer
	r := newLog(&kmsg)
	log := slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	for i := range 5 * ringLines {
		log.Info("line", "n", i)
	}
	lines := r.Lines()
	if len(lines) != ringLines || len(r.lines) > 2*ringLines || !strings.HasSuffix(lines[ringLines-1], "n=1499") {
		t.Errorf("%d lines, %d kept, last %q", len(lines), len(r.lines), lines[len(lines)-1])
	}
	if strings.Contains(kmsg.String(), "time=") || strings.Count(kmsg.String(), "\n") != 5*ringLines {
		t.Errorf("the kernel's log got %q ...", kmsg.String()[:80])
	}
}
