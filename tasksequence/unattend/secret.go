package unattend

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"unicode/utf16"

	"slipway/tasksequence"
)

// Secret is a text that no log, error or JSON shows. Only Reveal gives it away.
type Secret struct{ text string }

// NewSecret returns a secret that holds a text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal returns the text.
func (s Secret) Reveal() string { return s.text }

// IsEmpty reports whether there is no text.
func (s Secret) IsEmpty() bool { return s.text == "" }

// String returns *** for any text, nothing for none.
func (s Secret) String() string {
	if s.text == "" {
		return ""
	}
	return tasksequence.Masked
}

// Format writes the mask, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText writes the mask: JSON, YAML and XML show nothing either.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is the mask.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// encodePassword hides a password as Windows System Image Manager does, for a value
// beside PlainText false: base64 of the UTF-16 (little endian) of the password followed
// by the name of its element. It keeps people from reading along and is no encryption.
func encodePassword(password, element string) string {
	units := utf16.Encode([]rune(password + element))
	data := make([]byte, 0, 2*len(units))
	for _, u := range units {
		data = append(data, byte(u), byte(u>>8))
	}
	return base64.StdEncoding.EncodeToString(data)
}

// decodePassword opens what encodePassword made; false when it is something else.
func decodePassword(hidden, element string) (password string, ok bool) {
	data, err := base64.StdEncoding.DecodeString(hidden)
	if err != nil || len(data)%2 != 0 {
		return "", false
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = uint16(data[2*i]) | uint16(data[2*i+1])<<8
	}
	return strings.CutSuffix(string(utf16.Decode(units)), element)
}
