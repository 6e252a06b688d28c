package disk

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

const mib = 1 << 20

// Size is how large a partition is to be: a fixed number of MiB, a share of the
// disk, or what the others leave.
type Size struct {
	MiB     int64
	Percent int
	Rest    bool
}

// ParseSize reads "512MiB", "512", "20GiB", "1TiB", "30%" and "rest".
func ParseSize(text string) (Size, error) {
	bad := fmt.Errorf("%q is not a size: write it as 512MiB, 20GiB, 30%% or rest", text)
	t := strings.ToLower(strings.TrimSpace(text))
	if t == "rest" {
		return Size{Rest: true}, nil
	}
	if number, ok := strings.CutSuffix(t, "%"); ok {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > 100 {
			return Size{}, bad
		}
		return Size{Percent: n}, nil
	}
	factor := int64(1)
	for unit, f := range map[string]int64{"mib": 1, "gib": 1 << 10, "tib": 1 << 20} {
		if number, ok := strings.CutSuffix(t, unit); ok {
			t, factor = strings.TrimSpace(number), f
		}
	}
	n, err := strconv.ParseInt(t, 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64/mib/factor {
		return Size{}, bad
	}
	return Size{MiB: n * factor}, nil
}

// String is the form ParseSize reads.
func (s Size) String() string {
	switch {
	case s.Rest:
		return "rest"
	case s.Percent > 0:
		return strconv.Itoa(s.Percent) + "%"
	}
	return strconv.FormatInt(s.MiB, 10) + "MiB"
}

func up(n, unit int64) int64   { return (n + unit - 1) / unit * unit }
func down(n, unit int64) int64 { return n / unit * unit }
