package tasksequence

// PrepareForCapture is the id of the step that makes a system fit to be copied.
const PrepareForCapture = "prepare-for-capture"

func prepareForCapture() Definition {
	return Definition{
		Format: Format, ID: PrepareForCapture, Version: 1,
		Name: "Prepare for capture", Category: "Operating system",
		Description: "Makes a system fit to be captured and deployed to other machines. In an installed Windows sysprep generalizes it (/generalize /oobe). " +
			"From a Linux system is removed what belongs to one machine only: " +
			"machine id, SSH host keys, random seed, the state of cloud-init, DHCP leases, names of network adapters, the root's shell history, and logs. " +
			"Each thing removed stands in the deployment's log. The agent's own files stay; Capture image leaves them out. " +
			"SSH host keys are made anew when the image is applied. Restart from the boot image before anything else is done in the system.",
		Environments: []string{LinuxPE, FullOS},
		Interruption: RunAgain,
		Executor:     PrepareForCapture,
	}
}
