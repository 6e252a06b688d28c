package auth

import "strings"

// maxBearer bounds what is looked at; our own values are 47 characters long.
const maxBearer = 128

// ParseBearer takes the token out of an Authorization header (RFC 6750 section
// 2.1; the scheme's case does not matter, RFC 9110 section 11.1). ErrNoToken for
// anything else.
func ParseBearer(header string) (string, error) {
	scheme, value, found := strings.Cut(header, " ")
	value = strings.TrimLeft(value, " ")
	if !found || !strings.EqualFold(scheme, "Bearer") || !isBearer(value) {
		return "", ErrNoToken
	}
	return value, nil
}

// isBearer reports whether s could be one of our tokens: a bounded number of
// characters of base64url and the prefix's underscore.
func isBearer(s string) bool {
	if s == "" || len(s) > maxBearer {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}
