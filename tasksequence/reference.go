package tasksequence

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Reference names a sequence or a content item. Version 0 means the newest active one.
type Reference struct {
	ID      string
	Version int
}

// MaxIDLength bounds the length of the ids of sequences and nodes.
const MaxIDLength = 64

// String returns "id" or "id:version".
func (r Reference) String() string {
	if r.Version == 0 {
		return r.ID
	}
	return fmt.Sprintf("%s:%d", r.ID, r.Version)
}

// ParseReference reads "id" or "id:version".
func ParseReference(text string) (Reference, error) {
	id, version, versioned := strings.Cut(text, ":")
	if err := CheckID(id); err != nil {
		return Reference{}, fmt.Errorf("%q is neither an id nor id:version: %w", text, err)
	}
	if !versioned {
		return Reference{ID: id}, nil
	}
	n, err := strconv.Atoi(version)
	if err != nil || n < 1 || n > MaxVersion || strconv.Itoa(n) != version {
		return Reference{}, fmt.Errorf("%q is neither an id nor id:version: what follows the colon is a version number from 1", text)
	}
	return Reference{ID: id, Version: n}, nil
}

// CheckID says why id cannot be the id of a sequence or a node, or nil.
func CheckID(id string) error {
	switch {
	case id == "":
		return errors.New("an id is needed")
	case len(id) > MaxIDLength:
		return fmt.Errorf("an id may be %d characters long at most", MaxIDLength)
	}
	for _, c := range []byte(id) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return errors.New("only letters, digits, dot, - and _ may stand in an id")
		}
	}
	return nil
}
