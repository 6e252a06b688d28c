package bootable

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// change is what becomes of the firmware's variables.
type change struct {
	number uint16
	entry  []byte // nil: it is there already
	order  []uint16
	remove []uint16 // entries of earlier deployments
}

// planEntry decides how the entry comes among those of the firmware. variables holds
// the values by name; present says whether a disk of the machine has a partition with
// that GUID. An entry of ours names the same partition, or one that is gone: another
// system of the same name, on another disk, keeps its entry. Ours keeps its number and
// place. A new one comes behind the entry the machine was started by, which came from the
// network: a machine that asks the network first goes on to do so. Else it comes first.
func planEntry(variables map[string][]byte, o LoadOption, present func(guid [16]byte) bool) change {
	c := change{number: 0xffff, entry: o.Encode()}
	taken := map[uint16]bool{}
	var ours []uint16
	for name, value := range variables {
		number, ok := entryNumber(name)
		if !ok {
			continue
		}
		taken[number] = true
		if had, err := parseLoadOption(value); err == nil && had.Description == o.Description && strings.EqualFold(had.Path, o.Path) &&
			(had.GUID == o.GUID || !present(had.GUID)) {
			ours = append(ours, number)
		}
	}
	slices.Sort(ours)
	if len(ours) > 0 {
		c.number, c.remove = ours[0], ours[1:]
	} else {
		for c.number = 0; taken[c.number] && c.number < 0xffff; {
			c.number++
		}
	}
	if bytes.Equal(variables[entryName(c.number)], c.entry) {
		c.entry = nil
	}
	c.order = placed(numbers(variables["BootOrder"]), numbers(variables["BootCurrent"]), c)
	return c
}

func placed(order, current []uint16, c change) []uint16 {
	order = slices.DeleteFunc(order, func(n uint16) bool { return slices.Contains(c.remove, n) })
	if slices.Contains(order, c.number) {
		return order
	}
	at := 0
	if len(current) == 1 {
		at = slices.Index(order, current[0]) + 1
	}
	return slices.Insert(order, at, c.number)
}

func numbers(value []byte) []uint16 {
	var list []uint16
	for ; len(value) >= 2; value = value[2:] {
		list = append(list, binary.LittleEndian.Uint16(value))
	}
	return list
}

func orderValue(list []uint16) []byte {
	var out []byte
	for _, n := range list {
		out = binary.LittleEndian.AppendUint16(out, n)
	}
	return out
}

func entryName(number uint16) string { return fmt.Sprintf("Boot%04X", number) }

// entryNumber reads a name of the form Boot####.
func entryNumber(name string) (uint16, bool) {
	digits, ok := strings.CutPrefix(name, "Boot")
	if !ok || len(digits) != 4 || digits != strings.ToUpper(digits) {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 16)
	return uint16(n), err == nil
}
