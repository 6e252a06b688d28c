package session

import (
	"cmp"
	"context"
	"fmt"

	"slipway/agent/internal/client"
	"slipway/agent/internal/runner"
	"slipway/agent/internal/screen"
	"slipway/agent/wire"
)

// choose decides what to run: an unfinished deployment, the sequence given at the
// start of an installed OS (TSID: whoever configured that start means it), the
// assigned one, or what the technician picks.
func (s *Session) choose(ctx context.Context, c *client.Client) (wire.Deployment, error) {
	for {
		list, err := s.sequences(ctx, c)
		if err != nil {
			return wire.Deployment{}, err
		}
		if list.Unfinished != "" {
			again, err := s.goOn(ctx, c, list)
			if err != nil {
				return wire.Deployment{}, err
			}
			if again {
				return s.takeOver(ctx, c, list.Unfinished)
			}
			if err := s.giveUp(ctx, c, list.Unfinished); err != nil {
				return wire.Deployment{}, err
			}
		}
		pick := cmp.Or(s.Sequence, list.Assigned)
		if pick == "" && s.Image.Lab {
			pick = s.Args.Sequence
		}
		if pick == "" {
			if pick, err = s.pick(ctx, list.TaskSequences); err != nil {
				return wire.Deployment{}, err
			}
		}
		if pick != "" {
			return s.start(ctx, c, pick)
		}
	}
}

func (s *Session) sequences(ctx context.Context, c *client.Client) (wire.TaskSequences, error) {
	var list wire.TaskSequences
	err := client.Retry(ctx, nil, func(ctx context.Context) (err error) {
		list, err = c.TaskSequences(ctx)
		return err
	})
	return list, err
}

// goOn says whether the unfinished deployment is continued. One that waits for
// this environment since a Reboot step is, without asking; so is any when nobody is there.
func (s *Session) goOn(ctx context.Context, c *client.Client, list wire.TaskSequences) (bool, error) {
	here := "image"
	if s.environment() == wire.FullOS {
		here = "disk"
	}
	if d, err := c.Deployment(ctx, list.Unfinished); err == nil && d.WaitsFor == here || s.Unattended {
		return true, nil
	}
	name := list.UnfinishedName
	if name == "" {
		name = "deployment " + list.Unfinished
	}
	page := screen.NewChoice("Unfinished deployment", "Continue the unfinished deployment?", []screen.Item{
		{Name: "Continue: " + name, Description: "Finished steps are not run again."},
		{Name: "Start something else", Description: "The unfinished deployment is given up: it counts as cancelled."},
	})
	s.Display.Show(page)
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case i := <-page.Chosen():
		return i == 0, nil
	}
}

// giveUp ends the unfinished deployment: a device has one deployment at a time. It
// reports as the deployment stands and does not continue it, because the sign-in
// would belong to it from then on, and end with it.
func (s *Session) giveUp(ctx context.Context, c *client.Client, id string) error {
	return client.Retry(ctx, nil, func(ctx context.Context) error {
		d, err := c.Deployment(ctx, id)
		if err != nil {
			return err
		}
		if _, over := final(d); over {
			return nil
		}
		return s.end(ctx, c, d, runner.Cancelled, "Given up at the device.")
	})
}

// end reports the end of a deployment as it stands, without continuing it.
func (s *Session) end(ctx context.Context, c *client.Client, d wire.Deployment, status, message string) error {
	_, err := c.Events(ctx, d.ID, wire.EventBatch{Epoch: d.Epoch, Events: []wire.Event{{Number: d.Kept + 1, Time: s.Now().UTC(),
		Kind: wire.EventFinished, Status: status, Message: message}}})
	return err
}

// pick lets the technician choose. It returns nothing when the list shall be
// asked for again.
func (s *Session) pick(ctx context.Context, list []wire.TaskSequence) (string, error) {
	if s.Unattended {
		return "", fmt.Errorf("%w: no task sequence is named or assigned: set the variable TSID, or assign one to this device", ErrUnattended)
	}
	if len(list) == 0 {
		n := screen.NewNotice("Task sequences", "There is no task sequence to run", screen.Calm)
		n.Text = "Activate a task sequence in the console, or assign one to this device."
		n.Next, n.Until = "Asking again", s.Now().Add(retryEvery)
		n.Actions = []screen.Action{screen.ActionRetry()}
		s.Display.Show(n)
		_, err := s.wait(ctx, n)
		return "", err
	}
	var items []screen.Item
	for _, t := range list {
		items = append(items, screen.Item{Name: t.Name, Description: t.Description})
	}
	page := screen.NewChoice("Task sequences", "Choose a task sequence", items, screen.ActionRefresh())
	s.Display.Show(page)
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-page.Action():
		return "", nil
	case i := <-page.Chosen():
		return fmt.Sprintf("%s:%d", list[i].ID, list[i].Version), nil
	}
}
