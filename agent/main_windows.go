// Command slipway-agent runs in the device. In WinPE it is what the boot image's
// script starts, as `slipway-agent winpe`: it signs in and runs task sequences. In an
// installed Windows `slipway-agent start` does so.
package main

import (
	"fmt"
	"io"
	"os"

	"slipway/agent/internal/facts"
)

// version is set by the build.
var version = "dev"

const help = `slipway-agent runs task sequences on this computer.

slipway-agent winpe                 in a Slipway boot image (WinPE), whose start.cmd calls it
slipway-agent version               tells its version
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
	case "start":
		fmt.Fprintln(stderr, "slipway-agent start: not in this version for Windows")
		return 2
	case "help", "--help", "-h":
		fmt.Fprint(stdout, help)
		return 0
	case "version", "--version":
		fmt.Fprintln(stdout, "slipway-agent", version)
		return 0
	}
	fmt.Fprintln(stderr, "slipway-agent: this Windows is no boot image (see slipway-agent --help)")
	return 2
}
