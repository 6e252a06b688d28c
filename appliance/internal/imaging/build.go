package imaging

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"slipway/bootimages"
	"slipway/fleet"
)

// Bounds of what is kept in memory about builds.
const (
	maxBuilds   = 20
	maxLogLines = 200
)

// The states of a build.
const (
	Running = "running"
	Done    = "done"
	Failed  = "failed"
)

// recordTimeout bounds writing an image's record, which goes on when the service
// is being closed: the files are complete by then.
const recordTimeout = 30 * time.Second

// build is one build; its fields are guarded by Service.mu.
type build struct {
	status fleet.ImageBuild
	by     Actor
	key    string
}

// Build starts a build, or joins the one under way for the same request, and
// returns its id at once. The build goes on when ctx ends. Kind is "linux" or "winpe". Fields
// of o that the service knows (installation, CA set, agent version, protocol) are
// overwritten; bootimages.ErrOption says which option makes no sense.
func (s *Service) Build(ctx context.Context, by Actor, kind string, o bootimages.Options) (string, error) {
	if kind != bootimages.KindLinux && kind != bootimages.KindWinPE {
		return "", fmt.Errorf("boot image of kind %q: %w", kind, ErrNotInThisVersion)
	}
	o = s.fill(kind, o)
	if err := o.ValidateKind(kind); err != nil {
		return "", err
	}
	if err := s.resolve(&o); err != nil {
		return "", err
	}
	key, err := json.Marshal(struct {
		Kind    string
		Options bootimages.Options
	}{kind, o})
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return "", ErrClosed
	}
	if b, ok := s.running[string(key)]; ok {
		return b.status.ID, nil
	}
	b := &build{by: by, key: string(key), status: fleet.ImageBuild{ID: s.c.NewID(), Kind: kind, State: Running, Stage: "waiting", StartedAt: s.c.Now().UTC()}}
	s.running[b.key] = b
	s.builds = slices.Insert(s.builds, 0, b)
	s.trim()
	s.notify(b)
	s.wg.Go(func() { s.run(b, o) })
	s.c.Logger.InfoContext(ctx, "image build started", "build", b.status.ID, "kind", kind, "actor", by.Name)
	return b.status.ID, nil
}

func (s *Service) fill(kind string, o bootimages.Options) bootimages.Options {
	d := s.c.Defaults
	o.Keyboard = cmp.Or(o.Keyboard, d.Keyboard)
	if kind == bootimages.KindLinux {
		o.Agent = cmp.Or(o.Agent, d.Agent)
		o.Packages = cmp.Or(o.Packages, d.Packages)
		o.Firmware = cmp.Or(o.Firmware, d.Firmware)
	}
	if len(o.Servers) == 0 {
		o.Servers = d.Servers
	}
	o.Installation, o.CAs = s.c.Installation(), s.caPEM()
	o.AgentVersion, o.Protocol = s.c.AgentVersion, s.c.Protocol
	return o
}

// trim forgets the oldest builds that have ended. The caller holds mu.
func (s *Service) trim() {
	for i := len(s.builds) - 1; i >= 0 && len(s.builds) > maxBuilds; i-- {
		if s.builds[i].status.State != Running {
			s.builds = slices.Delete(s.builds, i, i+1)
		}
	}
}

// run does one build when its turn comes.
func (s *Service) run(b *build, o bootimages.Options) {
	image, err := s.inTurn(b, o)
	s.finish(b, image, err)
	if err == nil {
		s.collect()
	}
}

