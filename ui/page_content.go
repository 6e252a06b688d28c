package ui

import "slipway/ui/internal/view"

// contentChoices are the items of a purpose that a step may name.
func (c *Console) contentChoices(*visit, string) ([]view.Option, error) { return nil, nil }
