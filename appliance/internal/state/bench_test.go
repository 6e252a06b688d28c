package state

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"slipway/fleet"
)

// benchDevice is a device of about 512 bytes as stored.
func benchDevice(i int) fleet.Device {
	return fleet.Device{ID: fmt.Sprintf("device-%06d", i), UUID: fmt.Sprintf("%08x-0000-4000-8000-000000000000", i),
		Serial: fmt.Sprintf("S%d", i), MACs: []string{fmt.Sprintf("52:54:00:%02x:%02x:%02x", i>>16&255, i>>8&255, i&255)},
		Name: strings.Repeat("n", 250)}
}

func BenchmarkUpdate(b *testing.B) {
	s := open(b, Options{Dir: b.TempDir()})
	i := 0
	for b.Loop() {
		i++
		update(b, s, func(tx *Tx) error { return tx.Devices().Put(benchDevice(i % 1000)) })
	}
}

func BenchmarkUpdateBy64(b *testing.B) {
	s := open(b, Options{Dir: b.TempDir()})
	var n atomic.Int64
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := int(n.Add(1))
			if err := s.Update(b.Context(), func(tx *Tx) error { return tx.Devices().Put(benchDevice(i % 100000)) }); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkView(b *testing.B) {
	s := open(b, Options{Dir: b.TempDir()})
	update(b, s, func(tx *Tx) error {
		for i := range 1000 {
			if err := tx.Devices().Put(benchDevice(i)); err != nil {
				return err
			}
		}
		return nil
	})
	b.Run("Get", func(b *testing.B) {
		for b.Loop() {
			view(b, s, func(tx *Tx) error { _, err := tx.Devices().Get("device-000500"); return err })
		}
	})
	b.Run("ByMAC", func(b *testing.B) {
		for b.Loop() {
			view(b, s, func(tx *Tx) error {
				for range tx.Devices().ByMAC("52:54:00:00:01:f4") {
					return nil
				}
				return ErrNotFound
			})
		}
	})
	b.Run("All1000", func(b *testing.B) {
		for b.Loop() {
			view(b, s, func(tx *Tx) error {
				for range tx.Devices().All() {
				}
				return nil
			})
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	o := Options{Dir: b.TempDir()}
	for b.Loop() {
		s, err := Open(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
