// Package hive writes registry hives, the files that Windows keeps its registry and
// its boot configuration in (form "regf", version 1.3; facts: the public description
// of the format by Maxim Suhanov, and what hivex reads).
//
// The bytes depend on the arguments alone: the time is given, keys and values lie in
// the order of their names.
package hive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
)

// The types of values (winnt.h).
const (
	SZ       = 1
	ExpandSZ = 2
	Binary   = 3
	DWORD    = 4
	MultiSZ  = 7
	QWORD    = 11
)

// Bounds. A cell of a version 1.3 hive holds at most this much of a value; names are
// bounded by the registry.
const (
	maxData = 16344
	maxName = 255
	maxHive = 64 << 20
)

// ErrUnwritable: a name or value that the format does not hold.
var ErrUnwritable = errors.New("cannot stand in a registry hive")

// Value is a value's data.
type Value struct {
	Type uint32
	Data []byte
}

// Key is a key. Names may not hold a backslash; they are equal whatever their case.
type Key struct {
	Values map[string]Value
	Keys   map[string]*Key
}

// Sub returns the key at a path of names separated by backslashes, and makes what is
// missing of it.
func (k *Key) Sub(path string) *Key {
	for name := range strings.SplitSeq(path, `\`) {
		if k.Keys == nil {
			k.Keys = map[string]*Key{}
		}
		if k.Keys[name] == nil {
			k.Keys[name] = &Key{}
		}
		k = k.Keys[name]
	}
	return k
}

// Set sets a value of the key.
func (k *Key) Set(name string, v Value) {
	if k.Values == nil {
		k.Values = map[string]Value{}
	}
	k.Values[name] = v
}

// String is a text.
func String(s string) Value { return Value{SZ, append(utf16le(s), 0, 0)} }

// Strings is a list of texts.
func Strings(list ...string) Value {
	var b []byte
	for _, s := range list {
		b = append(append(b, utf16le(s)...), 0, 0)
	}
	return Value{MultiSZ, append(b, 0, 0)}
}

// Bytes are bytes.
func Bytes(b []byte) Value { return Value{Binary, b} }

// Uint32 is a number.
func Uint32(n uint32) Value { return Value{DWORD, binary.LittleEndian.AppendUint32(nil, n)} }

func utf16le(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// Write returns a hive whose root key, of the given name, is root. All keys are as
// of the given time. Errors wrap ErrUnwritable.
func Write(name string, root *Key, at time.Time) ([]byte, error) {
	w := &writer{time: filetime(at)}
	w.out = make([]byte, binHeader)
	w.security = w.cell(securityCell(count(root)))
	// The descriptor is a list of one: both links lead to itself.
	binary.LittleEndian.PutUint32(w.at(w.security, 4), w.security)
	binary.LittleEndian.PutUint32(w.at(w.security, 8), w.security)
	rootCell, err := w.key(name, root, none, flagRoot)
	if err != nil {
		return nil, err
	}
	return w.finish(rootCell), nil
}

// count is the number of keys.
func count(k *Key) uint32 {
	n := uint32(1)
	for _, sub := range k.Keys {
		n += count(sub)
	}
	return n
}

// filetime counts 100 ns since 1601.
func filetime(t time.Time) uint64 {
	const to1970 = 11644473600
	return uint64(t.Unix()+to1970)*1e7 + uint64(t.Nanosecond()/100)
}

// checkName refuses what cannot be the name of a key or value.
func checkName(name string) error {
	if len(utf16.Encode([]rune(name))) > maxName {
		return fmt.Errorf("a name of more than %d characters %w", maxName, ErrUnwritable)
	}
	for _, c := range name {
		if c < 0x20 || c > 0x7e || c == '\\' {
			return fmt.Errorf("name %q: character %q %w", name, c, ErrUnwritable)
		}
	}
	return nil
}

// sorted returns the names of a map in the order of the registry, which is that of
// upper case; names equal but for case are refused.
func sorted[V any](m map[string]V) ([]string, error) {
	names := slices.SortedFunc(maps.Keys(m), func(a, b string) int { return strings.Compare(strings.ToUpper(a), strings.ToUpper(b)) })
	for i, n := range names {
		if err := checkName(n); err != nil {
			return nil, err
		}
		if i > 0 && strings.EqualFold(n, names[i-1]) {
			return nil, fmt.Errorf("two names that differ in case only, %q and %q: %w", names[i-1], n, ErrUnwritable)
		}
	}
	return names, nil
}
