package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
	"slipway/fleet"
)

// watchInterval is how often --watch looks again.
const watchInterval = time.Second

func escape(s string) string { return url.PathEscape(s) }

// stamp prints a time; never for the zero time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// watch repeats show until the command is interrupted; show prints only what changed.
func watch(ctx context.Context, show func() error) error {
	for {
		if err := show(); err != nil {
			if ctx.Err() != nil {
				return nil // interrupted while it asked
			}
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchInterval):
		}
	}
}

// changes prints rows whose text is new under their key, and with --json documents that
// are not as the one before, so that --watch follows.
type changes struct {
	app  *app
	seen map[string]string
	last []byte // document
	line string // above the rows
}

func (w *changes) json(v any) error {
	text, err := json.Marshal(v)
	if err != nil || bytes.Equal(text, w.last) {
		return err
	}
	w.last = text
	return w.app.printJSON(v)
}

func (w *changes) print(head []string, rows [][]string) error {
	var fresh [][]string
	if w.seen == nil {
		w.seen = map[string]string{}
		fresh = append(fresh, head)
	}
	for _, r := range rows {
		if text := strings.Join(r, "\x00"); w.seen[r[0]] != text {
			w.seen[r[0]] = text
			fresh = append(fresh, r)
		}
	}
	return w.app.table(fresh)
}

func (a *app) deviceCommand() *cobra.Command {
	var follow, once bool
	list := a.jsonFlag(&cobra.Command{Use: "list", Short: "List devices", Args: usage(cobra.NoArgs)})
	list.Flags().BoolVar(&follow, "watch", false, "follow changes")
	list.RunE = func(c *cobra.Command, _ []string) error {
		w := changes{app: a}
		show := func() error {
			var out api.Devices
			if err := a.call(c.Context(), "GET", "/admin/devices", nil, &out); err != nil {
				return err
			}
			if a.json {
				return w.json(out)
			}
			var rows [][]string
			for _, d := range out.Devices {
				rows = append(rows, []string{d.ID, d.Name, strings.Join(d.MACs, " "), strings.TrimSpace(d.Manufacturer + " " + d.Model), bootWords(d.Boot), d.Sequence, stamp(d.LastSeen)})
			}
			return w.print([]string{"ID", "NAME", "MAC", "MODEL", "BOOTS", "SEQUENCE", "LAST SEEN"}, rows)
		}
		if follow {
			return watch(c.Context(), show)
		}
		return show()
	}
	assign := &cobra.Command{Use: "assign DEVICE SEQUENCE", Short: "Assign the sequence a device runs without asking (\"\" for none)", Args: usage(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			return a.call(c.Context(), "PUT", "/admin/devices/"+escape(args[0])+"/sequence", api.Assign{Sequence: args[1]}, nil)
		}}
	boot := &cobra.Command{Use: "boot DEVICE image|winpe|disk|silent", Short: "Set what a device boots", Args: usage(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			return a.call(c.Context(), "PUT", "/admin/devices/"+escape(args[0])+"/boot", api.SetBoot{Target: fleet.BootTarget(args[1]), Once: once}, nil)
		}}
	boot.Flags().BoolVar(&once, "once", false, "at its next boot only")
	way := &cobra.Command{Use: "way DEVICE default|" + ways("|"), Short: "Set what a device's UEFI firmware is given first", Args: usage(cobra.ExactArgs(2)),
		Long: "Set what a device's UEFI firmware is given first. default: what boot.uefi of the configuration says. docs/secure-boot.md tells which way suits which machine.",
		RunE: func(c *cobra.Command, args []string) error {
			way := fleet.BootWay(args[1])
			if way == "default" {
				way = ""
			}
			return a.call(c.Context(), "PUT", "/admin/devices/"+escape(args[0])+"/way", api.SetWay{Way: way}, nil)
		}}
	return group("device", "Devices, their boot policy, assigned sequence and variables", list, assign, boot, way, a.deviceVariablesCommand())
}

// ways lists the ways of booting UEFI firmware.
func ways(separator string) string {
	var out []string
	for _, w := range fleet.BootWays() {
		out = append(out, string(w))
	}
	return strings.Join(out, separator)
}

func bootWords(p fleet.BootPolicy) string {
	text := targetWords(p)
	if p.Way != "" {
		text += " by " + string(p.Way)
	}
	return text
}

