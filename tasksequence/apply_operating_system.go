package tasksequence

// ApplyOperatingSystem is the id of the step that puts a system onto the target disk.
const ApplyOperatingSystem = "apply-operating-system"

func applyOperatingSystem() Definition {
	return Definition{
		Format: Format, ID: ApplyOperatingSystem, Version: 1,
		Name: "Apply operating system", Category: "Operating system",
		Description: "Puts an operating system onto the target disk while it is downloaded, and makes the disk start it. " +
			"A root file system (tar, also compressed by zstd, gzip or xz) or a WIM of Linux goes into the partitions that Format disk made; " +
			"the system must hold a kernel and GRUB's files for the device's firmware. All that was on the target's root is removed first. " +
			"A disk image (raw, also compressed, or qcow2) replaces the whole target disk; its last partition and ext4 file system grow to the disk's end. " +
			"OSDTargetSystemDrive is where the system is mounted afterwards. " +
			"A WIM of Windows goes onto the partitions of the layout windows, with rights, short names and attributes, and the disk starts it on machines with UEFI. " +
			"In WinPE DISM applies a WIM or ESD of Windows to the target's drive, the answer file is made of variables, and bcdboot makes the disk start it.",
		Environments: []string{LinuxPE, WinPE},
		Interruption: RunAgain,
		Executor:     ApplyOperatingSystem,
		Options: []Option{
			{Name: "OperatingSystem", Label: "Operating system", Type: TypeContent, Required: true, Purpose: PurposeOperatingSystem, Stream: true,
				Help: "The image. Its version holds one file that is an image; its name says which kind."},
			{Name: "ImageIndex", Label: "Image index", Type: TypeInteger, Default: raw(`1`), Rule: between(1, 1000),
				Help: "The image in a WIM that holds several."},
			{Name: "ImageName", Label: "Image name", Type: TypeText, Rule: &Rule{Longest: 256},
				Help: "Of Windows: the image by its name in the WIM, for example Windows 11 Pro, in place of its number."},
			{Name: "Unattend", Label: "Answer file", Type: TypeLines, Rule: &Rule{Longest: 256 << 10},
				Help: "For Windows: an unattend.xml of your own. Variables such as ComputerName, TimeZone and AdminPassword are merged into it; empty: they make up a new one."},
			{Name: "KernelOptions", Label: "Kernel options", Type: TypeText, Rule: &Rule{Longest: 1024},
				Help: "For Linux: options for the kernel at each start, beside the root and the consoles."},
			{Name: "BootTimeout", Label: "Boot menu timeout", Type: TypeInteger, Unit: "seconds", Default: raw(`3`), Rule: between(0, 300),
				Help: "How long the boot menu waits before it starts the newest kernel."},
		},
	}
}
