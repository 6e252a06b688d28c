package state

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/hashicorp/raft"

	"slipway/fleet"
)

// dump is a machine's whole content as a snapshot.
func dump(t testing.TB, m *machine) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := (&frozen{machine: m, txn: m.db.Load().Txn(false)}).write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func machineFor(t testing.TB) *machine {
	t.Helper()
	m, err := newMachine(func([]Change) {})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// randomEntry is a transaction computed on what may be an old state of m, so that
// conflicts happen, too.
func randomEntry(t *testing.T, rnd *rand.Rand, m *machine, key string) []byte {
	tx := newTx(m, true)
	defer tx.end()
	for range 1 + rnd.IntN(4) {
		id := fmt.Sprint("d", rnd.IntN(40))
		var err error
		switch rnd.IntN(6) {
		case 0:
			err = tx.Devices().Delete(id)
		case 1:
			_ = slices.Collect(tx.Devices().BySerial(fmt.Sprint(rnd.IntN(5)))) // for its check
		case 2:
			tx.Waits().Len()
			err = tx.Waits().Put(fleet.Wait{Key: id, Failures: rnd.IntN(9)})
		default:
			err = tx.Devices().Put(fleet.Device{ID: id, Serial: fmt.Sprint(rnd.IntN(5)),
				Facts: map[string]string{"a": id, "b": key, "c": "x"}})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return tx.entry(key, rnd.IntN(2) == 0).encode()
}

// randomLog is a log of n entries with members' changes and no-ops in between.
func randomLog(t *testing.T, rnd *rand.Rand, n int) []*raft.Log {
	m, stale := machineFor(t), machineFor(t)
	var log []*raft.Log
	for i := range n {
		l := &raft.Log{Index: uint64(len(log) + 1), Type: raft.LogCommand}
		if rnd.IntN(20) == 0 {
			l.Type = raft.LogConfiguration
		} else {
			from := m
			if rnd.IntN(4) == 0 {
				from = stale
			}
			l.Data = randomEntry(t, rnd, from, fmt.Sprint("key", i-rnd.IntN(2)))
			m.ApplyBatch([]*raft.Log{l})
		}
		if rnd.IntN(10) == 0 {
			stale.db.Store(m.db.Load().Snapshot())
		}
		log = append(log, l)
	}
	return log
}

// One log fed to several stores, in other batches and with a snapshot and a restore
// on the way, gives the same answers and the same bytes.
func TestStoresFedOneLogAreEqual(t *testing.T) {
	rnd := random(t)
	log := randomLog(t, rnd, 1500)
	single, batched, restored := machineFor(t), machineFor(t), machineFor(t)
	var answers []any
	outcomes := map[any]int{}
	for _, l := range log {
		a := single.ApplyBatch([]*raft.Log{l})
		answers = append(answers, a...)
		outcomes[a[0]]++
	}
	for done := 0; done < len(log); {
		n := min(1+rnd.IntN(100), len(log)-done)
		if got := batched.ApplyBatch(log[done : done+n]); !slices.Equal(got, answers[done:done+n]) {
			t.Fatalf("entries %d to %d: %v, want %v", done, done+n, got, answers[done:done+n])
		}
		done += n
	}
	half := rnd.IntN(len(log))
	restored.ApplyBatch(log[:half])
	other := machineFor(t)
	if err := other.Restore(io.NopCloser(bytes.NewReader(dump(t, restored)))); err != nil {
		t.Fatal(err)
	}
	if got := other.ApplyBatch(log[half:]); !slices.Equal(got, answers[half:]) {
		t.Error("a restored store answers otherwise")
	}
	want := dump(t, single)
	for name, m := range map[string]*machine{"in batches": batched, "restored": other} {
		if !bytes.Equal(dump(t, m), want) {
			t.Errorf("the store fed %s differs", name)
		}
		if m.err() != nil {
			t.Error(m.err())
		}
	}
	t.Logf("outcomes %v, snapshot of %d bytes", outcomes, len(want))
	for _, o := range []outcome{outcomeApplied, outcomeConflict, outcomeRepeated} {
		if outcomes[o] == 0 {
			t.Errorf("the load never had outcome %v", o)
		}
	}
}

func TestAConflictLeavesNothingBehind(t *testing.T) {
	m := machineFor(t)
	data := []byte("\x01{}")
	put := func(key string, changes ...change) outcome {
		out, err := applyEntry(m, 10, &entry{key: key, changes: changes})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	put("first", change{table: "waits", key: "a", data: data})
	before := dump(t, m)
	if out := put("second", change{table: "waits", key: "new", data: data}, change{table: "waits", key: "a", expect: 3, data: data}); out != outcomeConflict {
		t.Fatalf("outcome %v", out)
	}
	if !bytes.Equal(dump(t, m), before) {
		t.Error("half a transaction was written")
	}
}

func TestAnEntryThatCannotBeReadStopsTheStore(t *testing.T) {
	for name, data := range map[string][]byte{
		"newer":   {entryFormat + 1, 0, 0, 0, 0},
		"damaged": append([]byte{entryFormat}, make([]byte, 20)...),
		"table":   (&entry{key: "k", changes: []change{{table: "future", key: "a", data: []byte("\x01{}")}}}).encode(),
		"record":  (&entry{key: "k", changes: []change{{table: "waits", key: "a", data: []byte("\x02{}")}}}).encode(),
	} {
		m := machineFor(t)
		if _, isErr := m.Apply(&raft.Log{Index: 1, Data: data}).(error); !isErr || m.err() == nil {
			t.Errorf("%s: answered no error", name)
		}
		if _, err := m.Snapshot(); err == nil {
			t.Errorf("%s: a snapshot of a state that misses an entry", name)
		}
	}
}
