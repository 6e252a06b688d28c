// Command slipway-agent runs in the booted device. In the Linux boot image it
// is /init: as PID 1 it supervises itself as the worker, which brings up the
// machine, asks for the passcode and runs task sequences.
package main

import (
	"fmt"
	"io"
	"os"

	"slipway/agent/internal/boot"
)

// version is set by the build.
var version = "dev"

func main() { os.Exit(run(os.Args, os.Getpid(), os.Stdout, os.Stderr)) }

// run does what the arguments say and returns the exit code. As PID 1 it does
// not return; the kernel passes words of its command line as arguments then.
func run(args []string, pid int, stdout, stderr io.Writer) int {
	if pid == 1 {
		boot.Supervise()
	}
	command := ""
	if len(args) > 1 {
		command = args[1]
	}
	switch command {
	case boot.WorkerArg:
		return worker(stderr)
	case "-q": // the kernel asks for a module: -q -- name (/proc/sys/kernel/modprobe)
		return modprobe(args[len(args)-1])
	case "version", "--version":
		fmt.Fprintln(stdout, "slipway-agent", version)
		return 0
	}
	fmt.Fprintln(stderr, "slipway-agent runs as the init of a Slipway boot image; on a running system it only tells its version (slipway-agent version).")
	return 2
}
