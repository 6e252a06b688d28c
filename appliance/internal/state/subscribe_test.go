package state

import (
	"context"
	"fmt"
	"testing"
	"time"

	"slipway/fleet"
)

func next(t *testing.T, ch <-chan Change) Change {
	t.Helper()
	select {
	case c, open := <-ch:
		if !open {
			t.Fatal("the channel is closed")
		}
		return c
	case <-time.After(60 * time.Second):
		t.Fatal("no change arrives")
	}
	return Change{}
}

func TestSubscribersHearWhatIsCommitted(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	ctx, cancel := context.WithCancel(t.Context())
	devices, all := s.Subscribe(ctx, "devices"), s.Subscribe(ctx)
	update(t, s, func(tx *Tx) error { return tx.Waits().Put(fleet.Wait{Key: "w"}) })
	update(t, s, putDevice("a", "x"))
	update(t, s, func(tx *Tx) error { return tx.Devices().Delete("a") })
	_ = s.Update(t.Context(), func(tx *Tx) error { return fmt.Errorf("no: %w", putDevice("b", "x")(tx)) })
	for _, want := range []Change{{Table: "devices", Key: "a"}, {Table: "devices", Key: "a", Deleted: true}} {
		if got := next(t, devices); got != want {
			t.Errorf("devices: %+v, want %+v", got, want)
		}
	}
	if got, want := next(t, all), (Change{Table: "waits", Key: "w"}); got != want {
		t.Errorf("all: %+v, want %+v", got, want)
	}
	cancel()
	for range all {
	}
	eventually(t, "the subscription ends", func() bool { _, open := <-devices; return !open })
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if len(s.hub.subs) != 0 {
		t.Errorf("%d subscriptions are left", len(s.hub.subs))
	}
}

func TestASlowReaderIsToldAndHoldsNobodyUp(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	slow := s.Subscribe(t.Context(), "devices")
	for range 3 {
		update(t, s, func(tx *Tx) error {
			for i := range subscriberBuffer {
				if err := putDevice(fmt.Sprint(i), "x")(tx); err != nil {
					return err
				}
			}
			return nil
		})
	}
	update(t, s, putDevice("last", "x"))
	for i := range subscriberBuffer {
		c := next(t, slow)
		if c.Lost != (i == subscriberBuffer-1) {
			t.Fatalf("change %d: %+v", i, c)
		}
	}
	update(t, s, putDevice("after", "x"))
	if got, want := next(t, slow), (Change{Table: "devices", Key: "after"}); got != want {
		t.Errorf("afterwards: %+v, want %+v", got, want)
	}
}
