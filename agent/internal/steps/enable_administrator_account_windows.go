package steps

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"slipway/tasksequence/unattend"
)

// enableAdministratorAccount writes the password into the answer file of the Windows on
// the target disk: with a password of its own, Windows Setup leaves the built-in
// Administrator enabled; another account is made and becomes an administrator.
func enableAdministratorAccount(ctx context.Context, s *Step) (Outcome, error) {
	if inInstalledWindows(s) {
		return enableRunningAdministrator(ctx, s)
	}
	y, err := openWindows(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	password := cmp.Or(s.Settings.Text("Password"), s.Vars.Run().Text("AdminPassword"))
	if password == "" {
		return Outcome{}, errors.New("there is no password: set the variable AdminPassword, or the step's Password")
	}
	settings := unattend.Settings{Architecture: unattend.FromVariables(s.Vars.Run()).Architecture}
	switch account := s.Settings.Text("Account"); strings.ToLower(account) {
	case "root", "administrator": // root is the option's default
		settings.AdministratorPassword = unattend.NewSecret(password)
	default:
		settings.Accounts = []unattend.Account{{Name: account, Group: "Administrators", Password: unattend.NewSecret(password)}}
	}
	return Outcome{}, y.answers(settings, "")
}
