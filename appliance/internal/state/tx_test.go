package state

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"slipway/fleet"
)

func TestATransactionSeesItsOwnWritesAndNoOthers(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	update(t, s, putDevice("a", "before"))
	update(t, s, func(tx *Tx) error {
		if err := tx.Devices().Put(fleet.Device{ID: "b", Serial: "S"}); err != nil {
			return err
		}
		if n := len(slices.Collect(tx.Devices().BySerial("S"))); n != 1 {
			t.Errorf("own write found %d times by its index", n)
		}
		if n := tx.Devices().Len(); n != 2 {
			t.Errorf("%d devices within the transaction", n)
		}
		if err := tx.Devices().Delete("b"); err != nil {
			return err
		}
		if tx.Devices().Has("b") {
			t.Error("own removal is not seen")
		}
		return nil
	})
	view(t, s, func(tx *Tx) error {
		update(t, s, putDevice("a", "after"))
		d, err := tx.Devices().Get("a")
		if d.Name != "before" {
			t.Errorf("a view changed under its reader: %q", d.Name)
		}
		return err
	})
	if got := deviceName(t, s, "a"); got != "after" {
		t.Errorf("a new view reads %q", got)
	}
}

func TestAnErrorOfTheClosureWritesNothing(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	mine := errors.New("mine")
	err := s.Update(t.Context(), func(tx *Tx) error { return errors.Join(putDevice("a", "x")(tx), mine) })
	if !errors.Is(err, mine) {
		t.Fatal(err)
	}
	view(t, s, func(tx *Tx) error {
		if _, err := tx.Devices().Get("a"); !errors.Is(err, ErrNotFound) {
			t.Errorf("read: %v", err)
		}
		return nil
	})
}

