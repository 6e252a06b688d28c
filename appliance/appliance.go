package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/api"
	"slipway/appliance/internal/audit"
	"slipway/appliance/internal/auth"
	"slipway/appliance/internal/bootpolicy"
	"slipway/appliance/internal/catalogue"
	"slipway/appliance/internal/clientcert"
	"slipway/appliance/internal/config"
	"slipway/appliance/internal/console"
	"slipway/appliance/internal/content"
	"slipway/appliance/internal/devices"
	"slipway/appliance/internal/domainjoin"
	"slipway/appliance/internal/drafts"
	"slipway/appliance/internal/engine"
	"slipway/appliance/internal/graph"
	"slipway/appliance/internal/imaging"
	"slipway/appliance/internal/leases"
	"slipway/appliance/internal/pki"
	"slipway/appliance/internal/secrets"
	"slipway/appliance/internal/settings"
	"slipway/appliance/internal/state"
	"slipway/appliance/internal/syslog"
	"slipway/bootimages"
	"slipway/fleet"
	"slipway/images"
	"slipway/netboot"
	"slipway/ui"
)

// appliance is every part, wired. The parts are made from the ground up, each
// knowing only those above it in this list.
type appliance struct {
	cfg      config.Config
	log      *slog.Logger
	store    *state.Store
	keyring  *secrets.Keyring
	pki      *pki.Authority
	rotation *pki.Rotation
	syslog   *syslog.Forwarder // nil: the audit log is not forwarded
	audit    *audit.Log
	settings *settings.Service
	drafts   *drafts.Store
	devices  *devices.Service
	admin    *devices.Admin
	auth     *auth.Service
	held     chan struct{}
	engine   *engine.Engine
	library  *engine.Library
	images   *imaging.Service
	content  *content.Service
	graph    *graph.Service
	joins    *domainjoin.Service
	lists    *catalogue.Service
	netboot  *netboot.Server
	api      *api.API
	console  *ui.Console

	closers []func() error
}

// build makes every part. On an error what was opened is closed again.
func build(ctx context.Context, cfg config.Config, log *slog.Logger) (*appliance, error) {
	a := &appliance{cfg: cfg, log: log, held: make(chan struct{}, 1)}
	for _, step := range []func(context.Context) error{a.buildState, a.buildTrust, a.buildAccess, a.buildContent, a.buildEngine, a.buildImages, a.buildNetboot, a.buildWeb} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, a.close())
		}
	}
	return a, nil
}

// close closes what build opened, newest first.
func (a *appliance) close() error {
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		errs = append(errs, a.closers[i]())
	}
	a.closers = nil
	return errors.Join(errs...)
}

func (a *appliance) folder(name string) string { return filepath.Join(a.cfg.Data, name) }

func (a *appliance) buildState(ctx context.Context) (err error) {
	if a.store, err = state.Open(ctx, state.Options{Dir: a.folder("state"), Logger: a.log}); err != nil {
		return err
	}
	a.closers = append(a.closers, a.store.Close)
	a.keyring, err = secrets.Ensure(ctx, a.store, a.folder("secret.key"), time.Now())
	return err
}

func (a *appliance) buildTrust(ctx context.Context) (err error) {
	if a.pki, err = pki.Ensure(ctx, a.store, a.keyring, time.Now); err != nil {
		return err
	}
	if a.audit, err = audit.Open(a.folder("audit"), audit.Options{Logger: a.log}); err != nil {
		return err
	}
	a.closers = append(a.closers, a.audit.Close)
	a.rotation = pki.NewRotation(pki.RotationOptions{Authority: a.pki, Audit: a.audit, Logger: a.log})
	if err := a.buildForwarding(); err != nil {
		return err
	}
	a.settings = settings.New(a.store, a.audit)
	a.joins = domainjoin.New(domainjoin.Options{Command: a.cfg.DomainJoin.Command, Timeout: a.cfg.DomainJoin.Timeout, Audit: a.audit, Logger: a.log})
	a.graph = graph.New(graph.Options{Store: a.store, Audit: a.audit, Sealer: a.keyring, Logger: a.log})
	return nil
}

