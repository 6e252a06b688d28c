package tasksequence

// ConfigureOperatingSystem is the id of the step that names and localises a system.
const ConfigureOperatingSystem = "configure-operating-system"

func configureOperatingSystem() Definition {
	return Definition{
		Format: Format, ID: ConfigureOperatingSystem, Version: 1,
		Name: "Configure operating system", Category: "Operating system",
		Description: "Sets the computer's name, time zone, language and keyboard, and lets the system trust the appliance's " +
			"authority. An option that is left empty takes the variable of the same name; without one nothing is changed. " +
			"In the boot image it changes the system on the target disk: of a Windows the answer file that Windows reads at its first start. " +
			"In an installed Windows a new name or language is followed by a restart.",
		Environments: allEnvironments(),
		Interruption: RunAgain,
		Executor:     ConfigureOperatingSystem,
		Options: []Option{
			{Name: "ComputerName", Label: "Computer name", Type: TypeText, Rule: &Rule{Longest: 63},
				Help: "A host name: letters, digits and hyphens, 63 characters at most (RFC 1123). %SerialNumber% and other variables may stand in it."},
			{Name: "TimeZone", Label: "Time zone", Type: TypeText, Rule: &Rule{Longest: 64},
				Help: "A name of the time zone database, for example Europe/Berlin; Windows' own names are taken too."},
			{Name: "SystemLocale", Label: "Language and region", Type: TypeText, Rule: &Rule{Longest: 64},
				Help: "For example de-DE or de_DE.UTF-8. On Debian the package locales makes it."},
			{Name: "InputLocale", Label: "Keyboard layout", Type: TypeText, Rule: &Rule{Longest: 32},
				Help: "For example de, us or de-CH."},
			{Name: "ImportRootCerts", Label: "Trust the appliance's authority", Type: TypeBoolean, Default: raw(`false`),
				Help: "Adds the appliance's certificate authority to those the system trusts. A Windows on the target disk takes it over while it is set up."},
		},
	}
}
