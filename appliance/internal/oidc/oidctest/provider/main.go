// Command provider runs the OpenID provider of the tests as a process of its own,
// e.g. in a network namespace beside a booted device. It prints its issuer, and
// where it is steered (see oidctest), then runs until it is told to end. Nothing
// that is shipped contains it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"slipway/appliance/internal/oidc/oidctest"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "provider:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := oidctest.Options{}
	flag.StringVar(&o.Addr, "listen", "127.0.0.1:0", "address of the provider")
	flag.StringVar(&o.Host, "host", "", "host name in the issuer (the listen address)")
	flag.StringVar(&o.Control, "control", "127.0.0.1:0", "address for steering it")
	flag.BoolVar(&o.TLS, "tls", false, "https with a CA of its own")
	flag.DurationVar(&o.Interval, "interval", 5*time.Second, "time between polls, whole seconds")
	flag.DurationVar(&o.Lifetime, "lifetime", 5*time.Minute, "how long a device code is good, whole seconds")
	verbose := flag.Bool("v", false, "log requests")
	flag.Parse()
	if *verbose {
		o.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	p, err := oidctest.Start(o)
	if err != nil {
		return err
	}
	err = json.NewEncoder(os.Stdout).Encode(map[string]string{"issuer": p.Issuer, "control": p.ControlURL(), "ca": p.CA()})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return p.Close()
}
