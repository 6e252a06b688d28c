package tasksequence

const optionRebootRequested = "RebootRequested"

// Values of the option RebootRequested.
const (
	RebootDisk  = "disk"
	RebootImage = "image"
)

const optionBootImageFrom = "BootImageFrom"

// Values of the option BootImageFrom: where an installed Windows gets the boot image from.
const (
	BootImageAutomatic   = "automatic"
	BootImageFromNetwork = "network"
	BootImageFromDisk    = "disk"
)

func reboot() Definition {
	return Definition{
		Format: Format, ID: Reboot, Version: 1,
		Name: "Reboot", Category: "General",
		Description:  "Restarts the device. The task sequence goes on with the next step afterwards.",
		Environments: allEnvironments(),
		Interruption: RunAgain,
		Executor:     Reboot,
		Options: []Option{
			{Name: optionRebootRequested, Label: "Start from", Type: TypeChoice, Default: raw(`"image"`),
				Rule: &Rule{Choices: []string{RebootDisk, RebootImage}},
				Help: "What the device starts from: its own disk, or the boot image."},
			{Name: optionBootImageFrom, Label: "Boot image from", Type: TypeChoice, Default: raw(`"automatic"`),
				Rule: &Rule{Choices: []string{BootImageAutomatic, BootImageFromNetwork, BootImageFromDisk}},
				Help: "In an installed Windows, when the device is to start from the boot image. disk: Windows PE is put onto the disk and started from there once, with BitLocker " +
					"suspended for that start. network: the device has to start from the network. automatic: from the network where a boot image prepared the disk before, else from the disk."},
			{Name: "RebootMessage", Label: "Message", Type: TypeText, Rule: &Rule{Longest: 1024},
				Help: "Shown on the device's screen before the restart."},
			{Name: "RebootDelay", Label: "Delay", Type: TypeInteger, Unit: "seconds", Default: raw(`0`), Rule: between(0, 3600),
				Help: "How long the message stands before the device restarts."},
		},
	}
}
