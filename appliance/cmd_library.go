package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
	"slipway/appliance/internal/engine"
	"slipway/fleet"
)

// maxDocument bounds a sequence file, in bytes; the appliance has the same bound.
const maxDocument = 8 << 20

func (a *app) readDocument(name string) ([]byte, error) {
	in := a.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	body, err := io.ReadAll(io.LimitReader(in, maxDocument+1))
	if err == nil && len(body) > maxDocument {
		err = fmt.Errorf("%s is larger than %d MiB", name, maxDocument>>20)
	}
	return body, err
}

func (a *app) sequenceCommand() *cobra.Command {
	imp := a.jsonFlag(&cobra.Command{Use: "import FILE", Short: "Import a task sequence (JSON or YAML; - for standard input)", Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			body, err := a.readDocument(args[0])
			if err != nil {
				return err
			}
			var out api.Sequence
			if err := a.call(c.Context(), "POST", "/admin/sequences", body, &out); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(out)
			}
			_, err = fmt.Fprintf(a.out, "%s:%d  %s (%s)\n", out.ID, out.Version, printable(out.Name), out.Status)
			return err
		}})
	var format string
	export := &cobra.Command{Use: "export ID[:VERSION]", Short: "Write a task sequence to standard output", Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			var body []byte
			if err := a.call(c.Context(), "GET", "/admin/sequences/"+escape(args[0])+"?format="+escape(format), nil, &body); err != nil {
				return err
			}
			_, err := a.out.Write(body)
			return err
		}}
	export.Flags().StringVar(&format, "format", "json", "json or yaml")
	list := a.jsonFlag(&cobra.Command{Use: "list", Short: "List task sequences", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			var out api.Sequences
			if err := a.call(c.Context(), "GET", "/admin/sequences", nil, &out); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(out)
			}
			rows := [][]string{{"ID", "VERSION", "STATUS", "NAME"}}
			for _, s := range out.Sequences {
				rows = append(rows, []string{s.ID, fmt.Sprint(s.Version), s.Status, s.Name})
			}
			return a.table(rows)
		}})
	var steps []string
	validate := a.jsonFlag(&cobra.Command{Use: "validate FILE", Short: "Check a task sequence; all problems at once, no appliance needed", Args: usage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error { return a.validate(args[0], steps) }})
	validate.Flags().StringArrayVar(&steps, "step", nil, "file of a step definition of your own that the sequence uses; may be repeated")
	return group("sequence", "Task sequences", imp, export, list, validate, a.templatesCommand(), a.createCommand())
}

func (a *app) validate(file string, steps []string) error {
	body, err := a.readDocument(file)
	if err != nil {
		return err
	}
	var own [][]byte
	for _, name := range steps {
		text, err := a.readDocument(name)
		if err != nil {
			return err
		}
		own = append(own, text)
	}
	problems, unchecked := engine.ValidateDocument(body, own...), engine.NotChecked(body, own...)
	if a.json {
		if err := a.printJSON(api.Validation{Problems: problems, NotChecked: unchecked}); err != nil {
			return err
		}
	} else {
		for _, p := range problems {
			fmt.Fprintln(a.err, printable(p))
		}
		for _, u := range unchecked {
			fmt.Fprintln(a.err, "Not checked:", printable(u))
		}
	}
	switch len(problems) {
	case 0:
		if !a.json {
			fmt.Fprintln(a.out, "The sequence is valid.")
		}
		return nil
	case 1:
		return fmt.Errorf("%s has 1 problem", file)
	}
	return fmt.Errorf("%s has %d problems", file, len(problems))
}

func (a *app) imageCommand() *cobra.Command {
	list := a.jsonFlag(&cobra.Command{Use: "list", Short: "List boot images", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			var out api.Images
			if err := a.call(c.Context(), "GET", "/admin/images", nil, &out); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(out)
			}
			rows := [][]string{{"ID", "KIND", "ARCH", "SIZE", "BUILT", "SERVED"}}
			for _, i := range out.Images {
				rows = append(rows, []string{i.ID, i.Kind, i.Architecture, fleet.Bytes(i.Size), stamp(i.BuiltAt), yesNo(i.Served)})
			}
			return a.table(rows)
		}})
	return group("image", "Boot images", a.imageBuildCommand(), list, a.imageReportCommand(), a.wimbootCommand(), a.mediaCommand(), a.exportCommand(), a.fetchCommand(), a.signCommand(), a.loadersCommand())
}

// buildPoll is how often a build's progress is asked for.
const buildPoll = 300 * time.Millisecond

func (a *app) buildImage(ctx context.Context, o api.BuildImage, m mediumRequest) error {
	var b fleet.ImageBuild
	if err := a.call(ctx, "POST", "/admin/images/builds", o, &b); err != nil {
		return err
	}
	shown, stage := 0, ""
	for {
		if !a.json {
			if b.Stage != stage {
				stage = b.Stage
				fmt.Fprintf(a.out, "[%3d%%] %s\n", b.Percent, printable(stage))
			}
			for ; shown < len(b.Log); shown++ {
				fmt.Fprintf(a.out, "       %s\n", printable(b.Log[shown]))
			}
		}
		switch b.State {
		case "done":
			return a.built(ctx, b, m)
		case "failed":
			return fmt.Errorf("the build failed: %s", b.Error)
		}
		select {
		case <-ctx.Done():
			return errors.New("interrupted; the build goes on in the appliance (slipway image list shows the result)")
		case <-time.After(buildPoll):
		}
		if err := a.call(ctx, "GET", "/admin/images/builds/"+escape(b.ID), nil, &b); err != nil {
			return err
		}
	}
}

// built says that a build is done and makes the medium that was asked for.
func (a *app) built(ctx context.Context, b fleet.ImageBuild, m mediumRequest) error {
	if a.json && m.kind == "" {
		return a.printJSON(b)
	}
	if !a.json {
		if _, err := fmt.Fprintf(a.out, "Boot image %s is built and served.\n", b.ImageID); err != nil || m.kind == "" {
			return err
		}
	}
	m.image = b.ImageID
	return a.writeMedium(ctx, m)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
