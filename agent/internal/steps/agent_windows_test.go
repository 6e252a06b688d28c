package steps

import "context"

// winAgent is a steps.Agent.
type winAgent struct{}

func (winAgent) Place(context.Context, string, string) error       { return nil }
func (winAgent) PlaceOn(context.Context, string, OpenVolume) error { return errNoDisks }
func (winAgent) Authorities() []string                             { return []string{"PEM 1\n", "PEM 2\n"} }
