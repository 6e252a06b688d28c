package secrets

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/chacha20poly1305"
)

// What callers decide on.
var (
	// ErrSealed means that a sealed value does not open: it was changed, or it was
	// sealed for another purpose or by another installation.
	ErrSealed = errors.New("a sealed value does not open: it was changed, or belongs to another purpose or installation")
	// ErrNewer means that a value was sealed by a newer version of Slipway.
	ErrNewer = errors.New("sealed by a newer version of Slipway: install that version again")
	// ErrPurpose means that no purpose was named.
	ErrPurpose = errors.New("a sealed value needs a purpose")
)

const (
	sealedFormat = 1
	keySize      = chacha20poly1305.KeySize
	idSize       = 4
	headSize     = 1 + idSize
	overhead     = headSize + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead
)

// keyID names a data key within sealed values.
type keyID [idSize]byte

func (id keyID) String() string { return hex.EncodeToString(id[:]) }

// Keyring seals and opens values. It is safe for use by many goroutines.
type Keyring struct {
	set    atomic.Pointer[keySet] // replaced as a whole
	random io.Reader
	turn   sync.Mutex // held by a rotation, and by what must not see half of one
}

// keySet is the data keys at one time. It is never changed, and the next one holds
// all of its keys.
type keySet struct {
	keys   map[keyID]cipher.AEAD
	active keyID // seals new values; the others only open
}

func newKeyring() *Keyring {
	k := &Keyring{random: rand.Reader}
	k.set.Store(&keySet{})
	return k
}

// add puts a data key beside those there are. Only one goroutine may add.
func (k *Keyring) add(id keyID, key []byte, active bool) error {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return fmt.Errorf("data key %s: %w", id, err)
	}
	old := k.set.Load()
	now := &keySet{keys: map[keyID]cipher.AEAD{id: aead}, active: old.active}
	maps.Copy(now.keys, old.keys)
	if active {
		now.active = id
	}
	k.set.Store(now)
	return nil
}

// Seal encrypts plain for a purpose, e.g. "ca-key". The same purpose must be named
// to open it.
func (k *Keyring) Seal(plain []byte, purpose string) ([]byte, error) {
	return k.seal(k.set.Load().active, plain, purpose)
}

// Open decrypts what Seal made for the same purpose. Errors: ErrSealed, ErrNewer.
func (k *Keyring) Open(sealed []byte, purpose string) ([]byte, error) {
	switch {
	case purpose == "":
		return nil, ErrPurpose
	case len(sealed) > 0 && sealed[0] > sealedFormat:
		return nil, fmt.Errorf("format %d: %w", sealed[0], ErrNewer)
	case len(sealed) < overhead || sealed[0] != sealedFormat:
		return nil, ErrSealed
	}
	aead := k.set.Load().keys[keyID(sealed[1:headSize])]
	if aead == nil {
		return nil, fmt.Errorf("data key %x is not in the state: %w", sealed[1:headSize], ErrSealed)
	}
	nonce := sealed[headSize : headSize+chacha20poly1305.NonceSizeX]
	plain, err := aead.Open(nil, nonce, sealed[headSize+len(nonce):], additional(sealed[:headSize], purpose))
	if err != nil {
		return nil, ErrSealed // the cause says no more
	}
	return plain, nil
}

func (k *Keyring) seal(id keyID, plain []byte, purpose string) ([]byte, error) {
	if purpose == "" {
		return nil, ErrPurpose
	}
	out := make([]byte, headSize+chacha20poly1305.NonceSizeX, overhead+len(plain))
	out[0] = sealedFormat
	copy(out[1:], id[:])
	nonce := out[headSize:]
	if _, err := io.ReadFull(k.random, nonce); err != nil {
		return nil, fmt.Errorf("make a nonce: %w", err)
	}
	return k.set.Load().keys[id].Seal(out, nonce, plain, additional(out[:headSize], purpose)), nil
}

// additional is the data that is authenticated beside the value.
func additional(head []byte, purpose string) []byte {
	return append(append([]byte(nil), head...), purpose...)
}
