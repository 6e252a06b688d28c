// Command slipway is the boot appliance: it answers PXE beside the DHCP server,
// builds and serves the boot images, asks devices for their passcode and runs
// their task sequences. This package holds the command line, the configuration's
// entry and the wiring; everything else lives below internal/ and in the packages
// beside it. Nobody imports it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the build.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ()})
	stop()
	os.Exit(code)
}
