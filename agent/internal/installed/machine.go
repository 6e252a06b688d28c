package installed

import "context"

// autostart makes the agent start again with the machine.
type autostart interface {
	install(ctx context.Context, args []string) error
	remove(ctx context.Context) error
}

// power ends the running system, by its init so that services are ended and file
// systems are unmounted in order.
type power interface {
	restart(ctx context.Context) error
	off(ctx context.Context) error
	// reseal hands the computer over as if it were new, and switches it off.
	reseal(ctx context.Context) error
}
