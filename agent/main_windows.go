// Command slipway-agent runs in the device. In WinPE it is what the boot image's
// script starts, as `slipway-agent winpe`: it signs in and runs task sequences. In an
// installed Windows `slipway-agent start` does so, and a service goes on after restarts.
package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"slipway/agent/internal/facts"
	"slipway/agent/internal/installed"
)

// version is set by the build.
var version = "dev"

const help = `slipway-agent runs task sequences on this computer.

slipway-agent start [--config FILE] in an installed Windows, as administrator (start --help tells more)
slipway-agent version               tells its version

Called by others: slipway-agent winpe, by the boot image's start.cmd; slipway-agent install,
by the answer file of a Windows that a boot image put onto the disk; slipway-agent service,
by Windows' services.
`

func main() { os.Exit(run(os.Args, os.Stdout, os.Stderr)) }

// run does what the arguments say and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	command := ""
	if len(args) > 1 {
		command = args[1]
	}
	switch command {
	case "winpe":
		if facts.IsWinPE() {
			return winPE(stderr)
		}
	case "start", "service", "install":
		if facts.IsWinPE() {
			fmt.Fprintf(stderr, "slipway-agent %s: this is WinPE, not an installed Windows\n", command)
			return 2
		}
		return installedWindows(command, args[2:], stdout, stderr)
	case "help", "--help", "-h":
		fmt.Fprint(stdout, help)
		return 0
	case "version", "--version":
		fmt.Fprintln(stdout, "slipway-agent", version)
		return 0
	}
	fmt.Fprintln(stderr, "slipway-agent: in an installed Windows say: slipway-agent start --config FILE (see slipway-agent --help)")
	return 2
}

// installedWindows is the agent in an installed Windows.
func installedWindows(command string, args []string, stdout, stderr io.Writer) int {
	m := machine(os.TempDir(), slog.New(slog.DiscardHandler))
	w := installed.Windows{Network: m.network, Elevated: m.elevated}
	switch command {
	case "service":
		return installed.Service(w, args, version, stderr)
	case "install":
		return installed.Install(w, version, stderr)
	}
	return installed.Start(w, args, version, os.Stdin, stdout, stderr)
}
