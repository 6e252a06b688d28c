package steps

import "context"

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
	settings, err := administratorAnswers(s)
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{}, y.answers(settings, "")
}
