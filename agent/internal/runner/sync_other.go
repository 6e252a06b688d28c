//go:build !linux

package runner

// syncFolder does nothing: NTFS keeps names in its log, and a folder cannot be flushed.
func syncFolder(string) error { return nil }
