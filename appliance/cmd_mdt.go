package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
	"slipway/appliance/internal/content"
	"slipway/appliance/internal/mdt"
	"slipway/fleet"
	"slipway/tasksequence"
)

func (a *app) mdtCommand() *cobra.Command {
	var dry, all bool
	imp := a.jsonFlag(&cobra.Command{Use: "import DIR", Short: "Carry a deployment share of the Microsoft Deployment Toolkit over",
		Long: `Reads the deployment share in the folder DIR, which stays as it is, and makes content
items, task sequences and the rules of CustomSettings.ini of it. All task sequences come
in development. The report says of every piece of the share whether it was carried over,
changed or left behind. docs/mdt.md tells more.`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if dry {
				plan, err := mdt.Read(args[0], mdt.Options{})
				if err != nil {
					return err
				}
				return a.showImport(mdtImport{Made: []mdtMade{}, Plan: plan.Shown(), DryRun: true}, all)
			}
			return a.importShare(c.Context(), args[0], all)
		}})
	imp.Flags().BoolVar(&dry, "dry-run", false, "only report what would be done; no appliance is needed")
	imp.Flags().BoolVar(&all, "all", false, "also list what is carried over as it is")
	return group("mdt", "Coming from the Microsoft Deployment Toolkit", imp)
}

// mdtImport is what an import did, as --json prints it.
type mdtImport struct {
	DryRun bool      `json:"dryRun"`
	Made   []mdtMade `json:"made"`
	mdt.Plan
}

// mdtMade is one thing that an import made, or why it did not.
type mdtMade struct {
	Kind      string `json:"kind"` // content or sequence
	Name      string `json:"name"`
	Reference string `json:"reference,omitempty"`
	Note      string `json:"note,omitempty"`
	Error     string `json:"error,omitempty"`
}

func (a *app) importShare(ctx context.Context, dir string, all bool) error {
	var steps api.StepDefinitions
	if err := a.call(ctx, "GET", "/admin/steps", nil, &steps); err != nil {
		return err
	}
	catalogue, err := tasksequence.NewCatalogue(steps.Steps...)
	if err != nil {
		return err
	}
	plan, err := mdt.Read(dir, mdt.Options{Catalogue: catalogue})
	if err != nil {
		return err
	}
	parent, err := a.stagingFolder()
	if err == nil {
		err = dropStaged(parent)
	}
	if err != nil {
		return err
	}
	out := mdtImport{Made: []mdtMade{}, Plan: plan.Shown()}
	references := map[string]string{} // what the plan calls it, to what the appliance does
	for _, i := range plan.Items {
		made := a.importItem(ctx, i, references)
		out.Made = append(out.Made, made)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	sequences := plan.Sequences
	if plan.Rules != nil {
		sequences = append([]mdt.Sequence{*plan.Rules}, sequences...)
	}
	for _, s := range sequences {
		out.Made = append(out.Made, a.importSequence(ctx, s, references))
	}
	failed := 0
	for _, m := range out.Made {
		failed += min(len(m.Error), 1)
	}
	if err := a.showImport(out, all); err != nil || failed == 0 {
		return err
	}
	return fmt.Errorf("%d of %d pieces could not be made; the command can be repeated: what is there already is kept", failed, len(out.Made))
}

// importItem makes a content item, or finds that an earlier import made it.
func (a *app) importItem(ctx context.Context, i mdt.Item, references map[string]string) mdtMade {
	made := mdtMade{Kind: "content", Name: i.Name}
	fail := func(err error) mdtMade {
		made.Error = err.Error()
		return made
	}
	var before api.ContentItem
	if err := a.call(ctx, "GET", "/admin/content/"+escape(i.Name), nil, &before); err != nil {
		before = api.ContentItem{}
	}
	if v := current(before, i); v != nil {
		made.Reference, made.Note = v.Reference(), "there already"
		references[i.Key] = v.Item
		return made
	}
	in := api.AddContent{Name: i.Name, Description: i.Description, Purpose: i.Purpose, Tags: i.Tags, Manufacturer: i.Manufacturer, Models: i.Models,
		Command: i.Command, Path: i.Path}
	if i.Path == "" {
		files, err := a.stage(i)
		if err != nil {
			return fail(err)
		}
		defer files.remove()
		in.Path = files.path
	}
	if !a.json {
		fmt.Fprintf(a.err, "Content %s\n", printable(i.Name))
	}
	var job content.Job
	err := a.call(ctx, "POST", "/admin/content", in, &job)
	if err == nil {
		job, err = a.followContent(ctx, job)
	}
	if err != nil {
		return fail(err)
	}
	v := job.Version
	made.Reference = v.Reference()
	references[i.Key] = v.Item
	for _, old := range before.Versions {
		if old.Manifest == v.Manifest && old.Command == v.Command && old.Status == fleet.ContentActive {
			if err := a.call(ctx, "DELETE", fmt.Sprintf("/admin/content/%s/versions/%d", escape(v.Item), v.Version), nil, nil); err != nil {
				return fail(err)
			}
			made.Reference, made.Note = old.Reference(), "there already"
			break
		}
	}
	return made
}

// current is the active version of an item that was taken from a path with this command
// line, when nothing below the path is newer.
func current(item api.ContentItem, i mdt.Item) *fleet.ContentVersion {
	if i.Path == "" {
		return nil
	}
	newest := time.Time{}
	err := filepath.WalkDir(i.Path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
		return err
	})
	if err != nil {
		return nil
	}
	for n := range item.Versions {
		v := &item.Versions[n]
		if v.Source == i.Path && v.Command == i.Command && v.Status == fleet.ContentActive && v.CreatedAt.After(newest) {
			return v
		}
	}
	return nil
}

