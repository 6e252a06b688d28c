package tasksequence

// RegisterWithAutopilot is the id of the step that makes a device known to Windows
// Autopilot.
const RegisterWithAutopilot = "register-with-autopilot"

func registerWithAutopilot() Definition {
	return Definition{
		Format: Format, ID: RegisterWithAutopilot, Version: 1,
		Name: "Register with Autopilot", Category: "Cloud",
		Description: "Registers the device with Windows Autopilot and waits until it has a profile. The device reads its hardware hash; " +
			"the appliance, whose connection to Microsoft Graph has to be set up, hands it in. A device that is registered already gets the group tag and the user. " +
			"With the variable FinishAction set to reseal Windows starts into its first-run experience at the end, and asks for the profile.",
		Environments: []string{FullOS},
		Systems:      onlyWindows(),
		Interruption: RunAgain,
		Executor:     RegisterWithAutopilot,
		Options: []Option{
			{Name: "GroupTag", Label: "Group tag", Type: TypeText, Rule: &Rule{Longest: 256},
				Help: "Which profile the device gets is often decided by it. Empty: that of the variable GROUPTAG."},
			{Name: "AssignedUser", Label: "Assigned user", Type: TypeText, Rule: &Rule{Longest: 256},
				Help: "A user principal name, e.g. ada@contoso.example. Empty: that of the variable ENTRAUPN; without one the device is nobody's."},
			{Name: "WaitForProfile", Label: "Wait for a profile", Type: TypeBoolean, Default: raw(`true`),
				Help: "Off: the step is done as soon as the device is registered."},
			{Name: optionTimeout, Label: "Timeout", Type: TypeInteger, Unit: "seconds", Default: raw(`3600`), Rule: between(60, maxTimeout),
				Help: "The step fails when the device has not come so far after this time. Imports take some minutes, profiles up to an hour."},
		},
	}
}
