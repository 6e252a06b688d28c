package view

import (
	"slipway/fleet"

	"fmt"
	"strconv"
	"strings"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Ago says how long ago t was: words up to a day, the date afterwards.
func Ago(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t)
	switch {
	case d < 0 && d > -time.Minute, d >= 0 && d < 5*time.Second:
		return "just now"
	case d < 0:
		return Absolute(t)
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return Absolute(t)
}

// Until says when t comes: words up to two days, the date afterwards.
func Until(now, t time.Time) string {
	d := t.Sub(now)
	switch {
	case t.IsZero():
		return "never"
	case d <= 0:
		return Absolute(t)
	case d < time.Hour:
		return fmt.Sprintf("in %d min", int(d.Minutes())+1)
	case d < 48*time.Hour:
		return fmt.Sprintf("in %d h", int(d.Hours()))
	}
	return Absolute(t)
}

// Absolute is the date and time in UTC; the browser turns it into local time.
func Absolute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// Exact is the time to the millisecond in UTC.
func Exact(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000 UTC") }

// Clock is the time of day to the millisecond, for log lines.
func Clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }

// Stamp is the machine's form of a time.
func Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// Took is a duration in words: "0.8 s", "42 s", "12 min 04 s", "3 h 05 min".
func Took(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
}

// Bytes is a size for people (fleet.Bytes).
func Bytes(n int64) string { return fleet.Bytes(n) }

// Count is "1 device" or "3 devices".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return itoa(n) + " " + many
}

// Short is the part of a hash one compares by eye.
func Short(hash string) string {
	if len(hash) > 12 {
		return hash[:12]
	}
	return hash
}

// Strength puts a passcode's bits into a word. The bands follow the throttling:
// from 50 bits on, no cap over all guesses is needed.
func Strength(bits float64) string {
	switch {
	case bits >= 60:
		return "very strong"
	case bits >= 50:
		return "strong"
	case bits >= 35:
		return "fair"
	}
	return "weak"
}

func join(parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, " · ")
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// upper begins a text with a capital letter.
func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// Join puts dots between the parts that are not empty.
func Join(parts ...string) string { return join(parts...) }
