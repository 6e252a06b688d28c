package tasksequence

import (
	"cmp"
	"errors"
	"strconv"
	"strings"
)

var errNoOrder = errors.New("only numbers and versions such as 10.0.22631 can be compared by size")

// compareOrder compares two numbers, or two versions part by part; a missing part
// counts as zero.
func compareOrder(a, b string) (int, error) {
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	if x, err := number(a); err == nil {
		if y, err := number(b); err == nil {
			return cmp.Compare(x, y), nil
		}
	}
	x, errA := versionParts(a)
	y, errB := versionParts(b)
	if errA != nil || errB != nil {
		return 0, errNoOrder
	}
	for i := range max(len(x), len(y)) {
		if order := cmp.Compare(part(x, i), part(y, i)); order != 0 {
			return order, nil
		}
	}
	return 0, nil
}

// number takes decimal numbers only: no hexadecimal, infinity or NaN.
func number(text string) (float64, error) {
	if text == "" || strings.Trim(text, "0123456789.-+") != "" {
		return 0, errNoOrder
	}
	return strconv.ParseFloat(text, 64)
}

func versionParts(text string) ([]uint64, error) {
	fields := strings.Split(text, ".")
	if len(fields) > 16 {
		return nil, errNoOrder
	}
	parts := make([]uint64, len(fields))
	for i, field := range fields {
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return nil, errNoOrder
		}
		parts[i] = n
	}
	return parts, nil
}

func part(parts []uint64, i int) uint64 {
	if i < len(parts) {
		return parts[i]
	}
	return 0
}
