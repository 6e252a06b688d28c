package config

import (
	"errors"
	"fmt"
	"io/fs"
)

// Read returns the content of the configuration file; nil when there is none and none
// was named.
func (s Source) Read() ([]byte, error) {
	file, named := s.file()
	body, err := readFile(file)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return body, nil
}
