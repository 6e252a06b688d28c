package content

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

// wimOutput reads what wimlib-imagex says: lines that end in "\n", and states of its
// progress that end in "\r", as "Archiving file data: 12 MiB of 85 MiB (14%) done"
// (wimlib 1.13 and 1.14). It keeps little of it.
type wimOutput struct {
	reached func(percent int64)
	line    []byte
	lines   [][]byte // the last ones that are no progress
}

const (
	maxWIMLine  = 4 << 10 // bytes
	keptWIMText = 5       // lines
)

var wimPercent = regexp.MustCompile(`\(([0-9]{1,3})%\)`)

// Write implements io.Writer; it never fails.
func (o *wimOutput) Write(p []byte) (int, error) {
	for _, c := range p {
		switch {
		case c == '\n' || c == '\r':
			o.end()
		case len(o.line) < maxWIMLine:
			o.line = append(o.line, c)
		}
	}
	return len(p), nil
}

func (o *wimOutput) end() {
	line := bytes.TrimSpace(o.line)
	o.line = nil
	if found := wimPercent.FindSubmatch(line); found != nil {
		if n, err := strconv.ParseInt(string(found[1]), 10, 64); err == nil {
			o.reached(min(n, 100))
		}
		return
	}
	if len(line) == 0 {
		return
	}
	if o.lines = append(o.lines, line); len(o.lines) > keptWIMText {
		o.lines = o.lines[1:]
	}
}

// last is the last line that is no progress.
func (o *wimOutput) last() string {
	o.end()
	if len(o.lines) == 0 {
		return ""
	}
	return strings.ToValidUTF8(string(o.lines[len(o.lines)-1]), "?")
}
