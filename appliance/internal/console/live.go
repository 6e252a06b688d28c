package console

import (
	"context"
	"strings"
	"sync"

	"slipway/appliance/internal/content"
	"slipway/appliance/internal/engine"
	"slipway/ui"
)

// live merges what the services publish into the console's one stream.
type live struct {
	s    Services
	held <-chan struct{}
}

// liveBuffer is how many changes wait for the console; more are one Lost.
const liveBuffer = 1024

// tables of the state whose changes the console shows.
var tables = map[string]string{
	"devices": ui.ChangeDevice, "deployments": ui.ChangeDeployment, "results": ui.ChangeDeployment,
	"sequences": ui.ChangeSequence, "images": ui.ChangeImage, "passcodes": ui.ChangeSecurity,
	"signin": ui.ChangeSecurity, "accounts": ui.ChangeAccess, "tokens": ui.ChangeAccess,
	"contentitems": ui.ChangeContent, "contentversions": ui.ChangeContent,
}

// Subscribe implements ui.Live.
func (l live) Subscribe(ctx context.Context) <-chan ui.Change {
	out := make(chan ui.Change, liveBuffer)
	send := func(c ui.Change) {
		select {
		case out <- c:
			return
		default:
		}
		select { // full: the console hears that it missed something
		case <-out:
		default:
		}
		select {
		case out <- ui.Change{Lost: true}:
		default:
		}
	}
	var wg sync.WaitGroup
	names := make([]string, 0, len(tables))
	for name := range tables {
		names = append(names, name)
	}
	changes := l.s.Store.Subscribe(ctx, names...)
	wg.Go(func() {
		for c := range changes {
			send(ui.Change{Kind: tables[c.Table], ID: ownerOf(c.Table, c.Key), Lost: c.Lost})
		}
	})
	updates := l.s.Engine.Subscribe(ctx)
	wg.Go(func() {
		for u := range updates {
			kind := ui.ChangeDeployment
			if u.Kind == engine.UpdateLog {
				kind = ui.ChangeLog
			}
			send(ui.Change{Kind: kind, ID: u.DeploymentID, Lost: u.Lost})
		}
	})
	builds := l.s.Images.Subscribe(ctx)
	wg.Go(func() {
		for b := range builds {
			send(ui.Change{Kind: ui.ChangeBuild, ID: b.ID})
		}
	})
	wg.Go(func() { jobChanges(ctx, l.s.Content, send) })
	entries := l.s.Audit.Subscribe(ctx)
	wg.Go(func() {
		for range entries {
			send(ui.Change{Kind: ui.ChangeAudit})
		}
	})
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-l.held:
				send(ui.Change{Kind: ui.ChangeSecurity})
			}
		}
	})
	go func() { // ends with ctx: every source above closes its channel then
		wg.Wait()
		close(out)
	}()
	return out
}

// jobChanges sends a change for each state of a job on content, until ctx ends.
func jobChanges(ctx context.Context, service *content.Service, send func(ui.Change)) {
	for j := range service.Subscribe(ctx) {
		send(ui.Change{Kind: ui.ChangeContentJob, ID: j.ID})
	}
}

// ownerOf takes the deployment out of a result's key, and the item out of a content
// version's.
func ownerOf(table, key string) string {
	mark := map[string]string{"results": "/", "contentversions": ":"}[table]
	if mark != "" {
		key, _, _ = strings.Cut(key, mark)
	}
	return key
}
