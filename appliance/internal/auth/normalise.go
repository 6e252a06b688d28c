package auth

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxSecret is the most bytes of a passcode or password. It bounds the work of
// one attempt; 512 bytes are more than 100 characters of any script.
const maxSecret = 512

// normalise brings a typed secret into the one form that is hashed: without the
// line end that a terminal or pipe adds, and in Unicode form NFC, because
// keyboards disagree on how they send "é". Spaces are kept: they are part of a
// passphrase. It reports false for what can be no secret: empty, too long, not
// UTF-8, or with control characters.
func normalise(s string) (string, bool) {
	s = strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
	if len(s) > maxSecret || !utf8.ValidString(s) {
		return s[:min(len(s), maxSecret)], false
	}
	s = norm.NFC.String(s)
	return s, s != "" && len(s) <= maxSecret && strings.IndexFunc(s, unicode.IsControl) < 0
}
