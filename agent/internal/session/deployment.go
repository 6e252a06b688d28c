package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"time"

	"slipway/agent/internal/boot"
	"slipway/agent/internal/client"
	"slipway/agent/internal/content"
	"slipway/agent/internal/facts"
	"slipway/agent/internal/network"
	"slipway/agent/internal/runner"
	"slipway/agent/internal/screen"
	"slipway/agent/internal/steps"
	"slipway/agent/internal/toolpack"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// resultStays is how long a result stays on the screen before the computer
// restarts by itself.
const resultStays = time.Hour

// runAll runs a deployment, and loads and continues it again whenever the
// appliance's record turns out to differ.
// It returns the last lines of output beside the outcome.
func (s *Session) runAll(ctx context.Context, c *client.Client, d wire.Deployment) (o runner.Outcome, tail []string, err error) {
	if s.Began != nil {
		s.Began(d)
	}
	defer func() {
		if err == nil && s.Ended != nil {
			s.Ended(o)
		}
	}()
	s.remount(ctx, d)
	backoff := client.NewBackoff()
	for {
		if over, ok := final(d); ok {
			return over, tail, nil
		}
		face := newFace(s.Display, d, s.Now)
		for _, line := range s.hookFailures {
			face.Log(line)
		}
		machine := s.Machine
		machine.Content = s.content(c, d.ID, face)
		if s.Tools != nil {
			machine.Tools = toolpack.From{Pack: s.Tools, API: c}
		}
		machine.Autopilot = autopilot{c, d.ID, face}
		machine.DomainJoin = domainJoin{c, d.ID, face}
		machine.Cloud = cloud{c, d.ID, face}
		if s.Stage != nil {
			machine.WinPE = winPE{s: s, api: c, deployment: d.ID, face: face, source: s.content(c, d.ID, face)}
		}
		machine.Agent = placer{s: s, server: c.Address(), deployment: d.ID}
		r := &runner.Runner{API: c, Face: face, Machine: machine, Executors: steps.Executors(),
			Variables: values(s.Facts), Volatile: values(s.volatile()), Now: s.Now,
			ContentDir: contentDir(s.StateDir), Journal: s.journal(), Environment: s.environment(), Unattended: s.Unattended, Watch: s.watch(d.ID)}
		o, err = r.Run(ctx, d)
		tail = face.tail()
		if !errors.Is(err, runner.ErrReload) {
			return o, tail, err
		}
		s.Log.Warn("deployment loaded again", "deployment", d.ID)
		if err := client.Wait(ctx, backoff.Next(0)); err != nil {
			return o, tail, err
		}
		if d, err = s.resume(ctx, c, d.ID); err != nil {
			return o, tail, err
		}
	}
}

// content reaches the content items of a deployment, and shows when they do not come.
func (s *Session) content(c *client.Client, deployment string, f *face) *content.Source {
	return &content.Source{API: c, Deployment: deployment, Waiting: func(why error) {
		if why == nil {
			f.Alert("")
			return
		}
		s.Log.Warn("content does not come", "error", why)
		f.Alert("Content is waited for: " + client.Explain(why))
	}}
}

// journal keeps what is not acknowledged beside the sign-in.
func (s *Session) journal() runner.Journal {
	if s.StateDir == "" {
		return nil
	}
	return runner.JournalFile{Path: filepath.Join(s.StateDir, reportsFile)}
}

// contentDir is the folder for content of steps: in memory in the boot image, on the
// disk in an installed system.
func contentDir(stateDir string) string {
	if stateDir == "" {
		return ""
	}
	return filepath.Join(stateDir, "content")
}

// final says how a deployment that is over ended.
func final(d wire.Deployment) (runner.Outcome, bool) {
	switch d.Status {
	case runner.Succeeded, runner.Failed, runner.Cancelled:
		return runner.Outcome{Status: d.Status, Message: d.Message}, true
	}
	return runner.Outcome{}, false
}

