//go:build !linux

// Command slipway-agent runs in the booted device. For Windows there is no
// agent in this version.
package main

import (
	"fmt"
	"io"
	"os"
)

var version = "dev"

func main() { os.Exit(run(os.Args, os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) > 1 && (args[1] == "version" || args[1] == "--version") {
		fmt.Fprintln(stdout, "slipway-agent", version)
		return 0
	}
	fmt.Fprintln(stderr, "slipway-agent: Windows is not in this version; boot the device from the Linux boot image.")
	return 2
}
