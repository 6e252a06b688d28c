package imaging

import "bytes"

// zero reports whether all bytes are zero.
func zero(p []byte) bool {
	return len(p) == 0 || p[0] == 0 && bytes.Equal(p[1:], p[:len(p)-1])
}
