package backup

import (
	"fmt"

	"filippo.io/age"
	"golang.org/x/text/unicode/norm"

	"slipway/appliance/internal/auth"
)

const (
	// MinPassphraseBits is the strength a recovery passphrase must have, as
	// auth.Strength estimates it. Who has the file can guess without anybody noticing,
	// at about a guess a second for each 256 MiB of memory: 2^50 guesses are more than
	// a thousand years for ten thousand machines.
	MinPassphraseBits = 50
	// maxPassphrase bounds it, in bytes.
	maxPassphrase = 1024

	workFactor    = 18 // scrypt's N is 2^18; age's own default
	maxWorkFactor = 20 // accepted when reading: 1 GiB of memory
)

// CheckPassphrase refuses a recovery passphrase that is weak, with ErrWeak, or too
// long.
func CheckPassphrase(passphrase string) error {
	if len(passphrase) > maxPassphrase {
		return fmt.Errorf("a recovery passphrase has at most %d bytes", maxPassphrase)
	}
	if bits := auth.Strength(passphrase); bits < MinPassphraseBits {
		return fmt.Errorf("%w (about %.0f bits, %d are needed): take six random words, or more", ErrWeak, bits, MinPassphraseBits)
	}
	return nil
}

// normal makes one of the ways to type the same characters.
func normal(passphrase string) string { return norm.NFC.String(passphrase) }

func recipient(passphrase string, factor int) (age.Recipient, error) {
	r, err := age.NewScryptRecipient(normal(passphrase))
	if err != nil {
		return nil, err
	}
	r.SetWorkFactor(factor)
	return r, nil
}

func identity(passphrase string) (age.Identity, error) {
	i, err := age.NewScryptIdentity(normal(passphrase))
	if err != nil {
		return nil, ErrPassphrase // it is empty
	}
	i.SetMaxWorkFactor(maxWorkFactor)
	return i, nil
}