// volatile are the facts that change while the device runs.
func (s *Session) volatile() facts.Facts {
	f := facts.Facts{}
	if s.environment() == wire.LinuxPE {
		f["OSVersion"] = "LinuxPE" // an installed OS names itself among the facts
	}
	for _, a := range s.Network.Adapters() {
		appendLine(f, "MacAddress", a.MAC.String())
		if a.State < network.Leased {
			continue
		}
		appendLine(f, "IPAddress", a.Lease.Address.Addr().String())
		if len(a.Lease.Routers) > 0 && f["DefaultGateway"] == "" {
			f["DefaultGateway"] = a.Lease.Routers[0].String()
		}
	}
	return f
}

func appendLine(f facts.Facts, name, value string) {
	if f[name] != "" {
		value = f[name] + "\n" + value
	}
	f[name] = value
}

func (s *Session) allFacts() map[string]string {
	all := maps.Clone(s.Facts)
	maps.Copy(all, s.volatile())
	return all
}

// values turns facts into variables.
func values(f facts.Facts) map[string]tasksequence.Value {
	vars := map[string]tasksequence.Value{}
	for name, text := range f {
		vars[name] = tasksequence.Value{Text: text}
	}
	for _, name := range facts.Lists() {
		if _, ok := f[name]; ok {
			vars[name] = tasksequence.Value{List: f.List(name)}
		}
	}
	return vars
}

// result shows how the deployment ended and waits for what comes next.
func (s *Session) result(ctx context.Context, d wire.Deployment, o runner.Outcome, tail []string) (boot.Way, string, error) {
	if o.Status == runner.Rebooting {
		return boot.Restart, "", nil
	}
	s.Log.Info("deployment over", "status", o.Status, "step", o.Step)
	n := resultPage(d, o)
	n.Tail = tail
	way := s.finish(n, o)
	if s.Unattended || s.environment() == wire.FullOS {
		return way, "", nil // the caller tells; it has no screen for itself
	}
	s.Display.Show(n)
	choice, err := s.wait(ctx, n)
	if choice == "again" {
		return boot.Restart, "again", err
	}
	return way, choice, err
}

func resultPage(d wire.Deployment, o runner.Outcome) *screen.Notice {
	n := screen.NewNotice(d.Name, "Succeeded", screen.Success)
	n.Text = fmt.Sprintf("The task sequence %q is done.", d.Name)
	if o.Tolerated > 0 {
		n.Text += fmt.Sprintf("\n%d of its steps failed, and it was built to go on after that. The console has the details.", o.Tolerated)
	}
	n.Actions = []screen.Action{screen.ActionRestart()}
	switch o.Status {
	case runner.Failed:
		n.Headline, n.Tone = "Failed", screen.Trouble
		n.Text = o.Message
		if o.Step != "" {
			n.Text = fmt.Sprintf("Step %q failed:\n%s", o.Step, o.Message)
		}
		n.Text += "\nThe whole log is in the console."
		n.Actions = append(n.Actions, screen.ActionSignIn())
	case runner.Cancelled:
		n.Headline, n.Tone = "Cancelled", screen.Trouble
		n.Text = "This deployment was cancelled from the console."
		n.Actions = append(n.Actions, screen.ActionSignIn())
	}
	return n
}

// finish sets what happens to the machine after the result, by FinishAction.
func (s *Session) finish(n *screen.Notice, o runner.Outcome) boot.Way {
	n.Next, n.Until = "Restarting the computer", s.Now().Add(resultStays)
	if o.Status != runner.Succeeded {
		n.Next, n.Until = "", time.Time{} // a failure stays until somebody has read it
		return boot.Restart
	}
	switch o.Finish {
	case "reboot":
		n.Until = s.Now().Add(10 * time.Second)
	case "shutdown":
		n.Next, n.Until = "Powering off", s.Now().Add(10*time.Second)
		return boot.PowerOff
	case "none":
		n.Next, n.Until = "", time.Time{}
	}
	return boot.Restart
}
