package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"

	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// Store is what the engine needs of the state.
type Store interface {
	View(fn func(tx *state.Tx) error) error
	Update(ctx context.Context, fn func(tx *state.Tx) error) error
}

// Sealer encrypts secret variables and settings. purpose binds a sealed value to its place.
type Sealer interface {
	Seal(plain []byte, purpose string) ([]byte, error)
	Open(sealed []byte, purpose string) ([]byte, error)
}

// Auditor keeps the audit log.
type Auditor interface {
	Write(ctx context.Context, e fleet.AuditEntry) error
}

// Actor is who does something from the outside, for the audit log.
type Actor struct {
	Name    string // account, "local", or the name of an API token
	Address string // empty for the local socket
}

// Options say what an engine works with. Store, DataDir, Sealer and Auditor are needed.
type Options struct {
	Store   Store
	DataDir string // log files stand in <DataDir>/logs/deployments
	Sealer  Sealer
	Auditor Auditor

	Logger        *slog.Logger
	Now           func() time.Time
	NewID         func() string           // ids of deployments and sequences; default random UUIDs
	Catalogue     *tasksequence.Catalogue // default the built-in definitions; own ones come from the state
	LogCap        int64                   // bytes of one deployment's log; default 16 MiB
	SilentAfter   time.Duration           // without a call a device counts as silent; default 60 s
	KeepPerDevice int                     // deployments remembered of one device; default 20
	// WinPELacks names the parts that a Windows PE image lacks, by their ids; "" asks for
	// the image that is served. Nothing for an image that is not of Windows PE or not
	// known. nil: nobody knows.
	WinPELacks func(image string) (id string, lacking map[string]string)
}

// Validate reports what is missing.
func (o Options) Validate() error {
	switch {
	case o.Store == nil, o.Sealer == nil, o.Auditor == nil:
		return errors.New("engine: store, sealer and auditor are needed")
	case o.DataDir == "":
		return errors.New("engine: no data folder given")
	case o.LogCap < 0 || o.SilentAfter < 0 || o.KeepPerDevice < 0:
		return errors.New("engine: limits cannot be negative")
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = uuid.NewString
	}
	if o.LogCap == 0 {
		o.LogCap = 16 << 20
	}
	if o.SilentAfter == 0 {
		o.SilentAfter = time.Minute
	}
	if o.KeepPerDevice == 0 {
		o.KeepPerDevice = 20
	}
	return o
}

// Engine keeps the record of deployments. Safe for concurrent use.
type Engine struct {
	opts    Options
	vault   vault
	shelf   *shelf
	dir     string
	started time.Time
	hub     hub
	content contentNames

	mu       sync.Mutex
	sessions map[string]*session // deployments that were spoken of lately
	waiting  map[string]bool     // cancelled ones whose device has not obeyed yet
}

// New returns an engine. Close it to release its files.
func New(o Options) (*Engine, error) {
	o = o.withDefaults()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	steps := newShelf(o.Store, o.Catalogue)
	e := &Engine{opts: o, vault: vault{sealer: o.Sealer, catalogue: steps.now}, shelf: steps, dir: filepath.Join(o.DataDir, "logs", "deployments"), started: o.Now(),
		sessions: map[string]*session{}, waiting: map[string]bool{}}
	if err := os.MkdirAll(e.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for deployment logs: %w", err)
	}
	err := o.Store.View(func(tx *state.Tx) error {
		for d := range tx.Deployments().All() {
			if d.Order == orderCancel && !d.Status.Final() {
				e.waiting[d.ID] = true
			}
		}
		return nil
	})
	return e, err
}

// Run sweeps until ctx ends: cancellations that devices do not obey take effect on
// the record, files nobody writes to are closed, and what nothing refers to is removed.
func (e *Engine) Run(ctx context.Context) error {
	tick := time.NewTicker(max(e.opts.SilentAfter/6, 10*time.Millisecond))
	defer tick.Stop()
	collect := time.NewTicker(collectEvery)
	defer collect.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			e.sweep(ctx)
		case <-collect.C:
			if err := e.collect(ctx); err != nil && ctx.Err() == nil {
				e.opts.Logger.WarnContext(ctx, "old records were not removed", "error", err)
			}
		}
	}
}

// Close closes all files. The engine must not be used afterwards.
func (e *Engine) Close() error {
	e.hub.close()
	e.mu.Lock()
	sessions := e.sessions
	e.sessions = map[string]*session{}
	e.mu.Unlock()
	var errs []error
	for _, s := range sessions { // s.mu is taken before e.mu everywhere, so not under it
		s.mu.Lock()
		s.gone = true
		errs = append(errs, s.close())
		s.mu.Unlock()
	}
	return errors.Join(errs...)
}

func (e *Engine) audit(ctx context.Context, d fleet.Deployment, actor Actor, action string) {
	entry := fleet.AuditEntry{Actor: actor.Name, Action: "deployment." + action, Object: d.ID, Device: d.DeviceID,
		Address: actor.Address, Outcome: "ok", Reason: d.SequenceName}
	if d.Message != "" && action == string(fleet.DeploymentFailed) {
		entry.Reason = d.SequenceName + ": " + d.Message
	}
	if err := e.opts.Auditor.Write(context.WithoutCancel(ctx), entry); err != nil {
		e.opts.Logger.ErrorContext(ctx, "audit entry was not written", "action", entry.Action, "deployment", d.ID, "error", err)
	}
}