func (a *appliance) buildAccess(context.Context) (err error) {
	if a.drafts, err = drafts.Open(a.folder("drafts"), a.keyring); err != nil {
		return err
	}
	a.devices = devices.New(devices.Options{Store: a.store, Logger: a.log, Sealer: a.keyring})
	a.admin = devices.NewAdmin(a.devices, a.audit)
	a.auth, err = auth.New(auth.Options{Store: a.store, Audit: a.audit, Resolve: a.devices.ResolveSignIn, Find: a.devices.Find, Sealer: a.keyring, Logger: a.log,
		Certificates: clientcert.New(clientcert.Options{Dir: a.folder("crl"), Logger: a.log}),
		OnHeld: func() {
			select {
			case a.held <- struct{}{}:
			default: // the console will look anyway
			}
		},
		OnRemoved: func(account string) {
			if err := a.drafts.Forget(account); err != nil {
				a.log.Error("drafts of a removed account are left", "account", account, "error", err)
			}
		}})
	return err
}

func (a *appliance) buildContent(context.Context) (err error) {
	a.content, err = content.New(content.Options{Store: a.store, Dir: a.folder("content"), Audit: a.audit, Logger: a.log, Private: a.cfg.Content.PrivateAddresses})
	if err == nil {
		a.closers = append(a.closers, a.content.Close)
		a.lists = catalogue.New(catalogue.Options{Dir: a.folder("catalogues"), Library: a.content, Audit: a.audit, Logger: a.log})
	}
	return err
}

func (a *appliance) buildEngine(ctx context.Context) (err error) {
	if a.library, err = engine.NewLibrary(engine.LibraryOptions{WinPELacks: a.winPELacks, NoWinPE: a.noWinPE, Store: a.store, Auditor: a.audit, Sealer: a.keyring}); err != nil {
		return err
	}
	if err := a.library.EnsureSample(ctx); err != nil && !errors.Is(err, state.ErrFull) {
		return fmt.Errorf("sample sequence: %w", err)
	}
	a.engine, err = engine.New(engine.Options{WinPELacks: a.winPELacks, Store: a.store, DataDir: a.cfg.Data, Sealer: a.keyring, Auditor: a.audit, Logger: a.log})
	if err == nil {
		a.closers = append(a.closers, a.engine.Close)
	}
	return err
}

// winPELacks says what a Windows PE image lacks.
func (a *appliance) winPELacks(image string) (string, map[string]string) {
	if a.images == nil {
		return "", nil // while it is built up
	}
	id, report, err := a.images.Report(image)
	if err != nil {
		return "", nil // no such image, or none of Windows PE
	}
	lacking := map[string]string{}
	for _, c := range report.Missing() {
		lacking[c.ID] = c.Name
	}
	return id, lacking
}

// noWinPE says why no Windows PE image of an architecture can be given out; "" is any.
func (a *appliance) noWinPE(arch string) string {
	if a.images == nil {
		return "" // while it is built up
	}
	architectures := []string{bootimages.X64, bootimages.ARM64}
	if arch != "" {
		architectures = []string{arch}
	}
	for _, one := range architectures {
		if _, ok := a.images.CurrentWinPE(one); ok {
			return ""
		}
	}
	if arch != "" {
		arch = " for " + arch
	}
	return "no Windows PE image" + arch + " is served: build one with slipway image build winpe --source FILE"
}

func (a *appliance) buildImages(ctx context.Context) (err error) {
	current, err := a.settings.Get(ctx)
	if err != nil {
		return err
	}
	builder := &bootimages.Builder{Data: a.cfg.Data, Recipes: images.FS()}
	a.images, err = imaging.Open(ctx, imaging.Config{
		Builder: builder, Store: a.store, Audit: a.audit, CASet: a.pki.CASet, Installation: a.pki.InstallationID,
		AgentVersion: version, Protocol: wire.Protocol, Shelf: a.content, Defaults: bootimages.Options{Keyboard: current.Keyboard}, Logger: a.log,
	})
	if err == nil {
		a.closers = append(a.closers, a.images.Close)
	}
	return err
}

func (a *appliance) buildNetboot(context.Context) (err error) {
	var advertise netip.Addr
	if a.cfg.Advertise != "" {
		advertise = netip.MustParseAddr(a.cfg.Advertise) // checked by config.Validate
	}
	httpPort, httpsPort := portOf(a.cfg.HTTP), portOf(a.cfg.HTTPS)
	policy := bootpolicy.New(bootpolicy.Options{Store: a.store, Devices: a.devices, Images: a.images,
		Installation: a.pki.InstallationID(), Advertise: advertise, HTTPSPort: httpsPort,
		Way: fleet.BootWay(a.cfg.Boot.UEFI), Logger: a.log})
	tftp, err := tftpListen(a.cfg.TFTP)
	if err != nil {
		return err
	}
	dhcp, err := a.dhcpConfig()
	if err != nil {
		return err
	}
	a.netboot, err = netboot.New(netboot.Config{
		Advertise: advertise, Interfaces: a.cfg.Interfaces,
		DHCP:     dhcp,
		TFTP:     netboot.TFTPConfig{Listen: tftp},
		RA:       netboot.RAConfig{Answer: a.cfg.RA.Answer == config.AnswerInert},
		HTTPPort: httpPort, HTTPSPort: httpsPort,
		Policy: policy, Images: a.images.Files(), Loaders: a.images.Loaders(), Logger: a.log,
	})
	return err
}

