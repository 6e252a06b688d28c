package main

import (
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"slipway/agent/internal/facts"
)

// ringLines is how many lines of the agent's log the screen can show.
const ringLines = 300

// ring passes log lines on and keeps the newest ones for the log page.
type ring struct {
	mu    sync.Mutex
	to    io.Writer
	lines []string
}

func newLog(to io.Writer) *ring { return &ring{to: to} }

func (r *ring) Write(p []byte) (int, error) {
	r.mu.Lock()
	for line := range strings.Lines(string(p)) {
		r.lines = append(r.lines, time.Now().UTC().Format("15:04:05 ")+strings.TrimRight(line, "\n"))
	}
	if len(r.lines) > 2*ringLines {
		r.lines = slices.Clone(r.lines[len(r.lines)-ringLines:])
	}
	r.mu.Unlock()
	return r.to.Write(p)
}

// Lines returns the kept lines, newest last.
func (r *ring) Lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines[max(0, len(r.lines)-ringLines):])
}

// withoutTime leaves the time out of a line: the kernel's log and the ring add
// their own.
func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// modelLine names the computer on the screen.
func modelLine(f facts.Facts) string {
	if f["Manufacturer"] == "" {
		return f["Model"]
	}
	return f["Manufacturer"] + " " + f["Model"]
}
