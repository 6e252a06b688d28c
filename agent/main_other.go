//go:build !linux

// Command slipway-agent runs in the device. For Windows there is no agent in this
// version: the command is there so that scripts get a clear answer.
package main

import (
	"fmt"
	"io"
	"os"
)

var version = "dev"

func main() { os.Exit(run(os.Args, os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	command := ""
	if len(args) > 1 {
		command = args[1]
	}
	switch command {
	case "version", "--version":
		fmt.Fprintln(stdout, "slipway-agent", version)
		return 0
	case "help", "--help", "-h":
		fmt.Fprintln(stdout, "slipway-agent version tells its version. In this version that is all on Windows:")
		fmt.Fprintln(stdout, "task sequences run in the Linux boot image and, with slipway-agent start, in an installed Linux.")
		return 0
	case "start":
		fmt.Fprintln(stderr, "slipway-agent start: not in this version for Windows; it runs in an installed Linux. Boot this computer from the Linux boot image instead.")
		return 2
	}
	fmt.Fprintln(stderr, "slipway-agent: Windows is not in this version; boot the device from the Linux boot image.")
	return 2
}