func TestWhatATransactionRefuses(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	var kept *Tx
	view(t, s, func(tx *Tx) error {
		kept = tx
		if err := putDevice("a", "x")(tx); !errors.Is(err, ErrReadOnly) {
			t.Errorf("writing in a View: %v", err)
		}
		if err := tx.Devices().Delete("a"); !errors.Is(err, ErrReadOnly) {
			t.Errorf("removing in a View: %v", err)
		}
		return nil
	})
	if _, err := kept.Devices().Get("a"); !errors.Is(err, ErrEnded) {
		t.Errorf("reading after the end: %v", err)
	}
	long := strings.Repeat("x", MaxRecord)
	for name, c := range map[string]struct {
		fn   func(*Tx) error
		want error
	}{
		"empty key":    {putDevice("", "x"), nil},
		"zero byte":    {putDevice("a\x00b", "x"), nil},
		"long key":     {putDevice(strings.Repeat("k", MaxKey+1), "x"), ErrTooLarge},
		"large record": {putDevice("a", long), ErrTooLarge},
		"long index":   {func(tx *Tx) error { return tx.Devices().Put(fleet.Device{ID: "a", Serial: long[:MaxKey+1]}) }, ErrTooLarge},
		"large transaction": {func(tx *Tx) error {
			for i := range 5 {
				if err := putDevice(fmt.Sprint(i), long[:MaxRecord-1000])(tx); err != nil {
					return fmt.Errorf("record %d: %w", i, errors.New(err.Error()))
				}
			}
			return nil
		}, ErrTooLarge},
	} {
		err := s.Update(t.Context(), c.fn)
		if err == nil || (c.want != nil && !errors.Is(err, c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	view(t, s, func(tx *Tx) error {
		if n := tx.Devices().Len(); n != 0 {
			t.Errorf("%d devices were written nevertheless", n)
		}
		return nil
	})
}

func TestATableMayChangeWhileItIsIterated(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	update(t, s, func(tx *Tx) error {
		for i := range 50 {
			if err := putDevice(fmt.Sprintf("%02d", i), "x")(tx); err != nil {
				return err
			}
		}
		return nil
	})
	update(t, s, func(tx *Tx) error {
		n := 0
		for d := range tx.Devices().All() {
			n++
			if err := tx.Devices().Delete(d.ID); err != nil {
				return err
			}
		}
		if n != 50 {
			t.Errorf("iterated over %d", n)
		}
		return nil
	})
	view(t, s, func(tx *Tx) error {
		if n := tx.Devices().Len(); n != 0 {
			t.Errorf("%d are left", n)
		}
		return nil
	})
}

// between runs other once, after the first reading part of fn and before its commit.
func between(t *testing.T, s *Store, read func(*Tx), other, write func(*Tx) error) (runs int) {
	t.Helper()
	err := s.Update(t.Context(), func(tx *Tx) error {
		runs++
		read(tx)
		if runs == 1 {
			if err := s.Update(context.Background(), other); err != nil {
				return err
			}
		}
		return write(tx)
	})
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

func TestWhatIsAConflict(t *testing.T) {
	serial := func(id, serial string) func(*Tx) error {
		return func(tx *Tx) error { return tx.Devices().Put(fleet.Device{ID: id, Serial: serial}) }
	}
	remove := func(id string) func(*Tx) error {
		return func(tx *Tx) error { return tx.Devices().Delete(id) }
	}
	get := func(id string) func(*Tx) { return func(tx *Tx) { tx.Devices().Get(id) } } //nolint:errcheck // reading is the point
	find := func(tx *Tx) { _ = slices.Collect(tx.Devices().BySerial("S")) }
	for name, c := range map[string]struct {
		read  func(*Tx)
		other func(*Tx) error
		write func(*Tx) error
		runs  int
	}{
		"the record read was changed":        {get("a"), serial("a", "x"), serial("z", ""), 2},
		"the record read was removed":        {get("a"), remove("a"), serial("z", ""), 2},
		"the record missed was made":         {get("new"), serial("new", ""), serial("z", ""), 2},
		"the record written was changed":     {func(*Tx) {}, serial("a", "x"), serial("a", "y"), 2},
		"the record removed was changed":     {func(*Tx) {}, serial("a", "x"), remove("a"), 2},
		"another record was changed":         {get("a"), serial("b", "x"), serial("z", ""), 1},
		"the table read was changed":         {func(tx *Tx) { tx.Devices().Len() }, serial("b", "x"), serial("z", ""), 2},
		"another table was changed":          {func(tx *Tx) { tx.Waits().Len() }, serial("b", "x"), serial("z", ""), 1},
		"a lookup finds one more":            {find, serial("new", "S"), serial("z", ""), 2},
		"a lookup finds one less":            {find, serial("a", "x"), serial("z", ""), 2},
		"a lookup finds a changed one":       {find, serial("a", "S"), serial("z", ""), 2},
		"a lookup is not touched":            {find, serial("new", "T"), serial("z", ""), 1},
		"own writes do not spoil own lookup": {find, serial("b", "x"), serial("mine", "S"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, quiet(t.TempDir()))
			update(t, s, serial("a", "S"))
			update(t, s, serial("b", ""))
			if runs := between(t, s, c.read, c.other, c.write); runs != c.runs {
				t.Errorf("the closure ran %d times, want %d", runs, c.runs)
			}
		})
	}
}

// Two administrators remove each other at the same moment: one must remain.
func TestADecisionOverATableHoldsWhenItIsWritten(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	for round := range 20 {
		update(t, s, func(tx *Tx) error {
			return errors.Join(tx.Accounts().Put(fleet.Account{Name: "a"}), tx.Accounts().Put(fleet.Account{Name: "b"}))
		})
		last := errors.New("the last one")
		var wg sync.WaitGroup
		for _, name := range []string{"a", "b"} {
			wg.Go(func() {
				err := s.Update(context.Background(), func(tx *Tx) error {
					if tx.Accounts().Len() < 2 {
						return last
					}
					return tx.Accounts().Delete(name)
				})
				if err != nil && !errors.Is(err, last) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		view(t, s, func(tx *Tx) error {
			if n := tx.Accounts().Len(); n != 1 {
				t.Fatalf("round %d: %d accounts are left", round, n)
			}
			return nil
		})
	}
}
