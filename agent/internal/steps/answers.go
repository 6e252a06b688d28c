package steps

import (
	"cmp"
	"errors"
	"strings"

	"slipway/tasksequence/unattend"
)

// configuredAnswers are what Configure operating system writes into the answer file of a
// Windows that does not run. image is what the boot image is called.
func configuredAnswers(s *Step, image string) (unattend.Settings, error) {
	if s.Settings.Bool("ImportRootCerts") {
		return unattend.Settings{}, errors.New("ImportRootCerts cannot be done from " + image + ": switch it off here, or run the step in the installed system")
	}
	settings := unattend.FromVariables(s.Vars.Run())
	for name, to := range map[string]*string{"ComputerName": &settings.ComputerName, "TimeZone": &settings.TimeZone, "InputLocale": &settings.InputLocale} {
		if text := s.Settings.Text(name); text != "" {
			*to = text
		}
	}
	if text := s.Settings.Text("SystemLocale"); text != "" {
		settings.SystemLocale, settings.UserLocale = text, text
	}
	return settings, nil
}

// administratorAnswers are what Enable Administrator account writes: with a password of
// its own Windows Setup leaves the built-in Administrator enabled; another account is
// made and becomes an administrator.
func administratorAnswers(s *Step) (unattend.Settings, error) {
	settings := unattend.Settings{Architecture: unattend.FromVariables(s.Vars.Run()).Architecture}
	password := cmp.Or(s.Settings.Text("Password"), s.Vars.Run().Text("AdminPassword"))
	if password == "" {
		return settings, errors.New("there is no password: set the variable AdminPassword, or the step's Password")
	}
	switch account := s.Settings.Text("Account"); strings.ToLower(account) {
	case "root", "administrator": // root is the option's default
		settings.AdministratorPassword = unattend.NewSecret(password)
	default:
		settings.Accounts = []unattend.Account{{Name: account, Group: "Administrators", Password: unattend.NewSecret(password)}}
	}
	return settings, nil
}
