package tasksequence

// CaptureImage is the id of the Capture image definition.
const CaptureImage = "capture-image"

// The kinds of image that Capture image makes.
const (
	CaptureTar = "tar.zst"
	CaptureWIM = "wim"
)

func captureImage() Definition {
	return Definition{
		Format: Format, ID: CaptureImage, Version: 1,
		Name: "Capture image", Category: "Operating system",
		Description: "Packs the Linux on the target disk and uploads it as content while it is packed: a new item, or a new version of one. " +
			"The variable _CapturedImage names it (ID:VERSION). The agent's own files, other file systems, and what Linux makes anew at each start are left out; " +
			"Apply operating system makes disks bootable with what is captured. " +
			"In WinPE DISM captures the Windows on the target disk, which needs as much free space there as the image takes; Prepare for capture has to come before, in the installed system.",
		Environments: []string{LinuxPE, WinPE},
		Interruption: RunAgain,
		Executor:     CaptureImage,
		Options: []Option{
			{Name: "Name", Label: "Name", Type: TypeText, Default: raw(`"Captured image"`), Rule: &Rule{Longest: 200}, Help: "The name of the content item."},
			{Name: "Description", Label: "Description", Type: TypeText, Rule: &Rule{Longest: 1000}, Help: "Shown beside the new version."},
			{Name: "Item", Label: "Item", Type: TypeText, Rule: &Rule{Longest: MaxIDLength},
				Help: "The id of a content item that gets a new version. Empty: a new item."},
			{Name: "ImageType", Label: "Kind of image", Type: TypeChoice, Default: raw(`"tar.zst"`), Rule: &Rule{Choices: []string{CaptureTar, CaptureWIM}},
				Help: "tar.zst keeps everything that Linux knows of files; wim is for tools that want one. Both can be applied. Of Windows it is always a wim."},
			{Name: "Compression", Label: "Compression", Type: TypeChoice, Default: raw(`"fast"`), Rule: &Rule{Choices: []string{"fast", "default", "best"}},
				Help: "Better compression makes smaller images and takes longer."},
			{Name: "Exclude", Label: "Leave out", Type: TypeLines, Rule: &Rule{Longest: 16 << 10},
				Help: "Files and folders to leave out, one on each line, from the system's root; * stands for anything but /. For example: home/*/.cache"},
		},
	}
}
