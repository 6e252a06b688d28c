package audit

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

func TestRecentPagesAcrossFiles(t *testing.T) {
	l := open(t, t.TempDir(), Options{FileBytes: 500, TotalBytes: 1 << 20})
	for i := range 30 {
		write(t, l, ok(fmt.Sprintf("n.%d", i+1)))
	}
	want := int64(30)
	for before := int64(0); ; {
		page, err := l.Recent(Filter{}, before, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			if e.Number != want || e.Action != fmt.Sprintf("n.%d", want) {
				t.Fatalf("entry %+v, want number %d", e, want)
			}
			want--
		}
		if len(page) < 7 {
			break
		}
		before = page[len(page)-1].Number
	}
	if want != 0 {
		t.Errorf("paging ended before number %d", want)
	}
}

func TestFilter(t *testing.T) {
	c := newClock()
	l := open(t, t.TempDir(), Options{Now: c.now})
	write(t, l, fleet.AuditEntry{Actor: "anna", Action: "passcode.set", Outcome: "ok", Address: "192.0.2.1"})
	c.add(time.Minute)
	write(t, l, fleet.AuditEntry{Actor: "device", Action: "passcode.refused", Outcome: "refused", Device: "d1", Reason: "Wrong value"})
	c.add(time.Minute)
	write(t, l, fleet.AuditEntry{Actor: "anna", Action: "passcodes", Outcome: "ok", Object: "x"})
	start := newClock().now()
	for name, c := range map[string]struct {
		f    Filter
		want string
	}{
		"none":          {Filter{}, "3 2 1"},
		"actor":         {Filter{Actor: "anna"}, "3 1"},
		"action whole":  {Filter{Action: "passcode.set"}, "1"},
		"action prefix": {Filter{Action: "passcode."}, "2 1"},
		"no dot":        {Filter{Action: "passcode"}, ""},
		"device":        {Filter{Device: "d1"}, "2"},
		"address":       {Filter{Address: "192.0.2.1"}, "1"},
		"outcome":       {Filter{Outcome: "refused"}, "2"},
		"text":          {Filter{Text: "wRONG"}, "2"},
		"since":         {Filter{Since: start.Add(time.Minute)}, "3 2"},
		"until":         {Filter{Until: start.Add(time.Minute)}, "1"},
		"together":      {Filter{Actor: "anna", Text: "set"}, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			var have []string
			for _, e := range recent(t, l, c.f) {
				have = append(have, fmt.Sprint(e.Number))
			}
			if got := strings.Join(have, " "); got != c.want {
				t.Errorf("have %q, want %q", got, c.want)
			}
		})
	}
}

func TestSubscribe(t *testing.T) {
	l := open(t, t.TempDir(), Options{})
	ctx, cancel := context.WithCancel(context.Background())
	entries := l.Subscribe(ctx)
	slow := l.Subscribe(t.Context())
	for i := range 200 { // the slow one must not hold anybody up
		write(t, l, ok(fmt.Sprint("n.", i)))
		if e := <-entries; e.Number != int64(i+1) {
			t.Fatalf("entry %+v", e)
		}
	}
	cancel()
	for range entries { // closed soon
	}
	l.Close()
	n := 0
	for range slow {
		n++
	}
	if n != 64 {
		t.Errorf("the slow reader got %d entries, want its buffer of 64", n)
	}
}
