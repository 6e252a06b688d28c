package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/sync/errgroup"
)

// component is a part that runs for as long as the appliance does.
type component struct {
	name string
	run  func(ctx context.Context) error
}

// runAll runs every component until ctx ends or one of them ends; the first exit
// stops the rest.
func runAll(ctx context.Context, log *slog.Logger, list []component) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	for _, c := range list {
		group.Go(func() error {
			defer cancel()
			err := c.run(ctx)
			if err == nil || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
				return nil
			}
			log.ErrorContext(ctx, "a part of the appliance ended", "part", c.name, "error", err)
			return fmt.Errorf("%s: %w", c.name, err)
		})
	}
	return group.Wait()
}
