package installed

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
)

// options are the command line's.
type options struct {
	config, state       string // absolute
	unattended, verbose bool
}

var errHelp = flag.ErrHelp

func parseArgs(args []string) (options, error) {
	var o options
	set := flag.NewFlagSet("start", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&o.config, "config", defaultConfig(), "")
	set.StringVar(&o.state, "state", defaultState(), "")
	set.BoolVar(&o.unattended, "unattended", false, "")
	set.BoolVar(&o.verbose, "verbose", false, "")
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, errHelp
		}
		return o, fmt.Errorf("%w (see slipway-agent start --help)", err)
	}
	switch {
	case set.NArg() > 0:
		return o, fmt.Errorf("%q is too much (see slipway-agent start --help)", set.Arg(0))
	case o.config == "":
		return o, errors.New("--config FILE is missing; slipway agent-config prints such a file on the appliance")
	}
	var err error
	if o.state, err = filepath.Abs(o.state); err != nil {
		return o, fmt.Errorf("--state: %w", err)
	}
	return o, nil
}
