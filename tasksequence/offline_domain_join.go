package tasksequence

// OfflineDomainJoin is the id of the step that makes a computer a member of a domain.
const OfflineDomainJoin = "offline-domain-join"

func offlineDomainJoin() Definition {
	return Definition{
		Format: Format, ID: OfflineDomainJoin, Version: 1,
		Name: "Offline domain join", Category: "Operating system",
		Description: "Makes the computer a member of an Active Directory domain without reaching a domain controller: a program on the appliance makes the computer's " +
			"account, and djoin applies what it answers: in WinPE to the Windows on the target disk, in an installed Windows to the one that runs, which restarts then. " +
			"A WinPE without djoin, and the Linux boot image, have the answer file do it. The variable DomainJoinBlob, a secret, takes the place of the program's answer.",
		Environments: allEnvironments(),
		Systems:      onlyWindows(),
		Interruption: RunAgain,
		Executor:     OfflineDomainJoin,
		Options: []Option{
			{Name: "ComputerName", Label: "Computer name", Type: TypeText, Rule: &Rule{Longest: 64},
				Help: "15 characters at most: letters, digits and hyphens. Empty: that of the variable ComputerName."},
			{Name: "OU", Label: "Organizational unit", Type: TypeText, Rule: &Rule{Longest: 1024},
				Help: "Its distinguished name, for example OU=PCs,DC=example,DC=com. Empty: that of the variable MachineObjectOU or OU; without one the program decides."},
		},
	}
}