// importSequence makes a task sequence, its references those of the appliance.
func (a *app) importSequence(ctx context.Context, s mdt.Sequence, references map[string]string) mdtMade {
	made := mdtMade{Kind: "sequence", Name: s.Name}
	if s.Refused {
		made.Error = s.Problems.Error()
		return made
	}
	document, err := s.Document.MapSettings(func(x tasksequence.Setting) (json.RawMessage, error) {
		var text string
		if json.Unmarshal(x.Value, &text) != nil {
			return x.Value, nil
		}
		if real, ok := references[text]; ok {
			return json.Marshal(real)
		}
		return x.Value, nil
	})
	var body []byte
	if err == nil {
		body, err = json.Marshal(document)
	}
	var out api.Sequence
	if err == nil {
		err = a.call(ctx, "POST", "/admin/sequences", body, &out)
	}
	if err != nil {
		made.Error = err.Error()
		return made
	}
	references[s.ID+":1"] = fmt.Sprintf("%s:%d", out.ID, out.Version)
	made.Reference, made.Note = references[s.ID+":1"], out.Status
	return made
}

func (a *app) showImport(out mdtImport, all bool) error {
	if a.json {
		return a.printJSON(out)
	}
	for line := range strings.Lines(out.Report.Text(all)) {
		fmt.Fprintln(a.out, printable(strings.TrimRight(line, "\n")))
	}
	rows := [][]string{{"WHAT", "NAME", "REFERENCE", "NOTE"}}
	if out.DryRun {
		for _, i := range out.Items {
			rows = append(rows, []string{"content", i.Name, "-", "would be added as " + i.Purpose})
		}
		for _, s := range slices.Concat(rulesOf(out.Plan), out.Sequences) {
			rows = append(rows, []string{"sequence", s.Name, s.ID, fmt.Sprintf("would be imported in development, %d steps", s.Steps)})
		}
	}
	for _, m := range out.Made {
		note := m.Note
		if m.Error != "" {
			note = "FAILED: " + m.Error
		}
		rows = append(rows, []string{m.Kind, m.Name, m.Reference, note})
	}
	return a.table(rows)
}

func rulesOf(p mdt.Plan) []mdt.Sequence {
	if p.Rules == nil {
		return nil
	}
	return []mdt.Sequence{*p.Rules}
}
