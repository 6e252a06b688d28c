package tasksequence

// ApplyIGELImage is the id of the Apply IGEL image definition.
const ApplyIGELImage = "apply-igel-image"

func applyIGELImage() Definition {
	return Definition{
		Format: Format, ID: ApplyIGELImage, Version: 1,
		Name: "Apply IGEL image", Category: "Operating system",
		Description: "Writes an IGEL OS image onto a disk while it is downloaded. All that was on that disk is lost. " +
			"An image that is larger than the disk is refused before anything is written, where its size is known.",
		Environments: []string{LinuxPE},
		Interruption: RunAgain,
		Executor:     ApplyIGELImage,
		Options:      append(rawImageOptions("A disk image of IGEL OS: plain, or packed as .gz, .xz, .zst or .zip."), diskOptions()...),
	}
}
