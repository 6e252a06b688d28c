package tasksequence

// rawImageOptions are the options of steps that write a disk image onto a disk.
func rawImageOptions(help string) []Option {
	return []Option{
		{Name: "Image", Label: "Image", Type: TypeContent, Required: true, Purpose: PurposeOperatingSystem, Stream: true, Help: help},
		{Name: "Verify", Label: "Read back", Type: TypeBoolean, Default: raw(`true`),
			Help: "Reads everything back from the disk afterwards and compares it with what was written."},
	}
}
