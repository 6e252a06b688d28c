package ui

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"slipway/ui/internal/assets"
)

// Config is what the console needs to start.
type Config struct {
	Backend Backend
	Logger  *slog.Logger     // default: slog.Default()
	Now     func() time.Time // default: time.Now
}

// Validate reports the first part that is missing.
func (c Config) Validate() error {
	b := c.Backend
	for name, missing := range map[string]bool{
		"Sessions": b.Sessions == nil, "Security": b.Security == nil, "Accounts": b.Accounts == nil, "Tokens": b.Tokens == nil, "Devices": b.Devices == nil,
		"Deployments": b.Deployments == nil, "Sequences": b.Sequences == nil, "Drafts": b.Drafts == nil, "Content": b.Content == nil, "Catalogues": b.Catalogues == nil, "Images": b.Images == nil,
		"Audit": b.Audit == nil, "Health": b.Health == nil, "Live": b.Live == nil,
	} {
		if missing {
			return errors.New("ui: Config.Backend." + name + " is not set")
		}
	}
	return nil
}

// Console is the web console. It is an http.Handler to be mounted at "/" of an
// HTTPS listener: its cookies are refused by browsers anywhere else. Run must
// run beside it, or pages do not update by themselves.
type Console struct {
	backend Backend
	log     *slog.Logger
	now     func() time.Time
	assets  *assets.Set
	hub     *hub
	engine  *gin.Engine
	origin  *http.CrossOriginProtection
	editing sync.Mutex // one change of a draft after the other

	writeLimit time.Duration // for one message of a live stream
}

// New makes a console; it starts nothing.
func New(c Config) (*Console, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	set, err := assets.Load()
	if err != nil {
		return nil, err
	}
	k := &Console{backend: c.Backend, log: c.Logger, now: c.Now, assets: set, origin: http.NewCrossOriginProtection(), writeLimit: writeLimit}
	if k.log == nil {
		k.log = slog.Default()
	}
	if k.now == nil {
		k.now = time.Now
	}
	k.hub = newHub()
	k.engine = k.newEngine(routes())
	return k, nil
}

// Run carries changes to open browsers until ctx ends.
func (c *Console) Run(ctx context.Context) error {
	inner, stop := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	watchers.Go(func() { c.watchSilence(inner) })
	c.hub.run(inner, c.backend.Live.Subscribe(inner))
	stop()
	watchers.Wait()
	return ctx.Err()
}

// ServeHTTP answers one request.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	c.engine.ServeHTTP(w, r)
}
