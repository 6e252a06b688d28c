package secrets

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"slipway/appliance/internal/state"
)

// Ensure opens the keyring of an installation. At the first start it makes the key
// file and a data key; later both must be there and fit. Errors wrap ErrKeyFile
// where the key file is the cause, in one line that says what to do.
func Ensure(ctx context.Context, store *state.Store, keyFile string, now time.Time) (*Keyring, error) {
	wrapped, err := storedKeys(store)
	if err != nil {
		return nil, err
	}
	fileKey, err := readKeyFile(keyFile)
	if err != nil {
		return nil, err
	}
	if fileKey == nil && len(wrapped) > 0 {
		return nil, fmt.Errorf("%w: %s is missing; put it back from a backup, without it the secrets in the state cannot be read", ErrKeyFile, keyFile)
	}
	if fileKey == nil {
		fileKey = randomBytes(keySize)
		if err := writeKeyFile(keyFile, fileKey); err != nil {
			return nil, err
		}
	}
	if len(wrapped) == 0 {
		key, err := newDataKey(fileKey, now)
		if err != nil {
			return nil, err
		}
		if err := store.Update(ctx, func(tx *state.Tx) error { return tx.Keys().Put(key) }); err != nil {
			return nil, fmt.Errorf("keep the data key: %w", err)
		}
		wrapped = append(wrapped, key)
	}
	return open(keyFile, fileKey, wrapped)
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

// open unwraps the data keys.
func open(keyFile string, fileKey []byte, wrapped []state.DataKey) (*Keyring, error) {
	wrapper, err := newWrapper(fileKey)
	if err != nil {
		return nil, err
	}
	ring := newKeyring()
	for _, w := range wrapped {
		var id keyID
		if n, err := hex.Decode(id[:], []byte(w.ID)); err != nil || n != idSize {
			return nil, fmt.Errorf("the data key %q has no valid id: %w", w.ID, ErrSealed)
		}
		key, err := wrapper.Open(w.Wrapped, wrapPurpose(id))
		if err != nil {
			return nil, fmt.Errorf("%w: %s does not belong to this state; put back the one that does: %w", ErrKeyFile, keyFile, err)
		}
		if err := ring.add(id, key, w.Active); err != nil {
			return nil, err
		}
	}
	if ring.keys[ring.active] == nil {
		return nil, fmt.Errorf("no data key is active: %w", ErrSealed)
	}
	return ring, nil
}

// newDataKey makes a data key and wraps it.
func newDataKey(fileKey []byte, now time.Time) (state.DataKey, error) {
	wrapper, err := newWrapper(fileKey)
	if err != nil {
		return state.DataKey{}, err
	}
	id := keyID(randomBytes(idSize))
	sealed, err := wrapper.Seal(randomBytes(keySize), wrapPurpose(id))
	if err != nil {
		return state.DataKey{}, err
	}
	return state.DataKey{ID: id.String(), Wrapped: sealed, Active: true, CreatedAt: now}, nil
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
