package session

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"slipway/agent/internal/client"
	"slipway/agent/internal/disk"
	"slipway/agent/internal/screen"
	"slipway/agent/internal/steps"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// Target is the system that a boot image installs, as far as the session has to do
// with it: what a restart needs lies on its disk as soon as there is a file system.
type Target interface {
	// Root is where the system's root is mounted; empty while it is not.
	Root() string
	// Save writes the sign-in in the folder state, and which deployment it is for,
	// below root. It is on the disk when Save returns.
	Save(state, root, deployment string) error
	// Wipe removes what Save and Place wrote.
	Wipe(root string) error
	// Recover looks on the disks for what an earlier start saved, puts it into the
	// folder state and returns its deployment; empty when there is none.
	Recover(ctx context.Context, state string) (deployment string)
	// Place puts the agent into the system at root, so that the deployment goes on
	// there when the device starts from its disk.
	Place(root, server, start string) error
}

// recoverPatience is how long drivers of disks are waited for before an earlier
// start's state is looked for.
const recoverPatience = 15 * time.Second

// recover takes up what an earlier start of this device left on its disk, once.
func (s *Session) recover(ctx context.Context) {
	if s.Target == nil || s.recovered {
		return
	}
	s.recovered = true
	if s.kept(tokenFile) != "" { // the agent crashed, the machine did not restart
		return
	}
	patience := time.NewTimer(recoverPatience)
	defer patience.Stop()
	select {
	case <-s.Settled:
	case <-patience.C:
	case <-ctx.Done():
		return
	}
	id := s.Target.Recover(ctx, s.StateDir)
	if id == "" && s.Args.Resume {
		id = s.awaitDisk(ctx)
	}
	if id == "" {
		return
	}
	identity, err := client.KeepIdentity(filepath.Join(s.StateDir, identityFile))
	if err != nil {
		s.Log.Warn("the kept key cannot be used", "error", err)
		return
	}
	s.Identity = identity
	s.Log.Info("an unfinished deployment stands on the disk", "deployment", id)
}

// awaitDisk looks again for the state that the appliance says is on a disk: one behind
// a SAS controller shows itself seconds after its driver was loaded.
func (s *Session) awaitDisk(ctx context.Context) (deployment string) {
	patience := s.Machine.DiskPatience
	n := screen.NewNotice("Starting", "Waiting for the disk", screen.Calm)
	n.Text = "The deployment of this computer is unfinished. It goes on by itself as soon as its disk shows itself."
	n.Next, n.Until = "Asking for a sign-in", s.Now().Add(patience)
	n.Actions = []screen.Action{screen.ActionSkip()}
	s.Display.Show(n)
	over := time.NewTimer(patience)
	defer over.Stop()
	for deployment == "" {
		select {
		case <-ctx.Done():
			return ""
		case <-n.Chosen():
			return ""
		case <-over.C:
			s.Log.Warn("no disk has the state of the unfinished deployment", "waited", patience)
			return ""
		case <-time.After(patience / 10):
			deployment = s.Target.Recover(ctx, s.StateDir)
		}
	}
	return deployment
}

// remount mounts the target's file systems again after a restart of the device, so
// that the state on its disk stays up to date and the next steps find them.
func (s *Session) remount(ctx context.Context, d wire.Deployment) {
	if s.Machine.Disks == nil || s.environment() == wire.FullOS {
		return
	}
	for _, v := range d.Variables {
		var text string
		if !strings.EqualFold(v.Name, tasksequence.VariableTargetLayout) || json.Unmarshal(v.Value, &text) != nil {
			continue
		}
		layout, err := disk.ParseLayout(text)
		if err == nil {
			_, err = s.Machine.Disks.Mount(ctx, layout)
		}
		if err != nil {
			s.Log.Warn("the target disk is not mounted", "error", err)
		}
	}
}

// save writes the sign-in to the target's disk, where there is one by now.
func (s *Session) save(deployment string) {
	if s.Target == nil || deployment == "" || s.environment() == wire.FullOS {
		return
	}
	root := s.Target.Root()
	if root == "" {
		return
	}
	if err := s.Target.Save(s.StateDir, root, deployment); err != nil {
		s.Log.Warn("the deployment's state is not on the disk: after a power loss somebody signs in again", "error", err)
	}
}

// unsave removes what save and Place wrote: the deployment is over.
func (s *Session) unsave() {
	if s.Target == nil || s.environment() == wire.FullOS {
		return
	}
	if root := s.Target.Root(); root != "" {
		if err := s.Target.Wipe(root); err != nil {
			s.Log.Warn("the deployment's state is not wiped from the disk", "error", err)
		}
	}
	if s.volume == nil {
		return
	}
	if err := onVolume(context.Background(), s.volume, s.Target.Wipe); err != nil {
		s.Log.Warn("the agent is not removed from the installed system", "error", err)
	}
	s.volume = nil
}

// watch tells every event to the caller, and saves after each step: it may have made
// the file system, or replaced it.
func (s *Session) watch(deployment string) func(wire.Event) {
	return func(e wire.Event) {
		if s.Watch != nil {
			s.Watch(e)
		}
		if e.Kind == wire.EventStepFinished {
			s.save(deployment)
		}
	}
}

// placer implements steps.Agent for one deployment.
type placer struct {
	s          *Session
	server     string
	deployment string
}

// Authorities implements steps.Agent.
func (p placer) Authorities() []string {
	var list []string
	for _, c := range p.s.Image.Authorities {
		list = append(list, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})))
	}
	return list
}

// Place implements steps.Agent.
func (p placer) Place(_ context.Context, root, start string) error {
	if p.s.Target == nil {
		return errNoTarget
	}
	if err := p.s.Target.Place(root, p.server, start); err != nil {
		return err
	}
	return p.s.Target.Save(p.s.StateDir, root, p.deployment)
}

// PlaceOn implements steps.Agent.
func (p placer) PlaceOn(ctx context.Context, start string, open steps.OpenVolume) error {
	err := onVolume(ctx, open, func(root string) error { return p.Place(ctx, root, start) })
	if err == nil {
		p.s.volume = open
	}
	return err
}

// onVolume mounts a volume for f.
func onVolume(ctx context.Context, open steps.OpenVolume, f func(root string) error) error {
	root, undo, err := open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(f(root), undo())
}

// handOver writes what the installed system needs to its volume, just before the device
// restarts, and removes it from where the boot image kept it. A failure keeps nobody
// from restarting: what PlaceOn wrote is there.
func (s *Session) handOver(ctx context.Context, deployment string) {
	if s.Target == nil || s.volume == nil {
		return
	}
	err := onVolume(ctx, s.volume, func(root string) error { return s.Target.Save(s.StateDir, root, deployment) })
	if err != nil {
		s.Log.Warn("the installed system does not have the deployment's newest state", "error", err)
		return
	}
	if root := s.Target.Root(); root != "" {
		if err := s.Target.Wipe(root); err != nil {
			s.Log.Warn("the deployment's state is not wiped from the disk", "error", err)
		}
	}
}
