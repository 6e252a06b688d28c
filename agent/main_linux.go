// Command slipway-agent runs in the device. In the Linux boot image it is /init:
// as PID 1 it supervises itself as the worker, which brings up the machine, signs
// in and runs task sequences. In an installed OS `slipway-agent start` does so.
package main

import (
	"fmt"
	"io"
	"os"

	"slipway/agent/internal/boot"
	"slipway/agent/internal/installed"
)

// version is set by the build.
var version = "dev"

const help = `slipway-agent runs task sequences on this computer.

slipway-agent start --config FILE   in an installed system (start --help tells more)
slipway-agent version               tells its version

In a Slipway boot image it is the init and needs no command.
`

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
	case "start":
		return installed.Start(args[2:], version, os.Stdin, stdout, stderr)
	case "help", "--help", "-h":
		fmt.Fprint(stdout, help)
		return 0
	case "version", "--version":
		fmt.Fprintln(stdout, "slipway-agent", version)
		return 0
	}
	fmt.Fprintln(stderr, "slipway-agent: in an installed system say: slipway-agent start --config FILE (see slipway-agent --help)")
	return 2
}
