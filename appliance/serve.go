package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"time"

	"slipway/appliance/internal/backup"
	"slipway/appliance/internal/config"
	"slipway/appliance/internal/socket"
)

// serve runs the appliance until ctx ends.
func serve(ctx context.Context, cfg config.Config, s streams) error {
	log := newLogger(cfg.Log, s.err)
	for _, u := range cfg.Unused {
		log.WarnContext(ctx, "a variable of the environment sets no key: is it misspelled?", "variable", u.Variable, "nearest", strings.Join(u.Nearest, " "))
	}
	// Everything the appliance writes is for its own user; boot files reach
	// devices through the servers, not through the file system.
	syscall.Umask(0o077)
	if err := backup.Unfinished(cfg.Data); err != nil {
		return fmt.Errorf("%s: %w", cfg.Data, err)
	}
	if err := makeData(cfg.Data); err != nil {
		return err
	}
	a, err := build(ctx, cfg, log)
	if err != nil {
		return err
	}
	err = a.listenAndRun(ctx, s)
	return errors.Join(err, a.close())
}

func newLogger(c config.Log, w io.Writer) *slog.Logger {
	level, _ := c.SlogLevel() // checked by config.Validate
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

func makeData(dir string) error {
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		var probe *os.File
		if probe, err = os.CreateTemp(dir, ".write-*"); err == nil {
			return errors.Join(probe.Close(), os.Remove(probe.Name()))
		}
	}
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("data: no permission to write in %s: run as its owner (usually root), or choose another folder", dir)
	case errors.Is(err, syscall.ENOSPC):
		return nil // reading works on a full disk, and the state says so itself
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("data: %s is not a folder", dir)
	}
	return fmt.Errorf("data: %w", err)
}

// listeners are the sockets of the appliance, opened before anything runs.
type listeners struct {
	http, https, local net.Listener
}

func (a *appliance) listen(ctx context.Context) (l listeners, err error) {
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.http, err = listenTCP(ctx, "http.listen", a.cfg.HTTP.Listen); err != nil {
		return l, err
	}
	if l.https, err = listenTCP(ctx, "https.listen", a.cfg.HTTPS.Listen); err != nil {
		return l, err
	}
	path, err := a.cfg.SocketPath()
	if err != nil {
		return l, err
	}
	if l.local, err = socket.Listen(path); err != nil {
		return l, err
	}
	return l, a.netboot.Listen(ctx)
}

func (l listeners) close() {
	for _, x := range []net.Listener{l.http, l.https, l.local} {
		if x != nil {
			_ = x.Close()
		}
	}
}

func (a *appliance) listenAndRun(ctx context.Context, s streams) error {
	l, err := a.listen(ctx)
	if err != nil {
		return err
	}
	names := []string{}
	if a.cfg.Advertise != "" {
		names = append(names, a.cfg.Advertise)
	}
	secure := tls.NewListener(l.https, a.pki.TLSConfig(names...))
	list := append(a.components(),
		component{"HTTP boot", newHTTPServer(newCrowdListener(l.http, maxPerAddress, a.log), patientAnswers(a.bootHandler(), writeTimeout), a.log).Run},
		component{"HTTPS", newDeviceServer(secure, a.secureHandler(), a.log, a.audit).Run},
		component{"local socket", newHTTPServer(l.local, a.api.LocalHandler(), a.log).Run},
	)
	said, err := a.greet(ctx, s, l)
	if err != nil {
		l.close()
		return errors.Join(err, a.netboot.Close())
	}
	if !said {
		list = append(list, component{"setup code", func(ctx context.Context) error { return a.keepOfferingSetup(ctx, s.out) }})
	}
	return runAll(ctx, a.log, list)
}

// imageFile is the path of a file of a boot image, by the image's id.
var imageFile = regexp.MustCompile(`^/boot/[0-9a-f]{32}/[^/]+$`)

// contentFile is the path of a file of a content version.
var contentFile = regexp.MustCompile(`^/api/v1/content/[^/]+/[^/]+/.`)

// secureHandler is what stands behind HTTPS: the API, the files of boot images for agents
// in installed systems, which know no other address, and the console for the rest.
func (a *appliance) secureHandler() http.Handler {
	api := a.api.Handler()
	files, boot := patientAnswers(api, writeTimeout), patientAnswers(a.netboot.Handler(), writeTimeout)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch p := r.URL.Path; {
		case contentFile.MatchString(p):
			files.ServeHTTP(w, r)
		case strings.HasPrefix(p, "/api/"), p == "/healthz", p == "/readyz", p == "/metrics":
			api.ServeHTTP(w, r)
		case imageFile.MatchString(p):
			boot.ServeHTTP(w, r)
		default:
			a.console.ServeHTTP(w, r)
		}
	})
}

// bootHandler is what stands behind plain HTTP: boot files, and a word to people
// who came here by mistake.
func (a *appliance) bootHandler() http.Handler {
	boot := a.netboot.Handler()
	port, _ := config.Port(a.cfg.HTTPS.Listen) // checked by config.Validate
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			fmt.Fprintf(w, "Slipway serves boot files here. The console is at https on port %d of this machine.\n", port)
			return
		}
		boot.ServeHTTP(w, r)
	})
}

// greet says where the console is and, on a fresh appliance, how to become its
// first administrator; said is false when there is something left to say of that.
func (a *appliance) greet(ctx context.Context, s streams, l listeners) (said bool, err error) {
	a.log.InfoContext(ctx, "the appliance is up", "version", version, "installation", a.pki.InstallationID(),
		"https", l.https.Addr().String(), "http", l.http.Addr().String(), "data", a.cfg.Data)
	return a.offerSetup(ctx, s.out, slog.LevelWarn)
}

// offerSetup makes a setup code and says it. One that cannot be made goes to the log: a
// full disk must not keep boot files from being served.
func (a *appliance) offerSetup(ctx context.Context, out io.Writer, level slog.Level) (said bool, err error) {
	port, _ := config.Port(a.cfg.HTTPS.Listen) // checked by config.Validate
	need, err := a.auth.NeedsSetup(ctx)
	if err != nil || !need {
		return true, err
	}
	code, err := a.auth.NewSetupCode(ctx)
	if err != nil {
		a.log.Log(ctx, level, "no setup code could be made; it is tried again", "error", err)
		return false, nil
	}
	if code == "" {
		return true, nil // somebody made an account meanwhile
	}
	_, err = fmt.Fprintf(out, `
Slipway is up, and has no administrator yet. Open the console on port %d (https) of this machine and enter
this one-time code, or run "slipway account add NAME --role administrator" here.

    Setup code: %s

Then: "slipway passcode set" says what devices are asked for, "slipway image build linux" builds what they boot.

`, port, code)
	return true, err
}

// setupRetry is how long to wait before a setup code is tried again.
const setupRetry = 5 * time.Second

// keepOfferingSetup goes on until the code is said: nobody calls for it again, as
// somebody does for what else a full disk refused.
func (a *appliance) keepOfferingSetup(ctx context.Context, out io.Writer) error {
	for said := false; ; {
		wait := time.After(setupRetry)
		if said {
			wait = nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wait:
		}
		var err error
		if said, err = a.offerSetup(ctx, out, slog.LevelDebug); err != nil {
			return err
		}
	}
}
