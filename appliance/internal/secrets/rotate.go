package secrets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"slipway/appliance/internal/state"
)

// Rotate replaces the key of the key file: every data key is wrapped under a new one,
// and a new data key seals what is sealed from now on. It returns how many data keys
// there were. Values sealed before stay as they are, under the older data keys.
//
// It goes on in three steps, each durable before the next: the key file gets the new
// key beside the old; one write of the state wraps every data key anew; the key file
// loses the old key. Wherever it is cut short, by a crash or an error, the key file
// holds the key that the state is wrapped under. The next start, or the next rotation,
// tidies up. The keyring may be used meanwhile.
//
// Errors: ErrKeyFile, and those of the store's Update.
func (k *Keyring) Rotate(ctx context.Context, store *state.Store, keyFile string, now time.Time) (int, error) {
	k.turn.Lock()
	defer k.turn.Unlock()
	old, err := readKeyFile(keyFile)
	if err != nil {
		return 0, err
	}
	if len(old) == 0 {
		return 0, fmt.Errorf("%w: %s is missing; put it back before it is rotated", ErrKeyFile, keyFile)
	}
	if len(old) == maxFileKeys {
		return 0, fmt.Errorf("%w: %s holds the keys of %d rotations that were cut short; start Slipway again first", ErrKeyFile, keyFile, maxFileKeys-1)
	}
	wrapped, err := storedKeys(store)
	if err != nil {
		return 0, err
	}
	if _, _, err := open(keyFile, old, wrapped); err != nil {
		return 0, err
	}
	fresh := randomBytes(keySize)
	added, key, err := newDataKey(fresh, now)
	if err != nil {
		return 0, err
	}
	id, err := parseID(added.ID)
	if err != nil {
		return 0, err
	}
	if err := writeKeyFile(keyFile, append(old, fresh)...); err != nil {
		return 0, err
	}
	count := 0
	err = store.Update(ctx, func(tx *state.Tx) (err error) {
		count, err = rewrap(tx, keyFile, old, fresh, added)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("wrap the data keys anew: %w", err)
	}
	if err := k.add(id, key, true); err != nil {
		return count, err
	}
	if err := writeKeyFile(keyFile, fresh); err != nil {
		return count, fmt.Errorf("the key is rotated, but the old one still stands in %s, until Slipway starts again: %w", keyFile, err)
	}
	return count, nil
}

// rewrap wraps every data key of the state under the key fresh, and adds one.
func rewrap(tx *state.Tx, keyFile string, old [][]byte, fresh []byte, added state.DataKey) (count int, err error) {
	wrapper, err := newWrapper(fresh)
	if err != nil {
		return 0, err
	}
	for w := range tx.Keys().All() {
		id, err := parseID(w.ID)
		if err != nil {
			return 0, err
		}
		plain, err := unwrap(old, w, id)
		if err != nil {
			return 0, fmt.Errorf("%w: %s does not open the data key %s; put back the one that does", ErrKeyFile, keyFile, id)
		}
		if w.Wrapped, err = wrapper.Seal(plain, wrapPurpose(id)); err != nil {
			return 0, err
		}
		w.Active = false
		if err := tx.Keys().Put(w); err != nil {
			return 0, err
		}
		count++
	}
	return count, tx.Keys().Put(added)
}

func unwrap(fileKeys [][]byte, w state.DataKey, id keyID) ([]byte, error) {
	var errs []error
	for _, fileKey := range fileKeys {
		wrapper, err := newWrapper(fileKey)
		if err != nil {
			return nil, err
		}
		plain, err := wrapper.Open(w.Wrapped, wrapPurpose(id))
		if err == nil {
			return plain, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// Still runs fn with the content of the key file while no rotation is under way: what
// fn takes hold of in the state meanwhile opens with it.
func (k *Keyring) Still(keyFile string, fn func(content []byte) error) error {
	k.turn.Lock()
	defer k.turn.Unlock()
	if _, err := readKeyFile(keyFile); err != nil { // its mode, too
		return err
	}
	content, err := os.ReadFile(keyFile)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	return fn(content)
}
