package windowstarget

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"slipway/tasksequence/unattend"
)

// Answers merges settings into the answer file of the volume, or begins one. given is an
// answer file that takes the place of the one that is there; nil: none. It answers what
// was changed, with secrets masked; the error says what is wrong with given or settings. Only
// administrators may look at the file, once Windows runs.
func Answers(root string, settings unattend.Settings, given []byte) ([]unattend.Change, error) {
	volume, err := os.OpenRoot(root)
	if err != nil {
		return nil, fmt.Errorf("open the Windows volume: %w", err)
	}
	defer volume.Close()
	file := unattend.New()
	text, err := volume.ReadFile(find(volume, AnswerFile))
	switch {
	case given != nil:
		if file, err = unattend.Parse(given); err != nil {
			return nil, fmt.Errorf("the given answer file: %w", err)
		}
	case err == nil:
		if file, err = unattend.Parse(text); err != nil {
			return nil, fmt.Errorf("the answer file of the target: %w", err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read the answer file of the target: %w", err)
	}
	changes, err := file.Merge(settings)
	if err != nil {
		return nil, fmt.Errorf("write the answer file: %w", err)
	}
	if err := put(volume, AnswerFile, 0o600, bytes.NewReader(file.Bytes())); err != nil {
		return nil, fmt.Errorf("write the answer file: %w", err)
	}
	if err := protect(filepath.Join(root, filepath.FromSlash(find(volume, AnswerFile)))); err != nil { // passwords may be in it
		return nil, err
	}
	return changes, nil
}

// protect is a variable for the tests: their volumes keep no such rights.
var protect = Protect