// dhcpConfig says how network boot takes part in DHCP.
func (a *appliance) dhcpConfig() (netboot.DHCPConfig, error) {
	d := a.cfg.DHCP
	c := netboot.DHCPConfig{Off: d.Mode == config.ModeOff, Port: uint16(d.Port), PXEPort: uint16(d.PXEPort)}
	if d.Mode != config.ModeAuthoritative {
		return c, nil
	}
	c.Leases, c.Force = leases.New(a.store, a.log), d.Force
	var err error
	c.Subnets, err = d.Served() // checked by config.Validate
	return c, err
}

// portOf is the port of a listener that config.Validate has checked.
func portOf(l config.Listener) uint16 {
	port, _ := config.Port(l.Listen)
	return uint16(port)
}

func tftpListen(l config.Listener) (netip.AddrPort, error) {
	host := netip.IPv4Unspecified()
	if ap, err := netip.ParseAddrPort(l.Listen); err == nil {
		host = ap.Addr()
	}
	return netip.AddrPortFrom(host, portOf(l)), nil
}

func (a *appliance) buildWeb(context.Context) (err error) {
	health := &health{a}
	uploads, err := a.content.Uploads(ui.UploadsPath + "/")
	if err != nil {
		return err
	}
	a.console, err = ui.New(ui.Config{Logger: a.log, Backend: console.Backend(console.Services{
		Auth: a.auth, Devices: a.admin, Engine: a.engine, Library: a.library, Drafts: a.drafts, Content: a.content, Catalogues: a.lists, Uploads: uploads, Images: a.images, Graph: a.graph, Audit: a.audit, Settings: a.settings, Store: a.store, Health: health,
		Servers: func() []string { return []string{a.agentConfig().Server} },
	}, a.held)})
	if err != nil {
		return err
	}
	a.api, err = api.New(api.Options{Version: version, Logger: a.log, Services: api.Services{
		Auth: a.auth, Devices: a.admin, Engine: a.engine, Library: a.library, Images: a.images, Content: a.content, Graph: a.graph, Joins: a.joins, Catalogue: a.lists, Audit: a.audit, Settings: a.settings,
		CA: a.pki.CAPEM, Agent: a.agentConfig, Rotation: a.rotation, Metrics: metricsHandler(a.netbootFigures(), a.forwardingFigures()), Ready: health.ready, Backups: a.backups(), RotateSecret: a.rotateSecret,
	}})
	return err
}

// netbootFigures are the counters of network boot.
func (a *appliance) netbootFigures() figures {
	return figures{prefix: "slipway_netboot_", read: func() map[string]float64 {
		out := map[string]float64{}
		for name, n := range a.netboot.Counters().Snapshot() {
			if name != "tftp_active" {
				name += "_total"
			}
			out[name] = float64(n)
		}
		if f, ok := a.netboot.LeaseFigures(); ok {
			out["leases_active"], out["leases_quarantined"], out["lease_addresses"] = float64(f.Active), float64(f.Quarantined), float64(f.Addresses)
			out["foreign_dhcp_servers"] = float64(len(a.netboot.Foreign()))
		}
		return out
	}}
}

// components are the parts that run, beside the listeners.
func (a *appliance) components() []component {
	return []component{
		{"sign-in", a.auth.Run},
		{"revocation lists", a.auth.KeepRevocationLists},
		{"certificate authority", a.rotation.Run},
		{"audit forwarding", a.forwardAudit},
		{"deployments", a.engine.Run},
		{"content", a.content.Run},
		{"network boot", a.netboot.Run},
		{"console", a.console.Run},
		{"boot loaders", a.ensureLoaders},
	}
}

// loaderRetry is how long to wait before the loaders are looked for again.
const loaderRetry = 5 * time.Minute

// ensureLoaders brings the network boot loaders into place. Without a package
// source they come with the first image build; until then machines without iPXE
// in their firmware cannot boot, and the log and the console say so.
func (a *appliance) ensureLoaders(ctx context.Context) error {
	for {
		_, err := a.images.EnsureLoaders(ctx, "")
		if err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "the network boot loaders are missing; they come with: slipway image build linux", "error", err)
		}
		wait := time.After(loaderRetry)
		if err == nil {
			wait = nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wait:
		}
	}
}
