package installed

import (
	"context"
	"fmt"

	"slipway/agent/internal/screen"
)

// display is the screen in a terminal, with the lines after it, and without one
// the lines alone. leave ends it.
func (a *agent) display(ctx context.Context) (_ *screen.Display, leave func(), err error) {
	var options screen.Options
	var terminals []*screen.Terminal
	restore := func() {}
	if a.options.unattended {
		options.Shown = a.out.shown
	} else {
		t, giveBack, err := openTerminal(a.stdin)
		if err != nil {
			return nil, nil, fmt.Errorf("the terminal: %w (--unattended needs none)", err)
		}
		terminals = append(terminals, t)
		a.out.hold()
		a.errs.hold()
		restore = func() {
			giveBack()
			a.out.release()
			a.errs.release()
		}
	}
	d := screen.NewDisplay(options, screen.NewNotice("Starting", "Looking for the network", screen.Calm),
		screen.Facts{Product: "Slipway " + a.version, Model: a.facts["Model"], Serial: a.facts["SerialNumber"]}, terminals...)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.Run(ctx)
	}()
	return d, func() {
		cancel()
		<-done
		restore()
	}, nil
}
