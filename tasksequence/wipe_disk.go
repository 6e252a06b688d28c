package tasksequence

// WipeDisk is the id of the Wipe disk definition.
const WipeDisk = "wipe-disk"

func wipeDisk() Definition {
	return Definition{
		Format: Format, ID: WipeDisk, Version: 1,
		Name: "Wipe disk", Category: "Disks",
		Description: "Erases a disk in the way of its kind: NVMe disks erase themselves (Format NVM), others are overwritten. Then it is " +
			"read back at both ends and at random places. What cannot be verified is refused, never reported as wiped.",
		Environments: []string{LinuxPE},
		Interruption: RunAgain,
		Executor:     WipeDisk,
		Options: append(diskOptions(),
			Option{Name: "Method", Label: "Method", Type: TypeChoice, Default: raw(`"auto"`),
				Rule: &Rule{Choices: []string{"auto", "nvme-format", "nvme-crypto-erase", "overwrite", "nvme-sanitize", "ata-secure-erase"}},
				Help: "auto: nvme-format (user data erase) for NVMe disks, overwrite for hard disks; other flash memory (SSD, MMC), which keeps copies that " +
					"overwriting does not reach, is refused. overwrite overwrites all the same. nvme-crypto-erase gives the disk a new key, where it can. " +
					"nvme-sanitize and ata-secure-erase are refused in this version as what cannot be verified; the message says what the disk has, and whether it is frozen."}),
	}
}
