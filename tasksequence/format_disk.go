package tasksequence

// FormatDisk is the id of the Format disk definition.
const FormatDisk = "format-disk"

// Values of the option Layout of Format disk.
const (
	LayoutLinux   = "linux"
	LayoutWindows = "windows"
	LayoutCustom  = "custom"
)

func formatDisk() Definition {
	return Definition{
		Format: Format, ID: FormatDisk, Version: 1,
		Name: "Format disk", Category: "Disks",
		Description: "Chooses a disk, writes a partition table and makes file systems. Everything on that disk is lost; " +
			"other disks, the medium the device started from and protected disks are left alone.",
		Environments: []string{LinuxPE, WinPE},
		Interruption: VerifyFirst,
		Executor:     FormatDisk,
		Options: append(diskOptions(),
			Option{Name: "Layout", Label: "Layout", Type: TypeChoice, Default: raw(`"linux"`), Rule: &Rule{Choices: []string{LayoutLinux, LayoutWindows, LayoutCustom}},
				Help: "linux: an EFI system partition of 512 MiB where the firmware needs one, swap if wanted, and a root file system (ext4) on the rest. " +
					"windows: an EFI system partition of 499 MiB (FAT32), a Microsoft reserved partition of 128 MiB on a GPT, Windows (NTFS) on the rest, and a recovery partition of 1 GiB (NTFS) at the end."},
			Option{Name: "SwapSize", Label: "Swap", Type: TypeInteger, Unit: "MiB", Default: raw(`0`), Rule: between(0, 1<<20),
				Help: "Size of the swap partition of the layout linux. 0: none."},
			Option{Name: "BootsBothWays", Label: "Boots by UEFI and by BIOS", Type: TypeBoolean, Default: raw(`false`),
				Help: "The layout linux gets both an EFI system partition and a BIOS boot partition, so that the disk starts in either kind of machine."},
			Option{Name: "PartitionTable", Label: "Partition table", Type: TypeChoice, Default: raw(`"auto"`), Rule: &Rule{Choices: []string{"auto", "gpt", "mbr"}},
				Help: "auto: GPT on UEFI, MBR on BIOS unless the disk is larger than an MBR can describe."},
			Option{Name: "Partitions", Label: "Partitions", Type: TypeLines, Rule: &Rule{Longest: 8 << 10},
				Help: "Of the layout custom, a partition on each line: ROLE SIZE [fs=FS] [label=LABEL]. Roles are esp, biosboot, root, swap, data, msr, windows and recovery; " +
					"a size is 512MiB, 20GiB, 30% or rest. For example: root rest label=system"},
		),
	}
}

// diskOptions are the options by which steps choose a disk.
func diskOptions() []Option {
	return []Option{
		{Name: "DiskRule", Label: "Disk", Type: TypeChoice, Default: raw(`"index"`),
			Rule: &Rule{Choices: []string{"index", "smallest", "largest", "fastest", "serial"}},
			Help: "How the disk is chosen. USB and removable disks are only taken when the kind of disk or the serial number asks for them."},
		{Name: "DiskIndex", Label: "Number", Type: TypeInteger, Default: raw(`0`), Rule: between(0, 1000),
			Help: "For the rule index: 0 is the first disk. NVMe disks come first, then the others by their names."},
		{Name: "DiskSerial", Label: "Serial number", Type: TypeText, Rule: &Rule{Longest: 256}, Help: "For the rule serial."},
		{Name: "DiskType", Label: "Kind of disk", Type: TypeChoice, Default: raw(`"any"`),
			Rule: &Rule{Choices: []string{"any", "nvme", "ata", "scsi", "virtio", "mmc", "usb"}},
			Help: "Only disks of this kind are looked at, and counted."},
		{Name: "ProtectedDisks", Label: "Protected disks", Type: TypeValue,
			Help: "Disks that are never touched: serial numbers, ids, names or models, as a list or one on each line. * at the end stands for any ending."},
	}
}
