package steps

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

// Cloud has the appliance fetch what its catalogues name.
type Cloud interface {
	// Fetch asks once; the answer names content, or says when to ask again.
	Fetch(ctx context.Context, q wire.CloudQuery) (wire.CloudAnswer, error)
}

// systemFromCloud has the Windows of the step's settings fetched: the version that it
// became, and the image in it by name or, without one, by number.
func systemFromCloud(ctx context.Context, s *Step) (ref tasksequence.Reference, name string, index int, err error) {
	text := s.Settings.Text
	found, err := fromCloud(ctx, s, wire.CloudQuery{OS: text("OS"), Version: text("Version"), Edition: text("Edition"),
		Architecture: cmp.Or(text("Architecture"), s.Vars.Run().Text("Architecture")), LanguageCode: cmp.Or(text("LanguageCode"), s.Vars.Run().Text("UILanguage"))})
	if err != nil {
		return ref, "", 0, err
	}
	if len(found.Content) != 1 {
		return ref, "", 0, errors.New("the appliance did not say what it has fetched")
	}
	v := found.Content[0]
	return tasksequence.Reference{ID: v.Item, Version: v.Version}, found.Image, max(found.ImageIndex, 1), nil
}

// driversFromCloud has the driver packs for this model fetched; there may be none.
func driversFromCloud(ctx context.Context, s *Step) ([]wire.ContentVersion, error) {
	text := func(name string) string { return s.Vars.Run().Text(name) }
	found, err := fromCloud(ctx, s, wire.CloudQuery{OS: s.Settings.Text("OS"), Version: s.Settings.Text("Version"), Architecture: text("Architecture"),
		Drivers: &wire.DriverQuery{Make: text("Make"), MakeAlias: text("MakeAlias"), Model: text("Model"), ModelAlias: text("ModelAlias"), SystemAlias: text("SystemAlias")}})
	if err == nil && len(found.Content) == 0 {
		s.Log("info", fmt.Sprintf("the catalogues have no driver pack for %s %s", text("Make"), text("Model")))
	}
	return found.Content, err
}

// fromCloud waits until the appliance has what is asked for. Without content in the
// answer there is none.
func fromCloud(ctx context.Context, s *Step, q wire.CloudQuery) (wire.CloudAnswer, error) {
	if s.Machine.Cloud == nil {
		return wire.CloudAnswer{}, errors.New("this agent cannot ask the appliance for what its catalogues have")
	}
	last := ""
	for {
		a, err := s.Machine.Cloud.Fetch(ctx, q)
		if err != nil {
			return a, fmt.Errorf("have it fetched: %w", err)
		}
		if len(a.Content) > 0 || a.Wait <= 0 {
			return a, nil
		}
		if a.Detail != last {
			last = a.Detail
			s.Log("info", a.Detail)
		}
		percent := a.Percent
		if percent == 0 {
			percent = -1
		}
		s.Progress(percent, a.Detail)
		wait := time.NewTimer(time.Duration(a.Wait) * time.Second)
		select {
		case <-ctx.Done():
			wait.Stop()
			return a, context.Cause(ctx)
		case <-wait.C:
		}
	}
}
