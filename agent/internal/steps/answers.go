package steps

import (
	"cmp"
	"errors"
	"strings"

	"slipway/agent/internal/windowstarget"
	"slipway/tasksequence/unattend"
)

// configuredAnswers are what Configure operating system writes into the answer file of a
// Windows that does not run, whose volume is at root. The authorities that it is to trust
// lie there afterwards.
func configuredAnswers(s *Step, root string) (unattend.Settings, error) {
	settings := unattend.FromVariables(s.Vars.Run())
	for name, to := range map[string]*string{"ComputerName": &settings.ComputerName, "TimeZone": &settings.TimeZone, "InputLocale": &settings.InputLocale} {
		if text := s.Settings.Text(name); text != "" {
			*to = text
		}
	}
	if text := s.Settings.Text("SystemLocale"); text != "" {
		settings.SystemLocale, settings.UserLocale = text, text
	}
	if s.Settings.Bool("ImportRootCerts") {
		commands, err := windowstarget.Trust(root, s.Machine.Agent.Authorities())
		if err != nil {
			return settings, err
		}
		settings.Commands = append(settings.Commands, commands...)
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
