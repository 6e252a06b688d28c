package steps

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// enableAdministratorAccount sets a password. It is handed over by a pipe: it stands
// in no list of processes and no log.
func enableAdministratorAccount(ctx context.Context, s *Step) (Outcome, error) {
	if onWindows(s) {
		settings, err := administratorAnswers(s)
		if err != nil {
			return Outcome{}, err
		}
		return Outcome{}, inWindows(ctx, s, func(v *windowsVolume) error { return v.answers(settings, "") })
	}
	y, err := openSystem(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	defer y.close()
	password := s.Settings.Text("Password")
	if password == "" {
		password = s.Vars.Run().Text("AdminPassword")
	}
	switch {
	case password == "":
		return Outcome{}, errors.New("there is no password: set the variable AdminPassword, or the step's Password")
	case strings.ContainsAny(password, "\n\r\x00"):
		return Outcome{}, errors.New("the password may not hold line ends")
	case !y.has("chpasswd"):
		return Outcome{}, errors.New("the system has no program that sets passwords (chpasswd)")
	}
	account := s.Settings.Text("Account")
	users, err := y.read("/etc/passwd")
	if err != nil {
		return Outcome{}, err
	}
	if !strings.Contains("\n"+users, "\n"+account+":") {
		if err := y.addAdministrator(ctx, account); err != nil {
			return Outcome{}, err
		}
	}
	if err := y.feed(ctx, account+":"+password+"\n", "chpasswd"); err != nil {
		return Outcome{}, err
	}
	s.Log("info", fmt.Sprintf("the account %s has its password", account))
	return Outcome{}, nil
}

// addAdministrator makes an account in the group that may administer the system.
func (y *system) addAdministrator(ctx context.Context, account string) error {
	groups, err := y.read("/etc/group")
	if err != nil {
		return err
	}
	args := []string{"useradd", "--create-home", "--shell", "/bin/bash"}
	for _, group := range []string{"sudo", "wheel"} {
		if strings.Contains("\n"+groups, "\n"+group+":") {
			args = append(args, "--groups", group)
			break
		}
	}
	if !y.has("sudo") {
		y.step.Log("warn", "the system has no sudo: the account will not be able to administer it")
	}
	return y.run(ctx, append(args, account)...)
}
