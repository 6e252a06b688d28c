package tasksequence

const optionRebootRequested = "RebootRequested"

// Values of the option RebootRequested.
const (
	RebootDisk  = "disk"
	RebootImage = "image"
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
			{Name: "RebootMessage", Label: "Message", Type: TypeText, Rule: &Rule{Longest: 1024},
				Help: "Shown on the device's screen before the restart."},
			{Name: "RebootDelay", Label: "Delay", Type: TypeInteger, Unit: "seconds", Default: raw(`0`), Rule: between(0, 3600),
				Help: "How long the message stands before the device restarts."},
		},
	}
}
