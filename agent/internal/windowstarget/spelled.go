package windowstarget

import "os"

// Spelled gives a path below the root of a volume the spelling that its elements have
// there. Of what is not there yet it stays as it is.
func Spelled(volume *os.Root, name string) string { return find(volume, name) }
