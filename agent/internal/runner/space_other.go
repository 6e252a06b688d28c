//go:build !linux

package runner

// freeSpace is not known here; a full disk shows when it is written to.
func freeSpace(string) (bytes int64, known bool) { return 0, false }
