// Command slipway-bench compares this product with its peers, in one run, in a
// private network: `make bench-tftp`, `make bench-boot`. Ratios count; the figures themselves are
// those of the machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"slipway/lab"
)

const usage = `a command is missing: slipway-bench COMMAND [flags]
  tftp   how fast files are served by TFTP, beside dnsmasq, tftpd-hpa and atftpd
  boot   seconds from power-on to the challenge, beside Debian's installer`

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "slipway-bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	flags := flag.NewFlagSet("slipway-bench "+args[0], flag.ContinueOnError)
	rounds := flags.Int("rounds", 3, "how often each is measured; the median counts")
	packages := flags.String("packages", filepath.Join(lab.Root(), ".cache", "packages"), "boot: folder of Debian packages (slipway image fetch)")
	only := flags.String("only", "", "boot: measure only these rows, separated by commas")
	if args[0] != "boot" && args[0] != "tftp" {
		return errors.New(usage)
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if *rounds < 1 || flags.NArg() > 0 {
		return fmt.Errorf("one round at least, and no further arguments: %d, %q", *rounds, flags.Args())
	}
	switch args[0] {
	case "boot":
		list, err := chosen(*only)
		if err != nil {
			return err
		}
		return benchBoot(ctx, *packages, list, *rounds, out)
	default:
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		r, err := lab.NewRun(lab.Options{Label: "bench-tftp"})
		if err != nil {
			return err
		}
		defer r.CloseOnSignal()()
		return errors.Join(benchTFTP(ctx, r, *rounds, out), r.Close())
	}
}
