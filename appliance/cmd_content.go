package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
	"slipway/appliance/internal/content"
	"slipway/fleet"
	"slipway/tasksequence"
)

func (a *app) contentCommand() *cobra.Command {
	return group("content", "Content items and versions: what devices fetch",
		a.contentAdd(), a.contentList(), a.contentShow(), a.contentStatus(), a.contentVerify(), a.contentDelete(), a.contentExport())
}

func (a *app) contentAdd() *cobra.Command {
	var in api.AddContent
	c := a.jsonFlag(&cobra.Command{Use: "add NAME PATH|URL --purpose P", Short: "Add a version to the item NAME, or a new item",
		Long: `Takes a file, a folder or an address into a new version of the item NAME, which is made
when there is none. PATH is on the appliance's disk and read by the appliance itself.
Purposes: ` + strings.Join(tasksequence.Purposes(), ", ") + `.
Disk images (qcow2, .img, .raw) of an operating system are converted to a form that is
streamed onto disks; a WIM gets a form beside it that can be read from a pipe.`,
		Args: usage(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			in.Name = args[0]
			if strings.HasPrefix(args[1], "http://") || strings.HasPrefix(args[1], "https://") {
				in.URL = args[1]
			} else {
				path, err := filepath.Abs(args[1])
				if err != nil {
					return err
				}
				in.Path = path
			}
			return a.addContent(c.Context(), in)
		}})
	f := c.Flags()
	f.StringVar(&in.Purpose, "purpose", "", "what the item is for (needed for a new item): "+strings.Join(tasksequence.Purposes(), ", "))
	f.StringVar(&in.Description, "description", "", "of a new item")
	f.StringArrayVar(&in.Tags, "tag", nil, "of a new item (may be repeated)")
	f.StringVar(&in.Manufacturer, "manufacturer", "", "a driver pack's maker, as devices name it")
	f.StringArrayVar(&in.Models, "model", nil, "a driver pack's model (may be repeated)")
	f.StringVar(&in.Command, "command", "", "an application's installation command line")
	f.StringVar(&in.Status, "status", "", "status of the version: development, active or deprecated (default active)")
	f.StringVar(&in.SHA256, "sha256", "", "hash that the file from a URL must have")
	f.BoolVar(&in.AsIs, "as-is", false, "convert nothing")
	f.BoolVar(&in.KeepOriginal, "keep-original", false, "keep a disk image beside its converted form")
	return c
}

func (a *app) addContent(ctx context.Context, in api.AddContent) error {
	var job content.Job
	if err := a.call(ctx, "POST", "/admin/content", in, &job); err != nil {
		return err
	}
	job, err := a.followContent(ctx, job)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(job.Version)
	}
	v := job.Version
	text := fmt.Sprintf("%s: version %d, %s, %s, %s\n", in.Name, v.Version, v.Status, filesText(v.Files), fleet.Bytes(v.Size))
	for line := range strings.Lines(v.Notes) {
		text += printable(strings.TrimRight(line, "\n")) + "\n"
	}
	_, err = fmt.Fprintf(a.out, "%sReference: %s\n", text, v.Reference())
	return err
}

// followContent waits for a job and says on stderr how far it is.
func (a *app) followContent(ctx context.Context, job content.Job) (content.Job, error) {
	said := ""
	for job.Status == content.JobRunning {
		if line := contentProgress(job); line != said && !a.json {
			fmt.Fprintln(a.err, line)
			said = line
		}
		var err error
		select {
		case <-ctx.Done():
		case <-time.After(contentPoll(job)):
			err = a.call(ctx, "GET", "/admin/content-jobs/"+escape(job.ID), nil, &job)
		}
		if ctx.Err() != nil {
			stop := context.WithoutCancel(ctx)
			return job, errors.Join(ctx.Err(), a.call(stop, "DELETE", "/admin/content-jobs/"+escape(job.ID), nil, nil))
		}
		if err != nil {
			return job, err
		}
	}
	if job.Status == content.JobFailed {
		return job, errors.New(job.Error)
	}
	return job, nil
}

// contentPoll is how long to wait before a job is asked for again: small ones are
// over at once.
func contentPoll(job content.Job) time.Duration {
	if job.Total < 64<<20 {
		return 50 * time.Millisecond
	}
	return time.Second
}

// contentProgress names the stage and each tenth of it.
func contentProgress(job content.Job) string {
	stage := cmp.Or(job.Stage, "Starting")
	if job.Total <= 0 {
		return stage
	}
	return fmt.Sprintf("%s: %d%% of %s", stage, min(job.Done*10/job.Total, 10)*10, fleet.Bytes(job.Total))
}

func (a *app) contentList() *cobra.Command {
	return a.jsonFlag(&cobra.Command{Use: "list", Short: "List content items and their versions", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			var out api.ContentItems
			if err := a.call(c.Context(), "GET", "/admin/content", nil, &out); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(out)
			}
			rows := [][]string{{"NAME", "PURPOSE", "VERSION", "STATUS", "SIZE", "ADDED", "ITEM"}}
			for _, i := range out.Items {
				rows = append(rows, contentRows(i)...)
			}
			return a.table(rows)
		}})
}