func (s *Service) inTurn(b *build, o bootimages.Options) (image fleet.BootImage, err error) {
	release, err := s.takeTurn(s.ctx)
	if err != nil {
		return image, err
	}
	defer release()
	// It may have waited: what it pins is the CA set of now.
	o.CAs = s.caPEM()
	defer func() {
		// A package with a form nobody thought of must not take the appliance down.
		if p := recover(); p != nil {
			err = fmt.Errorf("internal error while building: %v", p)
		}
	}()
	report := func(p bootimages.Progress) { s.progress(b, p) }
	if b.status.Kind == bootimages.KindWinPE {
		remove, err := s.layOut(s.ctx, &o, report)
		if err != nil {
			return image, err
		}
		defer remove()
		if image, err = s.c.Builder.BuildWinPE(s.ctx, o, report); err != nil {
			return image, err
		}
		return image, s.record(image)
	}
	if image, err = s.c.Builder.BuildLinux(s.ctx, o, report); err != nil {
		return image, err
	}
	// An appliance without a package source has its loaders from the folder that
	// the image came from.
	if _, err := s.c.Builder.EnsureLoaders(s.ctx, o.Packages); err != nil {
		return image, err
	}
	if image.Architecture == bootimages.X64 {
		if err := s.c.Builder.EnsureMediaParts(s.ctx, o.Packages); err != nil {
			s.progress(b, bootimages.Progress{Stage: "taking out the boot loaders of media", Line: "no media can be made of it: " + err.Error()})
		}
	}
	// Within the turn: an image found to exist must not be collected meanwhile.
	return image, s.record(image)
}

// takeTurn waits until no build and no collection is under way.
func (s *Service) takeTurn(ctx context.Context) (release func(), err error) {
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *Service) progress(b *build, p bootimages.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.status.Stage = p.Stage
	b.status.Percent = max(b.status.Percent, min(p.Percent, 99))
	s.log(b, p.Line)
	s.notify(b)
}

// log appends a line; the oldest go first. The caller holds mu.
func (s *Service) log(b *build, line string) {
	if line == "" {
		return
	}
	b.status.Log = append(b.status.Log, line)
	if extra := len(b.status.Log) - maxLogLines; extra > 0 {
		b.status.Log = slices.Delete(b.status.Log, 0, extra)
	}
}

func (s *Service) finish(b *build, image fleet.BootImage, err error) {
	ended := s.c.Now().UTC()
	s.auditEnd(b, image, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, b.key)
	b.status.EndedAt = ended
	if err == nil {
		b.status.State, b.status.Percent, b.status.ImageID, b.status.Stage = Done, 100, image.ID, "done"
		s.log(b, "image "+image.ID+" is served from now on")
		s.c.Logger.Info("image built", "build", b.status.ID, "image", image.ID, "bytes", image.Size, "modules", image.ModuleCount,
			"seconds", int(ended.Sub(b.status.StartedAt).Seconds()))
	} else {
		b.status.State, b.status.Error, b.status.Stage = Failed, message(err), "failed"
		s.log(b, "failed: "+b.status.Error)
		s.c.Logger.Error("image build failed", "build", b.status.ID, "error", err)
	}
	s.notify(b)
}

// auditEnd writes the audit entry: whoever sees that a build is over finds it there.
func (s *Service) auditEnd(b *build, image fleet.BootImage, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), recordTimeout)
	defer cancel()
	e := fleet.AuditEntry{Actor: b.by.Name, Address: b.by.Address, Action: "image.built", Object: image.ID, Outcome: "ok"}
	if err != nil {
		e.Outcome, e.Reason, e.Object = "error", message(err), b.status.Kind // the kind never changes
	}
	s.audit(ctx, e)
}

func message(err error) string {
	if errors.Is(err, context.Canceled) {
		return "the appliance was stopped; build again"
	}
	return err.Error()
}

// Builds lists the builds under way and the recent ones, newest first.
func (s *Service) Builds() []fleet.ImageBuild {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]fleet.ImageBuild, 0, len(s.builds))
	for _, b := range s.builds {
		out = append(out, b.copy())
	}
	return out
}

// BuildStatus returns one build, or ErrUnknownBuild.
func (s *Service) BuildStatus(id string) (fleet.ImageBuild, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.find(id); b != nil {
		return b.copy(), nil
	}
	return fleet.ImageBuild{}, ErrUnknownBuild
}

func (s *Service) find(id string) *build {
	for _, b := range s.builds {
		if b.status.ID == id {
			return b
		}
	}
	return nil
}

func (b *build) copy() fleet.ImageBuild {
	out := b.status
	out.Log = slices.Clone(out.Log)
	return out
}
