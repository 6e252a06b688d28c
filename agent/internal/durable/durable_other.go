//go:build !linux

package durable

import "os"

// OpenFolder does nothing: NTFS keeps names in its log, and a folder cannot be flushed.
func OpenFolder(*os.File) error { return nil }