func targetWords(p fleet.BootPolicy) string {
	if p.Next != "" {
		return fmt.Sprintf("%s (next: %s)", p.Always, p.Next)
	}
	return string(p.Always)
}

func (a *app) deploymentCommand() *cobra.Command {
	var follow bool
	list := a.jsonFlag(&cobra.Command{Use: "list", Short: "List deployments", Args: usage(cobra.NoArgs)})
	list.Flags().BoolVar(&follow, "watch", false, "follow changes")
	list.RunE = func(c *cobra.Command, _ []string) error {
		w := changes{app: a}
		show := func() error {
			var out api.Deployments
			if err := a.call(c.Context(), "GET", "/admin/deployments", nil, &out); err != nil {
				return err
			}
			if a.json {
				return w.json(out)
			}
			var rows [][]string
			for _, d := range out.Deployments {
				rows = append(rows, []string{d.ID, string(d.Status), d.DeviceID, d.SequenceName, fmt.Sprintf("%d of %d", d.StepNumber, d.StepCount), d.CurrentName, stamp(d.StartedAt)})
			}
			return w.print([]string{"ID", "STATUS", "DEVICE", "SEQUENCE", "STEP", "NAME", "STARTED"}, rows)
		}
		if follow {
			return watch(c.Context(), show)
		}
		return show()
	}
	show := a.jsonFlag(&cobra.Command{Use: "show ID", Short: "Show a deployment with its steps", Args: usage(cobra.ExactArgs(1))})
	show.Flags().BoolVar(&follow, "watch", false, "follow until it ends")
	show.RunE = func(c *cobra.Command, args []string) error { return a.showDeployment(c.Context(), args[0], follow) }
	order := func(order, short string) *cobra.Command {
		return &cobra.Command{Use: order + " ID", Short: short, Args: usage(cobra.ExactArgs(1)),
			RunE: func(c *cobra.Command, args []string) error {
				return a.call(c.Context(), "POST", "/admin/deployments/"+escape(args[0])+"/orders", api.Order{Order: order}, nil)
			}}
	}
	var format string
	log := &cobra.Command{Use: "log ID", Short: "Write a deployment's log to standard output", Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			var body []byte
			if err := a.call(c.Context(), "GET", "/admin/deployments/"+escape(args[0])+"/log?format="+url.QueryEscape(format), nil, &body); err != nil {
				return err
			}
			_, err := a.out.Write(body)
			return err
		}}
	log.Flags().StringVar(&format, "format", fleet.LogText, strings.Join(fleet.LogFormats(), ", "))
	return group("deployment", "Deployments", list, show, log, order("pause", "Let a deployment wait before its next step"),
		order("continue", "Let a paused deployment go on"), order("cancel", "Cancel a deployment; the running step is ended"))
}

// errEnded ends --watch when there is nothing more to follow.
var errEnded = errors.New("ended")

func (a *app) showDeployment(ctx context.Context, id string, follow bool) error {
	w := changes{app: a}
	show := func() error {
		var d api.DeploymentDetail
		if err := a.call(ctx, "GET", "/admin/deployments/"+escape(id), nil, &d); err != nil {
			return err
		}
		if err := w.deployment(d); err != nil {
			return err
		}
		if d.Deployment.Status.Final() {
			return errEnded
		}
		return nil
	}
	err := error(nil)
	if follow {
		err = watch(ctx, show)
	} else {
		err = show()
	}
	if errors.Is(err, errEnded) {
		return nil
	}
	return err
}

// deployment prints what of a deployment is new.
func (w *changes) deployment(d api.DeploymentDetail) error {
	if w.app.json {
		return w.json(d)
	}
	if line := fmt.Sprintf("%s on %s: %s %s", d.Deployment.SequenceName, d.Deployment.DeviceID, d.Deployment.Status, d.Deployment.Message); line != w.line {
		w.line = line
		fmt.Fprintln(w.app.out, printable(line))
	}
	var rows [][]string
	for _, r := range d.Results {
		rows = append(rows, []string{r.Path, r.Name, r.Status, fmt.Sprint(r.ExitCode), r.Message})
	}
	return w.print([]string{"STEP", "NAME", "STATUS", "CODE", "MESSAGE"}, rows)
}
