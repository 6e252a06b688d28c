package bootstage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// recordFormat is the format of Record.
const recordFormat = 1

// recordName is the file of the folder that holds it.
const recordName = "staged.json"

// Record is what was changed, to be taken back.
type Record struct {
	Format     int      `json:"format"`
	Deployment string   `json:"deployment"`
	Image      string   `json:"image"`               // id of the boot image
	Entries    []string `json:"entries,omitempty"`   // of the boot configuration, in the order they were made
	Suspended  bool     `json:"suspended,omitempty"` // BitLocker was suspended by us
}

// load reads the record; false when there is none. One that cannot be read is one
// without entries: what it named is not known any more.
func load(folder string) (Record, bool, error) {
	text, err := os.ReadFile(filepath.Join(folder, recordName))
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, false, nil
	}
	var r Record
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err == nil && r.Format != recordFormat {
		err = fmt.Errorf("its format is %d, this agent knows %d", r.Format, recordFormat)
	}
	if err != nil {
		return Record{}, true, fmt.Errorf("read what was changed for Windows PE: %w", err)
	}
	return r, true, nil
}

// save writes the record whole or not at all; it is on the disk afterwards.
func (r Record) save(folder string) error {
	r.Format = recordFormat
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("note what is changed for Windows PE: %w", err)
	}
	name := filepath.Join(folder, recordName)
	f, err := os.OpenFile(name+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("note what is changed for Windows PE: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(name+".part", name)
	}
	if err != nil {
		return fmt.Errorf("note what is changed for Windows PE: %w", err)
	}
	return nil
}
