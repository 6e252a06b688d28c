// Command slipway-lab is what `make lab` and `make image` run: an appliance and
// a machine that PXE boots from it, in a private network.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"slipway/lab"
)

const usage = `a command is missing: slipway-lab COMMAND [flags]
  boot      power on a machine that boots from an appliance; Ctrl-] leaves
  prepare   build the boot image that boot and the tests use
  reap      remove what a killed lab has left behind`

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "slipway-lab:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in *os.File, out io.Writer) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	// A closed pipe on standard output must end the lab by its own way out.
	signal.Ignore(syscall.SIGPIPE)
	flags := flag.NewFlagSet("slipway-lab "+args[0], flag.ContinueOnError)
	packages := flags.String("packages", filepath.Join(lab.Root(), ".cache", "packages"), "folder of Debian packages (slipway image fetch)")
	switch args[0] {
	case "boot":
		o := bootOptions{}
		flags.StringVar(&o.firmware, "firmware", "uefi", "bios, uefi or uefi-http")
		flags.DurationVar(&o.limit, "limit", 10*time.Minute, "without a terminal: how long to show the machine's console")
		flags.StringVar(&o.console, "console", "127.0.0.1:8443", "where the browser reaches the console")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		o.packages = *packages
		return boot(ctx, o, in, out)
	case "prepare":
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		p, err := prepare(ctx, *packages, out)
		if err == nil {
			fmt.Fprintf(out, "An appliance's data folder with the boot image: %s\n", p.Dir)
		}
		return err
	case "reap":
		return lab.Reap(logger())
	}
	return fmt.Errorf("no command %q: boot, prepare or reap", args[0])
}

func prepare(ctx context.Context, packages string, out io.Writer) (lab.Prepared, error) {
	if err := lab.Tools(); err != nil {
		return lab.Prepared{}, err
	}
	cache := filepath.Join(lab.Root(), ".cache", "lab")
	return lab.Prepare(ctx, cache, packages, lab.Options{Logger: logger(), Label: "prepare"}, out)
}
