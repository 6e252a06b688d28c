package secrets

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"slipway/appliance/internal/durable"
)

// keyFileHead is the first line of a key file, with its format number. Behind it
// stands the key in base64, on a line of its own. While a rotation is under way, or
// was cut short, there are more lines: every key that the state may be wrapped under.
const keyFileHead = "slipway secret key 1\n"

// maxFileKeys bounds the keys of one file: rotations that were cut short one after
// the other, with no start of the appliance in between.
const maxFileKeys = 16

// ErrKeyFile means that the key file cannot be used; the message says what to do.
var ErrKeyFile = errors.New("the key file cannot be used")

// readKeyFile reads the keys of a key file. It answers nil when there is none.
func readKeyFile(path string) ([][]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: others may read it; run: chmod 600 %s", ErrKeyFile, path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	return parseKeyFile(path, data)
}

func parseKeyFile(path string, data []byte) ([][]byte, error) {
	damaged := fmt.Errorf("%w: %s is damaged or was made by a newer version; put it back from a backup", ErrKeyFile, path)
	body, ok := bytes.CutPrefix(data, []byte(keyFileHead))
	lines := bytes.Split(bytes.TrimSpace(body), []byte("\n"))
	if !ok || len(lines) > maxFileKeys {
		return nil, damaged
	}
	var keys [][]byte
	for _, line := range lines {
		key, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(line)))
		if err != nil || len(key) != keySize {
			return nil, damaged
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// encodeKeyFile is the content of a key file.
func encodeKeyFile(keys ...[]byte) []byte {
	out := []byte(keyFileHead)
	for _, key := range keys {
		out = append(base64.StdEncoding.AppendEncode(out, key), '\n')
	}
	return out
}

// writeKeyFile makes or replaces a key file. It exists whole and durable, or is as
// it was before.
func writeKeyFile(path string, keys ...[]byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("make the key file: %w", err)
	}
	_, err = f.Write(encodeKeyFile(keys...))
	if err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("make the key file: %w", err), os.Remove(tmp))
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("make the key file: %w", err)
	}
	if err := durable.Folder(filepath.Dir(path)); err != nil {
		return fmt.Errorf("make the key file: %w", err)
	}
	return nil
}
