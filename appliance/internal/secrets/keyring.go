package secrets

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

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
	keys   map[keyID]cipher.AEAD
	active keyID // seals new values; the others only open
	random io.Reader
}

func newKeyring() *Keyring { return &Keyring{keys: map[keyID]cipher.AEAD{}, random: rand.Reader} }

func (k *Keyring) add(id keyID, key []byte, active bool) error {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return fmt.Errorf("data key %s: %w", id, err)
	}
	k.keys[id] = aead
	if active {
		k.active = id
	}
	return nil
}

// Seal encrypts plain for a purpose, e.g. "ca-key". The same purpose must be named
// to open it.
func (k *Keyring) Seal(plain []byte, purpose string) ([]byte, error) {
	return k.seal(k.active, plain, purpose)
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
	aead := k.keys[keyID(sealed[1:headSize])]
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
	return k.keys[id].Seal(out, nonce, plain, additional(out[:headSize], purpose)), nil
}

// additional is the data that is authenticated beside the value.
func additional(head []byte, purpose string) []byte {
	return append(append([]byte(nil), head...), purpose...)
}
