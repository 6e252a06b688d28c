package tasksequence

// EnableAdministratorAccount is the id of the step that lets an administrator in.
const EnableAdministratorAccount = "enable-administrator-account"

func enableAdministratorAccount() Definition {
	return Definition{
		Format: Format, ID: EnableAdministratorAccount, Version: 1,
		Name: "Enable Administrator account", Category: "Operating system",
		Description: "Gives an account its password and unlocks it. On Linux that is root unless another name is given; an account " +
			"that does not exist is made, with the right to administer the system. In the boot image it changes the system on the target disk; " +
			"of a Windows the answer file that Windows reads at its first start.",
		Environments: allEnvironments(),
		Interruption: RunAgain,
		Executor:     EnableAdministratorAccount,
		Options: []Option{
			{Name: "Account", Label: "Account", Type: TypeText, Default: raw(`"root"`), Rule: &Rule{Pattern: "[A-Za-z_][A-Za-z0-9_-]{0,31}"},
				Help: "The name of the account. On Windows root stands for the built-in Administrator."},
			{Name: "Password", Label: "Password", Type: TypeText, Secret: true, Rule: &Rule{Longest: 512},
				Help: "Empty: that of the variable AdminPassword."},
		},
	}
}
