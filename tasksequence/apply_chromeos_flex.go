package tasksequence

// ApplyChromeOSFlex is the id of the Apply ChromeOS Flex definition.
const ApplyChromeOSFlex = "apply-chromeos-flex"

func applyChromeOSFlex() Definition {
	return Definition{
		Format: Format, ID: ApplyChromeOSFlex, Version: 1,
		Name: "Apply ChromeOS Flex", Category: "Operating system",
		Description: "Writes a ChromeOS Flex image onto a disk while it is downloaded. All that was on that disk is lost. " +
			"An image that is larger than the disk is refused before anything is written, where its size is known.",
		Environments: []string{LinuxPE},
		Interruption: RunAgain,
		Executor:     ApplyChromeOSFlex,
		Options:      append(rawImageOptions("The image as Google publishes it (.bin.zip), or unpacked or packed otherwise (.bin, .gz, .xz, .zst)."), diskOptions()...),
	}
}
