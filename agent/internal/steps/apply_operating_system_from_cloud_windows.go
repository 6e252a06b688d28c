package steps

import (
	"cmp"
	"context"
	"errors"
	"strconv"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

// applyOperatingSystemFromCloud applies a Windows that the appliance fetches by its
// catalogues, or has fetched before.
func applyOperatingSystemFromCloud(ctx context.Context, s *Step) (Outcome, error) {
	if _, err := openTarget(ctx, s); err != nil {
		return Outcome{}, err // before gigabytes are fetched
	}
	text := s.Settings.Text
	found, err := fromCloud(ctx, s, wire.CloudQuery{OS: text("OS"), Version: text("Version"), Edition: text("Edition"),
		Architecture: cmp.Or(text("Architecture"), s.Vars.Run().Text("Architecture")), LanguageCode: cmp.Or(text("LanguageCode"), s.Vars.Run().Text("UILanguage"))})
	if err != nil {
		return Outcome{}, err
	}
	if len(found.Content) != 1 {
		return Outcome{}, errors.New("the appliance did not say what it has fetched")
	}
	choice := "/Index:" + strconv.Itoa(max(found.ImageIndex, 1))
	if found.Image != "" {
		choice = "/Name:" + found.Image
	}
	v := found.Content[0]
	return applyVersion(ctx, s, tasksequence.Reference{ID: v.Item, Version: v.Version}, choice)
}
