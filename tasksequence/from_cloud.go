package tasksequence

// The ids of the steps that take what the appliance's catalogues name.
const (
	ApplyOperatingSystemFromCloud = "apply-operating-system-from-cloud"
	InjectDriversFromCloud        = "inject-drivers-from-cloud"
)

func applyOperatingSystemFromCloud() Definition {
	return Definition{
		Format: Format, ID: ApplyOperatingSystemFromCloud, Version: 1,
		Name: "Apply operating system from cloud", Category: "Operating system",
		Description: "Finds a Windows in the appliance's catalogues (slipway catalogue import microsoft), has the appliance fetch it once for all devices, and goes on as " +
			"Apply operating system does. What is left empty is taken as there is: the newest version, the language of the variable UILanguage, the device's own architecture. From the Linux boot image wimlib applies the form that the appliance makes of it (wimtools has to be installed there).",
		Environments: []string{LinuxPE, WinPE},
		Interruption: RunAgain,
		Executor:     ApplyOperatingSystemFromCloud,
		Options: []Option{
			{Name: "OS", Label: "Operating system", Type: TypeText, Default: raw(`"Windows 11"`), Rule: &Rule{Longest: 100}, Help: "As the catalogue has it, for example Windows 11."},
			{Name: "Version", Label: "Version", Type: TypeText, Rule: &Rule{Longest: 100}, Help: "For example 24H2."},
			{Name: "Edition", Label: "Edition", Type: TypeText, Default: raw(`"Professional"`), Rule: &Rule{Longest: 100}, Help: "As the catalogue has it: Professional, Core, Education, Enterprise; or Pro, Home and so on."},
			{Name: "Architecture", Label: "Architecture", Type: TypeText, Rule: &Rule{Longest: 20}, Help: "x64 or arm64."},
			{Name: "LanguageCode", Label: "Language", Type: TypeText, Rule: &Rule{Longest: 20}, Help: "For example de-de."},
			{Name: "Unattend", Label: "Answer file", Type: TypeLines, Rule: &Rule{Longest: 256 << 10},
				Help: "An unattend.xml of your own. Variables such as ComputerName, TimeZone and AdminPassword are merged into it; empty: they make up a new one."},
		},
	}
}

func injectDriversFromCloud() Definition {
	return Definition{
		Format: Format, ID: InjectDriversFromCloud, Version: 1,
		Name: "Inject drivers from cloud", Category: "Drivers",
		Description: "Finds the newest driver pack that the maker publishes for this model in the appliance's catalogues (slipway catalogue import dell, hp, lenovo), has the appliance " +
			"fetch and unpack it once for all devices, and adds it: DISM to the Windows on the target disk, pnputil to the one that runs. The Linux boot image lays them down for pnputil in the specialize pass. A model without a pack is no failure.",
		Environments: allEnvironments(),
		Systems:      onlyWindows(),
		Interruption: RunAgain,
		Executor:     InjectDriversFromCloud,
		Options: []Option{
			{Name: "OS", Label: "Drivers for", Type: TypeChoice, Default: raw(`"Windows 11"`), Rule: &Rule{Choices: []string{"Windows 11", "Windows 10"}}, Help: "The Windows that the drivers are for."},
			{Name: "Version", Label: "Version", Type: TypeText, Rule: &Rule{Longest: 20}, Help: "For example 24H2: a pack for it comes first, then one for the version before. Empty: the newest."},
		},
	}
}
