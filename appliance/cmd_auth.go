package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"slipway/appliance/internal/api"
	"slipway/appliance/internal/auth"
	"slipway/appliance/internal/socket"
	"slipway/fleet"
)

func (a *app) authCommand() *cobra.Command {
	show := a.jsonFlag(&cobra.Command{Use: "show", Short: "Show how devices and people sign in", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			var s api.AuthSettings
			if err := a.call(c.Context(), "GET", "/admin/auth", nil, &s); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(s)
			}
			return a.printAuth(s)
		}})
	var yes bool
	set := &cobra.Command{Use: "set KEY=VALUE...", Short: "Change sign-in settings, effective at once", Args: usage(cobra.MinimumNArgs(1)),
		Long: authHelp(),
		RunE: func(c *cobra.Command, args []string) error {
			kinds := map[string]string{}
			for _, k := range auth.SignInKeys(fleet.SignIn{}) {
				kinds[k.Name] = k.Kind
			}
			changes, err := a.readChanges(args, kinds)
			if err != nil {
				return err
			}
			s, err := a.changeAuth(c.Context(), changes, yes)
			if err != nil {
				return err
			}
			return a.printPreview(s)
		}}
	set.Flags().BoolVar(&yes, "yes", false, "do not ask before a change that lets more people in")
	test := a.jsonFlag(&cobra.Command{Use: "test MECHANISM", Short: "Try the settings of a mechanism out: anonymous, certificate, entra, passcode, console", Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			var t fleet.SignInTest
			if err := a.call(c.Context(), "POST", "/admin/auth/test/"+escape(args[0]), nil, &t); err != nil {
				return err
			}
			if err := a.printTest(t, t.Lines); err != nil || t.OK {
				return err
			}
			return fmt.Errorf("%s does not work as it is set", t.Mechanism)
		}})
	return group("auth", "The sign-in mechanisms of devices, and of people at the console", show, set, test)
}

// printTest prints what a test of settings found.
func (a *app) printTest(found any, lines []string) error {
	if a.json {
		return a.printJSON(found)
	}
	for _, line := range lines {
		fmt.Fprintln(a.out, printable(line))
	}
	return nil
}

// authHelp lists the keys.
func authHelp() string {
	var b strings.Builder
	b.WriteString("Changes sign-in settings, all of them or none. A value @FILE is read from that file,\nand @- from standard input. The keys:\n\n")
	for _, k := range auth.SignInKeys(fleet.SignIn{}) {
		fmt.Fprintf(&b, "  %-24s %s\n", k.Name, k.Help)
	}
	return b.String()
}

// maxValueFile bounds a value that is read from a file, in bytes.
const maxValueFile = 512 << 10

// readChanges reads KEY=VALUE; for keys whose kind is PEM, a value that names a file
// is the file's content.
func (a *app) readChanges(args []string, kinds map[string]string) (map[string]string, error) {
	changes := map[string]string{}
	for _, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, usageError{fmt.Errorf("%q is not KEY=VALUE", arg)}
		}
		if _, twice := changes[key]; twice {
			return nil, usageError{fmt.Errorf("%s is given twice", key)}
		}
		path, isFile := strings.CutPrefix(value, "@")
		switch {
		case value == "@-":
			text, err := a.readWhole(key)
			if err != nil {
				return nil, err
			}
			value = text
		case isFile, kinds[key] == auth.KindPEM && value != "" && !strings.Contains(value, "-----BEGIN"):
			text, err := readValue(path)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			value = text
		}
		changes[key] = value
	}
	return changes, nil
}

func readValue(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", err
	case info.Size() > maxValueFile:
		return "", fmt.Errorf("%s is larger than %d KiB", path, maxValueFile>>10)
	}
	text, err := os.ReadFile(path)
	return string(text), err
}

// changeAuth asks before a change that lets more people in: on a terminal. In a
// script the command itself is the decision; what it means is said on stderr.
func (a *app) changeAuth(ctx context.Context, changes map[string]string, confirmed bool) (s api.AuthSettings, err error) {
	err = a.call(ctx, "PATCH", "/admin/auth", api.ChangeAuth{Settings: changes, Confirm: confirmed}, &s)
	var p *socket.ProblemError
	if !errors.As(err, &p) || p.Type != "urn:slipway:problem:confirm" || len(p.Errors) == 0 {
		return s, err
	}
	fmt.Fprintln(a.err, printable(p.Errors[0].Detail))
	if f, ok := a.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(a.err, "Switch it on all the same? Type yes: ")
		answer, err := bufio.NewReader(io.LimitReader(f, 64)).ReadString('\n')
		if err != nil || strings.TrimSpace(answer) != "yes" {
			return s, errors.New("nothing was changed")
		}
	}
	return s, a.call(ctx, "PATCH", "/admin/auth", api.ChangeAuth{Settings: changes, Confirm: true}, &s)
}

func (a *app) printAuth(s api.AuthSettings) error {
	if err := a.printPreview(s); err != nil {
		return err
	}
	fmt.Fprintln(a.out)
	rows := [][]string{{"SETTING", "VALUE"}}
	for _, k := range s.Settings {
		value := k.Value
		switch {
		case k.Kind == auth.KindPEM && value != "":
			value = fmt.Sprintf("%d PEM blocks", strings.Count(value, "-----BEGIN"))
		case value == "":
			value = "-"
		}
		rows = append(rows, []string{k.Name, value})
	}
	if err := a.table(rows); err != nil {
		return err
	}
	fmt.Fprint(a.out, "\npasscode: ")
	return a.printPasscode(s.Passcode)
}

// printPreview says what is asked from now on.
func (a *app) printPreview(s api.AuthSettings) error {
	for _, w := range s.Warnings {
		fmt.Fprintln(a.out, "Warning:", printable(w))
	}
	for _, p := range s.Preview {
		fmt.Fprintln(a.out, printable(p.Text))
	}
	return nil
}
