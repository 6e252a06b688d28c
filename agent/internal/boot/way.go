package boot

// Way is how the machine ends its work in the boot image.
type Way int

// The ways out.
const (
	Restart Way = iota
	PowerOff
)
