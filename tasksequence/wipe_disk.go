package tasksequence

// WipeDisk is the id of the Wipe disk definition.
const WipeDisk = "wipe-disk"

func wipeDisk() Definition {
	return Definition{
		Format: Format, ID: WipeDisk, Version: 1,
		Name: "Wipe disk", Category: "Disks",
		Description: "Overwrites a disk and reads it back at both ends and at random places. What cannot be verified is refused, " +
			"never reported as wiped.",
		Environments: []string{LinuxPE},
		Interruption: RunAgain,
		Executor:     WipeDisk,
		Options: append(diskOptions(),
			Option{Name: "Method", Label: "Method", Type: TypeChoice, Default: raw(`"auto"`), Rule: &Rule{Choices: []string{"auto", "overwrite"}},
				Help: "auto refuses flash memory (NVMe, SSD, MMC), which keeps copies that overwriting does not reach; overwrite overwrites it all the same."}),
	}
}
