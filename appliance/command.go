package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/config"
	"slipway/appliance/internal/socket"
)

// streams is what a command talks to; tests give their own.
type streams struct {
	in      io.Reader
	out     io.Writer
	err     io.Writer
	environ []string
}

// The exit codes of every command.
const (
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a command called wrongly.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }

// app carries what the commands share.
type app struct {
	streams
	configFile string
	json       bool
}

// run executes one command line and returns the exit code. A failure is one
// clear line on stderr.
func run(ctx context.Context, args []string, s streams) int {
	a := &app{streams: s}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	// Some of its words may be another server's, or a file's.
	for i, line := range strings.Split(err.Error(), "\n") {
		if i == 0 {
			line = "slipway: " + line
		}
		fmt.Fprintln(s.err, printable(line))
	}
	var usage usageError
	if errors.As(err, &usage) || strings.HasPrefix(err.Error(), "unknown command") {
		return exitUsage
	}
	return exitFailed
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use: "slipway", Short: "The boot appliance: PXE to a working system, after proof",
		SilenceUsage: true, SilenceErrors: true, Version: version,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.PersistentFlags().StringVar(&a.configFile, "config", "", "configuration file (default: SLIPWAY_CONFIG, else ./slipway.yaml)")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		// cobra checks the same after this, with errors of no type.
		err := c.ValidateRequiredFlags()
		if err == nil {
			err = c.ValidateFlagGroups()
		}
		if err != nil {
			return usageError{fmt.Errorf("%w; usage: %s", err, c.UseLine())}
		}
		return nil
	}
	root.AddCommand(a.serveCommand(), a.configCommand(), a.passcodeCommand(), a.accountCommand(), a.tokenCommand(),
		a.authCommand(), a.graphCommand(), a.deviceCommand(), a.deploymentCommand(), a.sequenceCommand(), a.stepCommand(), a.imageCommand(),
		a.auditCommand(), a.agentConfigCommand(), a.agentCommand(), a.caCommand(), a.backupCommand(), a.restoreCommand(), a.secretCommand(), a.dhcpOptionsCommand(), a.contentCommand(), a.catalogueCommand(), a.mdtCommand())
	return root
}

// group is a command that only holds others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: usage(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error {
		return usageError{fmt.Errorf("%s needs a command: %s", c.CommandPath(), strings.Join(names(c), ", "))}
	}}
	c.AddCommand(commands...)
	return c
}

func names(c *cobra.Command) []string {
	var list []string
	for _, sub := range c.Commands() {
		list = append(list, sub.Name())
	}
	return list
}

// usage makes a wrong number of arguments a usage error.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usageError{fmt.Errorf("%w; usage: %s", err, c.UseLine())}
		}
		return nil
	}
}

// load reads the configuration for a command that talks to the running appliance.
func (a *app) load() (config.Config, error) {
	return config.Load(config.Source{File: a.configFile, Environ: a.environ})
}

// call talks to the running appliance over its local socket.
func (a *app) call(ctx context.Context, method, path string, in, out any) error {
	c, err := a.load()
	if err != nil {
		return err
	}
	path0, err := c.SocketPath()
	if err != nil {
		return err
	}
	return socket.NewClient(path0).Do(ctx, method, "/api/v1"+path, in, out)
}

// printJSON is the form of --json.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// table prints rows in columns; the first row is the head.
func (a *app) table(rows [][]string) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		for i := range r {
			r[i] = printable(r[i])
		}
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	return w.Flush()
}

// printable keeps what devices say of themselves from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return '.'
		}
		return r
	}, s)
}

// jsonFlag gives a command --json.
func (a *app) jsonFlag(c *cobra.Command) *cobra.Command {
	c.Flags().BoolVar(&a.json, "json", false, "print JSON")
	return c
}
