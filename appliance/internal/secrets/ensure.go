package secrets

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"slipway/appliance/internal/state"
)

// Ensure opens the keyring of an installation. At the first start it makes the key
// file and a data key; later both must be there and fit. A rotation that was cut
// short is tidied up. Errors wrap ErrKeyFile where the key file is the cause, in one
// line that says what to do.
func Ensure(ctx context.Context, store *state.Store, keyFile string, now time.Time) (*Keyring, error) {
	wrapped, err := storedKeys(store)
	if err != nil {
		return nil, err
	}
	fileKeys, err := readKeyFile(keyFile)
	if err != nil {
		return nil, err
	}
	if fileKeys == nil && len(wrapped) > 0 {
		return nil, fmt.Errorf("%w: %s is missing; put it back from a backup, without it the secrets in the state cannot be read", ErrKeyFile, keyFile)
	}
	if fileKeys == nil {
		fileKeys = [][]byte{randomBytes(keySize)}
		if err := writeKeyFile(keyFile, fileKeys[0]); err != nil {
			return nil, err
		}
	}
	if len(wrapped) == 0 {
		key, _, err := newDataKey(fileKeys[0], now)
		if err != nil {
			return nil, err
		}
		if err := store.Update(ctx, func(tx *state.Tx) error { return tx.Keys().Put(key) }); err != nil {
			return nil, fmt.Errorf("keep the data key: %w", err)
		}
		wrapped = append(wrapped, key)
	}
	ring, used, err := open(keyFile, fileKeys, wrapped)
	if err != nil {
		return nil, err
	}
	tidy(keyFile, fileKeys, used)
	return ring, nil
}

// Check reports whether a key file, given as its content, opens the data keys of a
// state. The error wraps ErrKeyFile when it does not.
func Check(store *state.Store, content []byte) error {
	wrapped, err := storedKeys(store)
	if err != nil {
		return err
	}
	const name = "the key file"
	keys, err := parseKeyFile(name, content)
	if err != nil {
		return err
	}
	_, _, err = open(name, keys, wrapped)
	return err
}

// tidy removes what a rotation that was cut short left: keys that wrap nothing, for
// at this moment no write is under way, and a file without its name. What cannot be
// removed, e.g. on a full disk, is removed at another start.
func tidy(keyFile string, keys [][]byte, used int) {
	if err := os.Remove(keyFile + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if len(keys) > 1 {
		_ = writeKeyFile(keyFile, keys[used]) // both contents open the state
	}
}

func storedKeys(store *state.Store) (keys []state.DataKey, err error) {
	err = store.View(func(tx *state.Tx) error {
		for k := range tx.Keys().All() {
			keys = append(keys, k)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the data keys: %w", err)
	}
	return keys, nil
}

// open unwraps the data keys with one of the file's keys, and tells which.
func open(keyFile string, fileKeys [][]byte, wrapped []state.DataKey) (ring *Keyring, used int, err error) {
	var errs []error
	for i, fileKey := range fileKeys {
		if ring, err = openWith(fileKey, wrapped); err == nil {
			return ring, i, nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 || !errors.Is(errs[0], errWrapped) {
		return nil, 0, errors.Join(errs...)
	}
	return nil, 0, fmt.Errorf("%w: %s does not belong to this state; put back the one that does", ErrKeyFile, keyFile)
}

// errWrapped means that a data key does not open with a file's key.
var errWrapped = errors.New("the data key does not open")

func openWith(fileKey []byte, wrapped []state.DataKey) (*Keyring, error) {
	wrapper, err := newWrapper(fileKey)
	if err != nil {
		return nil, err
	}
	ring := newKeyring()
	for _, w := range wrapped {
		id, err := parseID(w.ID)
		if err != nil {
			return nil, err
		}
		key, err := wrapper.Open(w.Wrapped, wrapPurpose(id))
		if err != nil {
			return nil, errWrapped
		}
		if err := ring.add(id, key, w.Active); err != nil {
			return nil, err
		}
	}
	if set := ring.set.Load(); set.keys[set.active] == nil {
		return nil, fmt.Errorf("no data key is active: %w", ErrSealed)
	}
	return ring, nil
}

func parseID(text string) (id keyID, err error) {
	if len(text) != 2*idSize {
		err = hex.ErrLength
	} else {
		_, err = hex.Decode(id[:], []byte(text))
	}
	if err != nil {
		return id, fmt.Errorf("the data key %q has no valid id: %w", text, ErrSealed)
	}
	return id, nil
}

// newDataKey makes a data key and wraps it.
func newDataKey(fileKey []byte, now time.Time) (stored state.DataKey, key []byte, err error) {
	wrapper, err := newWrapper(fileKey)
	if err != nil {
		return stored, nil, err
	}
	id, key := keyID(randomBytes(idSize)), randomBytes(keySize)
	sealed, err := wrapper.Seal(key, wrapPurpose(id))
	return state.DataKey{ID: id.String(), Wrapped: sealed, Active: true, CreatedAt: now}, key, err
}

// newWrapper is a keyring of the key file's key alone, under id 0.
func newWrapper(fileKey []byte) (*Keyring, error) {
	ring := newKeyring()
	return ring, ring.add(keyID{}, fileKey, true)
}

func wrapPurpose(id keyID) string { return "data key " + id.String() }

// randomBytes never fails: crypto/rand ends the process when it cannot serve.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