func contentRows(i api.ContentItem) (rows [][]string) {
	if len(i.Versions) == 0 {
		return [][]string{{i.Name, i.Purpose, "-", "-", "-", "-", i.ID}}
	}
	for _, v := range i.Versions {
		rows = append(rows, []string{i.Name, i.Purpose, strconv.Itoa(v.Version), v.Status, fleet.Bytes(v.Size), stamp(v.CreatedAt), i.ID})
	}
	return rows
}

func (a *app) contentShow() *cobra.Command {
	return a.jsonFlag(&cobra.Command{Use: "show ITEM[:VERSION]", Short: "Show an item, or the files of a version", Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			item, version, err := a.contentReference(c.Context(), args[0])
			if err != nil {
				return err
			}
			if version == 0 {
				return a.showItem(item)
			}
			return a.showVersion(c.Context(), item, version)
		}})
}

// contentReference reads "item" (version 0) or "item:version"; the item is named by
// its id or its name, which may hold a colon itself.
func (a *app) contentReference(ctx context.Context, text string) (item api.ContentItem, version int, err error) {
	if err = a.call(ctx, "GET", "/admin/content/"+url.PathEscape(text), nil, &item); err == nil {
		return item, 0, nil
	}
	i := strings.LastIndex(text, ":")
	if i < 0 {
		return item, 0, err
	}
	if version, err = strconv.Atoi(text[i+1:]); err != nil || version < 1 {
		return item, 0, usageError{fmt.Errorf("%q is neither an item nor ITEM:VERSION", text)}
	}
	return item, version, a.call(ctx, "GET", "/admin/content/"+url.PathEscape(text[:i]), nil, &item)
}

func (a *app) showItem(i api.ContentItem) error {
	if a.json {
		return a.printJSON(i)
	}
	rows := [][]string{{"Item", i.ID}, {"Name", i.Name}, {"Purpose", i.Purpose}, {"Description", i.Description}, {"Tags", strings.Join(i.Tags, ", ")}}
	if i.Purpose == tasksequence.PurposeDriverPack {
		rows = append(rows, []string{"Manufacturer", i.Manufacturer}, []string{"Models", strings.Join(i.Models, ", ")})
	}
	for _, v := range i.Versions {
		rows = append(rows, []string{fmt.Sprintf("Version %d", v.Version), versionLine(v)})
	}
	return a.table(rows)
}

func versionLine(v fleet.ContentVersion) string {
	line := fmt.Sprintf("%s, %s, %s, %s, added %s by %s", v.Status, v.Kind, filesText(v.Files), fleet.Bytes(v.Size), stamp(v.CreatedAt), v.CreatedBy)
	if v.Command != "" {
		line += ", runs: " + v.Command
	}
	return line
}

func (a *app) contentStatus() *cobra.Command {
	return a.jsonFlag(&cobra.Command{Use: "status ITEM:VERSION STATUS", Short: "Make a version active, deprecated or development", Args: usage(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			item, version, err := a.contentReference(c.Context(), args[0])
			if err != nil {
				return err
			}
			if version == 0 {
				return usageError{errors.New("name the version as ITEM:VERSION")}
			}
			var out fleet.ContentVersion
			if err := a.call(c.Context(), "PUT", fmt.Sprintf("/admin/content/%s/versions/%d/status", escape(item.ID), version), api.ContentStatus{Status: args[1]}, &out); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(out)
			}
			_, err = fmt.Fprintf(a.out, "%s, version %d: %s\n", item.Name, version, out.Status)
			return err
		}})
}

func (a *app) contentVerify() *cobra.Command {
	return a.jsonFlag(&cobra.Command{Use: "verify [ITEM[:VERSION]]", Short: "Read content at rest again and compare it with its hashes", Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			var in api.VerifyContent
			if len(args) == 1 {
				item, version, err := a.contentReference(c.Context(), args[0])
				if err != nil {
					return err
				}
				in = api.VerifyContent{Item: item.ID, Version: version}
			}
			return a.verifyContent(c.Context(), in)
		}})
}

func (a *app) verifyContent(ctx context.Context, in api.VerifyContent) error {
	var job content.Job
	if err := a.call(ctx, "POST", "/admin/content-jobs/verify", in, &job); err != nil {
		return err
	}
	job, err := a.followContent(ctx, job)
	if a.json {
		return errors.Join(err, a.printJSON(job))
	}
	for _, d := range job.Damage {
		if _, e := fmt.Fprintf(a.out, "%s:%d %s: %s\n", printable(d.Name), d.Version, printable(d.Path), printable(d.Detail)); e != nil {
			return e
		}
	}
	if err == nil {
		_, err = fmt.Fprintf(a.out, "All content is as it was added (%s read).\n", fleet.Bytes(job.Done))
	}
	return err
}

func filesText(n int) string {
	if n == 1 {
		return "1 file"
	}
	return strconv.Itoa(n) + " files"
}
