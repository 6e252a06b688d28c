package engine

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"slipway/agent/wire"
)

var boss = Actor{Name: "boss", Address: "198.51.100.9"}

// heartbeat returns the orders the device hears.
func (b *bench) heartbeat(id string, epoch int64) string {
	b.t.Helper()
	answer, err := b.events(id, epoch)
	b.check(err)
	return words(answer.Orders)
}

func TestCancelIsRepeatedUntilObeyed(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	b.expect("orders", b.heartbeat(d.ID, 1), "[]")
	b.check(b.engine.Order(t.Context(), boss, d.ID, "cancel"))
	b.expect("status", b.record(d.ID).Status, "running")
	b.expect("orders", b.heartbeat(d.ID, 1), "[cancel]")
	b.restart(true)
	b.expect("orders", b.heartbeat(d.ID, 1), "[cancel]")
	b.expect("orders", words(b.report(d.ID, 1, finished(1, "a", "succeeded")).Orders), "[cancel]")
	b.expectField("pause while cancelling", b.engine.Order(t.Context(), boss, d.ID, "pause"), "order")
	b.expect("orders", words(b.report(d.ID, 1, ended(2, "cancelled")).Orders), "[]")
	b.expect("status", b.record(d.ID).Status, "cancelled")
	b.expect("audit", b.audit.actions(), "sequence.imported deployment.started deployment.order.cancel deployment.cancelled")
}

func TestCancelOfASilentDeviceTakesEffectAtOnce(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	b.report(d.ID, 1, started(1, "a"))
	b.clock.add(time.Minute)
	b.check(b.engine.Order(t.Context(), boss, d.ID, "cancel"))
	b.expect("status", b.record(d.ID).Status, "cancelled")
	b.expect("the device's deployment", b.fleetDevice("device-1").Deployment, "")
	for range 2 { // it was alive after all
		answer := b.report(d.ID, 1, finished(2, "a", "succeeded"), started(3, "g/b"))
		b.expect("answer", words(answer.Kept, answer.Orders), "3 [cancel]")
	}
	b.expect("results", b.statuses(d.ID), "1:a=running")
	resumed, err := b.engine.Resume(t.Context(), b.token, d.ID, "")
	b.check(err)
	b.expect("resumed", resumed.Status, "cancelled")
	last := b.audit.entries[len(b.audit.entries)-1]
	b.expect("audit", words(last.Action, last.Actor, last.Address), "deployment.cancelled boss 198.51.100.9")
}

func TestCancelOfARestartingDevice(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	b.report(d.ID, 1, wire.Event{Number: 1, Kind: wire.EventRebooting, Target: "disk"})
	b.check(b.engine.Order(t.Context(), boss, d.ID, "cancel"))
	now := b.record(d.ID)
	b.expect("status and target", words(now.Status, now.WaitsFor == ""), "cancelled true")
}

func TestADeviceThatFallsSilentBeforeItObeys(t *testing.T) {
	for _, restart := range []bool{false, true} { // the order is remembered
		b := newBench(t, func(o *Options) { o.SilentAfter = 300 * time.Millisecond })
		d := b.begin()
		b.check(b.engine.Order(t.Context(), boss, d.ID, "cancel"))
		if restart {
			b.restart(true)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- b.engine.Run(ctx) }()
		b.clock.add(time.Second)
		deadline := time.Now().Add(60 * time.Second)
		for b.record(d.ID).Status != "cancelled" {
			if time.Now().After(deadline) {
				t.Fatalf("restart %v: the cancellation never took effect", restart)
			}
			time.Sleep(5 * time.Millisecond)
		}
		cancel()
		b.check(<-ran)
	}
}

func TestPauseAndContinue(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	b.expectField("continue of a running one", b.engine.Order(t.Context(), boss, d.ID, "continue"), "order")
	b.check(b.engine.Order(t.Context(), boss, d.ID, "pause"))
	b.expect("status", b.record(d.ID).Status, "paused")
	b.expect("orders", b.heartbeat(d.ID, 1), "[pause]")
	resumed, err := b.engine.Resume(t.Context(), b.token, d.ID, "")
	b.check(err)
	b.expect("resumed", resumed.Status, "paused")
	b.expect("orders", b.heartbeat(d.ID, 2), "[pause]")
	b.check(b.engine.Order(t.Context(), boss, d.ID, "continue"))
	b.expect("status", b.record(d.ID).Status, "running")
	b.expect("orders", b.heartbeat(d.ID, 2), "[continue]")
	b.expect("orders once it was heard", b.heartbeat(d.ID, 2), "[]")
	b.expect("order in the record", b.record(d.ID).Order == "", true)
	b.expectField("nonsense", b.engine.Order(t.Context(), boss, d.ID, "dance"), "order")
	b.expectError("nobody's", b.engine.Order(t.Context(), boss, "no-such", "cancel"), ErrNotFound)
}

func TestIdleSessionsAreClosed(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	b.log(d.ID, 1, logLines(1, 1, "x")...)
	old := b.engine.sessions[d.ID]
	file := old.log.file.file
	b.clock.add(idleAfter*time.Minute + time.Second)
	b.engine.sweep(t.Context())
	b.expect("sessions", len(b.engine.sessions), 0)
	if _, err := file.Stat(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("its log is still open: %v", err)
	}
	b.expect("whoever holds the old session is told", old.gone, true)
	b.expect("kept", b.log(d.ID, 1, logLines(1, 2, "x")...).Kept, 2)
	b.expect("log", b.readLog(d.ID, 1, 9), "1:x 1, 2:x 2 of 2")
}
