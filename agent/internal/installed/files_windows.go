package installed

// noFollow: Windows has no such flag. What is overwritten was seen to be a file before.
const noFollow = 0

// syncFolder does nothing: NTFS keeps names in its log, and a folder cannot be flushed.
func syncFolder(string) error { return nil }
