package audit

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"slipway/fleet"
)

// The formats of an export.
const (
	FormatJSONLines = "jsonl" // the entries as the log keeps them, one a line
	FormatCSV       = "csv"   // RFC 4180, with a header
)

// ErrFormat is an export in a format nobody knows.
var ErrFormat = errors.New("the format of an export is jsonl or csv")

// Export writes every matching entry that is there when it begins, oldest first.
// It holds one entry in memory, and the log is written to meanwhile. An entry that
// the log drops before it was read is missing from the export as from the log.
func (l *Log) Export(ctx context.Context, w io.Writer, f Filter, format string) error {
	buffered := bufio.NewWriterSize(w, 32<<10)
	write, end, err := exporter(buffered, format)
	if err != nil {
		return err
	}
	match := f.matcher()
	_, last := l.segments()
	err = l.forward(&position{}, last, func(e fleet.AuditEntry) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !match(e) {
			return nil
		}
		return write(e)
	})
	if err == nil {
		err = errors.Join(end(), buffered.Flush())
	}
	if err != nil {
		return fmt.Errorf("audit: export: %w", err)
	}
	return nil
}

// exporter returns what writes one entry, and what ends the export.
func exporter(w io.Writer, format string) (write func(fleet.AuditEntry) error, end func() error, err error) {
	switch format {
	case FormatJSONLines:
		lines := json.NewEncoder(w)
		return func(e fleet.AuditEntry) error { return lines.Encode(e) }, func() error { return nil }, nil
	case FormatCSV:
		table := csv.NewWriter(w)
		table.UseCRLF = true // RFC 4180 section 2.1
		if err := table.Write(columns()); err != nil {
			return nil, nil, err
		}
		return func(e fleet.AuditEntry) error { return table.Write(row(e)) },
			func() error { table.Flush(); return table.Error() }, nil
	}
	return nil, nil, fmt.Errorf("%w: %q", ErrFormat, format)
}

// columns is the header of the CSV form. Further columns come behind these.
func columns() []string {
	return []string{"number", "time", "actor", "action", "object", "device", "address", "outcome", "reason", "count", "first"}
}

func row(e fleet.AuditEntry) []string {
	count := ""
	if e.Count > 0 {
		count = strconv.Itoa(e.Count)
	}
	return []string{strconv.FormatInt(e.Number, 10), stamp(e.Time), cell(e.Actor), cell(e.Action), cell(e.Object),
		cell(e.Device), cell(e.Address), cell(e.Outcome), cell(e.Reason), count, stamp(e.First)}
}

// stamp is a time in UTC with milliseconds (RFC 3339), empty for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// formulaStarts are the characters with which spreadsheet programs begin a
// formula, with their full-width forms that some take for the same.
const formulaStarts = "=+-@\t\r\n＝＋－＠"

// cell keeps a spreadsheet program from calculating with a text: where a formula
// could begin, at the start of the cell and behind what some programs take for the
// end of one, stands an apostrophe. The exact text is in the JSON lines.
func cell(text string) string {
	text = cleanText(text, 8*len(text)) // as it was written, unless by another hand
	var b strings.Builder
	start := true
	for _, r := range text {
		if start && strings.ContainsRune(formulaStarts, r) {
			b.WriteByte('\'')
		}
		b.WriteRune(r)
		// Blanks and quotes may be skipped before a formula.
		start = r == ';' || start && (r == ' ' || r == '"')
	}
	return b.String()
}
