package auth

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/argon2"
)

// Params are the costs of argon2id (RFC 9106).
type Params struct {
	MemoryKiB uint32
	Passes    uint32
	Threads   uint8
}

// DefaultParams cost about a tenth of a second on a small server. Two runs at a
// time, the most there are, need 128 MiB.
func DefaultParams() Params { return Params{MemoryKiB: 64 << 10, Passes: 2, Threads: 1} }

const (
	saltBytes = 16
	keyBytes  = 32
)

// The most a stored hash may ask for: a damaged or foreign record must not stop
// the appliance.
const (
	maxMemoryKiB = 256 << 10
	maxPasses    = 16
	maxThreads   = 8
)

// phc is an argon2id hash in parts. Its text form is
// $argon2id$v=19$m=65536,t=2,p=1$<salt>$<key>, both base64 without padding.
type phc struct {
	params    Params
	salt, key []byte
}

var errPHC = errors.New("not an argon2id hash this version can check")

func (p phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.params.MemoryKiB, p.params.Passes, p.params.Threads,
		b64.EncodeToString(p.salt), b64.EncodeToString(p.key))
}

// parsePHC reads exactly what String writes, within the limits above.
func parsePHC(s string) (phc, error) {
	var p phc
	parts := strings.Split(s, "$")
	if len(s) > 256 || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" ||
		parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return p, errPHC
	}
	var err error
	if p.params, err = parseParams(parts[3]); err != nil {
		return p, err
	}
	b64 := base64.RawStdEncoding.Strict()
	if p.salt, err = b64.DecodeString(parts[4]); err != nil || len(p.salt) < 8 || len(p.salt) > 64 {
		return p, errPHC
	}
	if p.key, err = b64.DecodeString(parts[5]); err != nil || len(p.key) < 16 || len(p.key) > 64 {
		return p, errPHC
	}
	if p.String() != s {
		return p, errPHC // leading zeros, line breaks and the like
	}
	return p, nil
}

func parseParams(s string) (Params, error) {
	fields := strings.Split(s, ",")
	if len(fields) != 3 {
		return Params{}, errPHC
	}
	var v [3]uint64
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(fields[i], name)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil {
			return Params{}, errPHC
		}
		v[i] = n
	}
	if v[2] < 1 || v[2] > maxThreads || v[1] < 1 || v[1] > maxPasses || v[0] < 8*v[2] || v[0] > maxMemoryKiB {
		return Params{}, errPHC
	}
	return Params{MemoryKiB: uint32(v[0]), Passes: uint32(v[1]), Threads: uint8(v[2])}, nil
}

func (p phc) derive(secret string) []byte {
	return argon2.IDKey([]byte(secret), p.salt, p.params.Passes, p.params.MemoryKiB, p.params.Threads, uint32(len(p.key)))
}

// hasher makes and checks hashes. It does not limit how many run at once: the
// gate does.
type hasher struct {
	params Params
	runs   atomic.Int64 // argon2id runs so far
	dummy  phc          // checked when there is no hash to check, so that it takes as long
}

func newHasher(p Params) *hasher {
	return &hasher{params: p, dummy: phc{params: p, salt: randomBytes(saltBytes), key: randomBytes(keyBytes)}}
}

// fresh is what a hash with a salt of its own is made like.
func (h *hasher) fresh() phc { return phc{params: h.params, salt: randomBytes(saltBytes)} }

// hashLike makes the stored form of a secret under the salt and costs of another
// hash, so that one run can be compared with both.
func (h *hasher) hashLike(secret string, like phc) string {
	p := phc{params: like.params, salt: like.salt, key: make([]byte, keyBytes)}
	h.runs.Add(1)
	p.key = p.derive(secret)
	return p.String()
}

// sharesSalt reports whether one run of argon2id serves both.
func (p phc) sharesSalt(o phc) bool {
	return p.params == o.params && bytes.Equal(p.salt, o.salt) && len(p.key) == len(o.key)
}

// match runs argon2id exactly once, however many hashes are stored, and says which
// of them was made of secret, -1 for none. Empty and unreadable ones, and those that
// do not share salt and costs with the first readable one, match nothing. It looks
// at all of them, so that the time does not tell which one it was.
func (h *hasher) match(stored []string, secret string) int {
	base, readable := h.dummy, false
	keys := make([][]byte, len(stored))
	for i, text := range stored {
		p, err := parsePHC(text)
		if err != nil {
			continue
		}
		if !readable {
			base, readable = p, true
		}
		keys[i] = p.key // one of another salt cannot be equal
	}
	h.runs.Add(1)
	derived := base.derive(secret)
	found := -1
	for i, key := range keys {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(derived, key), i, found)
	}
	return found
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails: the program ends when the system has no randomness
	return b
}
