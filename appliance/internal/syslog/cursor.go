package syslog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"slipway/appliance/internal/durable"
	"slipway/fleet"
)

// cursorFormat is the format number of the cursor this version writes.
const cursorFormat = 1

// maxCursor bounds the cursor's file, in bytes.
const maxCursor = 4096

// cursor remembers the last entry that was forwarded. The sum tells whether the log
// still holds that entry, or another one under its number, e.g. after a restore.
type cursor struct {
	Format int    `json:"format"`
	Number int64  `json:"number"`
	Sum    string `json:"sum,omitempty"` // hex SHA-256 of the entry as JSON
}

func at(e fleet.AuditEntry) cursor {
	return cursor{Format: cursorFormat, Number: e.Number, Sum: sum(e)}
}

func sum(e fleet.AuditEntry) string {
	data, err := json.Marshal(e)
	if err != nil {
		return "" // a time beyond year 9999: equal to no sum
	}
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// errCursor is a cursor file that says nothing.
var errCursor = errors.New("the cursor of the forwarding is damaged")

// readCursor reads the file; without one, or with a damaged one (errCursor), the
// cursor stands before the oldest entry. A newer format is an error.
func readCursor(name string) (cursor, error) {
	none := cursor{Format: cursorFormat}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err != nil {
		return none, fmt.Errorf("audit.syslog: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxCursor))
	if err != nil {
		return none, fmt.Errorf("audit.syslog: %w", err)
	}
	var c cursor
	if err := json.Unmarshal(data, &c); err != nil || c.Format < 1 || c.Number < 0 {
		return none, errCursor
	}
	if c.Format > cursorFormat {
		return none, fmt.Errorf("audit.syslog: %s was written by a newer version (format %d, this one knows %d): start the newer version, or remove the file to forward the whole log again", name, c.Format, cursorFormat)
	}
	return c, nil
}

// write replaces the file as a whole.
func (c cursor) write(name string) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return durable.Replace(name, ".cursor-*", append(data, '\n'))
}
