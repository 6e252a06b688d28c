package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"slipway/appliance/internal/api"
	"slipway/fleet"
)

// maxSecretLine bounds a secret read from standard input, in bytes.
const maxSecretLine = 64 << 10

// readSecret reads one line: without echo and twice on a terminal, once otherwise.
func (a *app) readSecret(what string) (string, error) {
	if f, ok := a.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		first, err := a.prompt(f, what+": ")
		if err != nil {
			return "", err
		}
		second, err := a.prompt(f, what+" again: ")
		if err == nil && first != second {
			err = errors.New("the two entries differ; nothing was changed")
		}
		return first, err
	}
	line, err := bufio.NewReader(io.LimitReader(a.in, maxSecretLine+1)).ReadString('\n')
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return given(what, line, maxSecretLine, err)
}

// readWhole reads a value of standard input that may have several lines, as a certificate.
func (a *app) readWhole(what string) (string, error) {
	if f, ok := a.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return a.readSecret(what)
	}
	text, err := io.ReadAll(io.LimitReader(a.in, maxValueFile+1))
	return given(what, string(text), maxValueFile, err)
}

// given is what was read of standard input, without the end of its last line. It is never
// cut: who sets a part of a secret finds out when it is needed.
func given(what, text string, most int, err error) (string, error) {
	what = strings.ToLower(what)
	if err != nil {
		return "", fmt.Errorf("reading the %s from standard input: %w", what, err)
	}
	switch text = strings.TrimRight(text, "\r\n"); {
	case text == "":
		return "", fmt.Errorf("no %s on standard input; nothing was changed", what)
	case len(text) > most:
		return "", fmt.Errorf("the %s on standard input is longer than %d KiB; nothing was changed", what, most>>10)
	}
	return text, nil
}

func (a *app) prompt(f *os.File, text string) (string, error) {
	fmt.Fprint(a.err, text)
	b, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(a.err)
	return string(b), err
}

func (a *app) accountCommand() *cobra.Command {
	var role string
	add := &cobra.Command{Use: "add NAME", Short: "Add a console account; its password is read from standard input", Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			password, err := a.readSecret("Password")
			if err != nil {
				return err
			}
			if err := a.call(c.Context(), "POST", "/admin/accounts", api.AddAccount{Name: args[0], Password: password, Role: fleet.Role(role)}, nil); err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "Account %s (%s) is added.\n", args[0], role)
			return err
		}}
	add.Flags().StringVar(&role, "role", "", "viewer, technician or administrator")
	_ = add.MarkFlagRequired("role")
	list := &cobra.Command{Use: "list", Short: "List console accounts", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			var out api.Accounts
			if err := a.call(c.Context(), "GET", "/admin/accounts", nil, &out); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(out)
			}
			rows := [][]string{{"NAME", "ROLE", "ADDED", "LAST SEEN"}}
			for _, x := range out.Accounts {
				rows = append(rows, []string{x.Name, string(x.Role), stamp(x.CreatedAt), stamp(x.LastSeen)})
			}
			return a.table(rows)
		}}
	remove := &cobra.Command{Use: "remove NAME", Short: "Remove a console account and end its sessions", Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return a.call(c.Context(), "DELETE", "/admin/accounts/"+escape(args[0]), nil, nil)
		}}
	return group("account", "Console accounts", add, a.jsonFlag(list), remove)
}

func (a *app) tokenCommand() *cobra.Command {
	var role string
	var days int
	add := a.jsonFlag(&cobra.Command{Use: "add NAME", Short: "Add an API token for a script; its value is printed once", Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			var out api.NewToken
			if err := a.call(c.Context(), "POST", "/admin/tokens", api.AddToken{Name: args[0], Role: fleet.Role(role), Days: days}, &out); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(out)
			}
			_, err := fmt.Fprintln(a.out, out.Token)
			fmt.Fprintf(a.err, "Token %s expires %s. It is not shown again.\n", out.ID, stamp(out.ExpiresAt))
			return err
		}})
	add.Flags().StringVar(&role, "role", "", "viewer, technician or administrator")
	add.Flags().IntVar(&days, "days", 90, "days until it expires")
	_ = add.MarkFlagRequired("role")
	list := a.jsonFlag(&cobra.Command{Use: "list", Short: "List API tokens", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			var out api.Tokens
			if err := a.call(c.Context(), "GET", "/admin/tokens", nil, &out); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(out)
			}
			rows := [][]string{{"ID", "NAME", "ROLE", "EXPIRES"}}
			for _, t := range out.Tokens {
				rows = append(rows, []string{t.ID, t.Name, string(t.Role), stamp(t.ExpiresAt)})
			}
			return a.table(rows)
		}})
	revoke := &cobra.Command{Use: "revoke ID", Short: "Revoke a token at once", Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return a.call(c.Context(), "DELETE", "/admin/tokens/"+escape(args[0]), nil, nil)
		}}
	return group("token", "API tokens for scripts", add, list, revoke)
}
