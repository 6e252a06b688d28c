package main

import (
	"context"
	"fmt"

	"slipway/agent/wire"
	"slipway/appliance/internal/api"
)

// showVersion prints the files of a version.
func (a *app) showVersion(ctx context.Context, i api.ContentItem, version int) error {
	var m wire.ContentManifest
	if err := a.call(ctx, "GET", fmt.Sprintf("/content/%s/%d", escape(i.ID), version), nil, &m); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(m)
	}
	rows := [][]string{{"PATH", "SIZE", "MODE", "SHA256", "FORM"}}
	for _, f := range m.Files {
		rows = append(rows, []string{f.Path, fmt.Sprint(f.Size), fmt.Sprintf("%04o", f.Mode), f.SHA256, f.Form})
	}
	return a.table(rows)
}
