package unattend

import (
	"strings"

	"slipway/tasksequence"
)

// FromVariables reads settings from a run's variables, under the names that technicians
// know; where there are two, the first that is set counts:
//
//	ComputerName, OSDComputerName          JoinDomain, MachineObjectOU or OU
//	TimeZone, TimeZoneName                 DomainAdmin, DomainAdminDomain, DomainAdminPassword
//	SystemLocale, UserLocale, UILanguage   JoinWorkgroup
//	InputLocale, KeyboardLocale            AdminPassword
//	FullName, OrgName                      ProductKey
//	Architecture (x64, arm64)
//
// A domain wins over a workgroup, as a person sets the one and a default the other. The
// first-run dialogs that a deployed machine has no answer for are left out.
func FromVariables(vars *tasksequence.Variables) Settings {
	text := func(names ...string) string {
		for _, name := range names {
			if value := strings.TrimSpace(vars.Text(name)); value != "" {
				return value
			}
		}
		return ""
	}
	s := Settings{
		Architecture:           architecture(text("Architecture")),
		SystemLocale:           text("SystemLocale"),
		UserLocale:             text("UserLocale"),
		UILanguage:             text("UILanguage"),
		InputLocale:            text("InputLocale", "KeyboardLocale"),
		TimeZone:               text("TimeZone", "TimeZoneName"),
		ComputerName:           text("ComputerName", "OSDComputerName"),
		RegisteredOwner:        text("FullName"),
		RegisteredOrganization: text("OrgName"),
		ProductKey:             NewSecret(text("ProductKey")),
		AdministratorPassword:  NewSecret(vars.Text("AdminPassword")),
		OOBE:                   &OOBE{HideEULA: true, HideOEMRegistration: true, HideOnlineAccountScreens: true, HideWirelessSetup: true, ProtectYourPC: 3},
	}
	if domain := text("JoinDomain"); domain != "" {
		s.Domain = &Domain{Name: domain, OU: text("MachineObjectOU", "OU"), Username: text("DomainAdmin"),
			UsernameDomain: text("DomainAdminDomain"), Password: NewSecret(vars.Text("DomainAdminPassword"))}
	} else {
		s.Workgroup = text("JoinWorkgroup")
	}
	return s
}

// architecture turns the variable's value into the name that components have.
func architecture(value string) string {
	switch strings.ToLower(value) {
	case "x64", "amd64":
		return AMD64
	case "arm64":
		return ARM64
	case "x86":
		return X86
	}
	return value
}
