package lab

import (
	"os"
	"strconv"
	"time"
)

// TimeFactor names the environment variable that stretches every time limit of
// the lab, for machines slower than the two-core one the limits were measured on.
const TimeFactor = "SLIPWAY_LAB_TIME_FACTOR"

// Timeout scales d by the TimeFactor. A factor that is missing, malformed or
// below 1 counts as 1: limits are never tightened by accident.
func Timeout(d time.Duration) time.Duration {
	f, err := strconv.ParseFloat(os.Getenv(TimeFactor), 64)
	if err != nil || f < 1 {
		return d
	}
	return time.Duration(float64(d) * f)
}
