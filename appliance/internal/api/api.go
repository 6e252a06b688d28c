// Package api serves the calls of devices and administrators under /api/v1, with
// health, metrics and the OpenAPI document. Handlers are thin: they decode
// strictly, ask a service, and return an error that one place turns into a problem
// document. The console is package ui; boot files are package netboot.
package api

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"slipway/agent/wire"
	"slipway/appliance/internal/auth"
	"slipway/appliance/internal/pki"
	"slipway/fleet"
)

// Options are what the API is made of. All services must be set.
type Options struct {
	Services
	Version string
	Logger  *slog.Logger
}

// API answers /api/v1, /healthz, /readyz and /metrics.
type API struct {
	Services
	log     *slog.Logger
	routes  []route
	openapi []byte

	tus http.Handler // of the tus protocol
}

const (
	prefix       = "/api/v1"
	requestIDKey = "request"
)

// New returns the API. It fails when a route states no access rule.
func New(o Options) (*API, error) {
	a := &API{Services: o.Services, log: o.Logger}
	if a.Content != nil {
		var err error
		if a.tus, err = a.Content.Uploads(contentUploads); err != nil {
			return nil, err
		}
	}
	a.routes = a.table()
	for _, r := range a.routes {
		if r.Access == NoRule {
			return nil, fmt.Errorf("api: %s %s states no access rule", r.Method, r.Path)
		}
	}
	a.openapi = document(a.routes, o.Version)
	return a, nil
}

// table is every call there is.
func (a *API) table() []route {
	var all []route
	for _, part := range [][]route{a.systemRoutes(), a.signInRoutes(), a.deviceRoutes(), a.contentRoutes(), a.deploymentContentRoutes(), a.accessRoutes(),

		a.signInSettingsRoutes(), a.passcodeRoutes(), a.fleetRoutes(), a.sequenceRoutes(), a.stepRoutes(), a.templateRoutes(), a.imageRoutes(), a.auditRoutes(),
		a.caRoutes(), a.backupRoutes(), a.mediaRoutes(), a.adminContentRoutes(), a.contentUploadRoutes(), a.graphRoutes(), a.joinRoutes(), a.catalogueRoutes(), a.stagingRoutes()} {
		all = append(all, part...)
	}
	return all
}

// Handler serves the API over TLS.
func (a *API) Handler() http.Handler { return a.engine(false) }

// LocalHandler serves the same on the local socket, where the caller is the owner
// of the data folder and needs no token.
func (a *API) LocalHandler() http.Handler { return a.engine(true) }

func (a *API) engine(local bool) *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false
	e.UseRawPath, e.UnescapePathValues = true, true
	_ = e.SetTrustedProxies(nil) // the peer's address is the connection's
	e.Use(a.prepare, gin.CustomRecoveryWithWriter(nil, a.recovered))
	e.NoRoute(func(c *gin.Context) {
		a.respond(c, &Problem{Status: http.StatusNotFound, Code: "not-found", Detail: "There is no such call."})
	})
	e.NoMethod(func(c *gin.Context) {
		a.respond(c, &Problem{Status: http.StatusMethodNotAllowed, Code: "method", Detail: "This call exists, but not with this method."})
	})
	for _, r := range a.routes {
		e.Handle(r.Method, ginPath(r.Path), a.serve(r, local))
	}
	return e
}

// ginPath turns /devices/{id} into /devices/:id, and a last {file...} into *file.
func ginPath(path string) string {
	return pathParameter.ReplaceAllString(pathRest.ReplaceAllString(path, "*$1"), ":$1")
}

// prepare gives the request an id and the answer its safe headers.
func (a *API) prepare(c *gin.Context) {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	c.Set(requestIDKey, hex.EncodeToString(id[:]))
	h := c.Writer.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Slipway-Protocol", strconv.Itoa(wire.Protocol))
	h.Set("Request-Id", c.GetString(requestIDKey))
	c.Next()
}

func (a *API) recovered(c *gin.Context, reason any) {
	a.respond(c, fmt.Errorf("panic: %v", reason))
}

// serve is the way of every request through its route: size, protocol, who,
// handler, answer.
func (a *API) serve(r route, local bool) gin.HandlerFunc {
	return func(g *gin.Context) {
		limit := r.MaxBody
		if limit == 0 {
			limit = defaultMaxBody
		}
		g.Request.Body = http.MaxBytesReader(g.Writer, g.Request.Body, limit)
		c := &call{Context: g, Local: local}
		err := checkProtocol(g.Request.Header.Get(wire.HeaderProtocol))
		if err == nil {
			err = a.admit(c, r, local)
		}
		var out any
		if err == nil {
			out, err = r.Handle(c)
		}
		if err != nil {
			a.respond(g, err)
			return
		}
		send(g, r, out)
	}
}

func send(g *gin.Context, r route, out any) {
	switch v := out.(type) {
	case written:
	case raw:
		g.Data(r.success(), v.ContentType, v.Body)
	case nil:
		g.Status(r.success())
	default:
		g.JSON(r.success(), out)
	}
}

// checkProtocol refuses agents that speak a conversation we do not.
func checkProtocol(header string) error {
	if header == "" {
		return nil // a script
	}
	n, err := strconv.Atoi(header)
	switch {
	case err != nil || n < 1:
		return badRequest("The header "+wire.HeaderProtocol+" is not a protocol number.", nil)
	case n > wire.Protocol:
		return &Problem{Status: http.StatusUpgradeRequired, Code: "protocol",
			Detail: "This boot image is newer than the appliance: update the appliance, or build the boot image with it."}
	}
	return nil
}

// admit checks who calls against the route's rule.
func (a *API) admit(c *call, r route, local bool) error {
	if r.Access == Public {
		return nil
	}
	if role := r.Access.role(); role != "" && local {
		c.Actor = "local"
		return nil
	}
	token, err := a.Auth.Authenticate(c.ctx(), bearer(c.Request), caller(c.Request))
	if err != nil {
		return err
	}
	c.Token = token
	switch {
	case token.Ended && !(r.AfterEnd && c.Param("id") == token.Deployment):
		return auth.ErrExpired
	case (r.Access == Device || r.Access == DeviceOrViewer) && token.Kind == fleet.TokenDevice:
		return nil
	case r.Access == Device:
		return &Problem{Status: http.StatusForbidden, Code: "device-token", Detail: "This call is for devices; sign in as one."}
	case token.Kind != fleet.TokenAPI:
		return &Problem{Status: http.StatusForbidden, Code: "api-token", Detail: "This call needs an API token, not a device's."}
	case !token.Role.Includes(r.Access.role()):
		return &Problem{Status: http.StatusForbidden, Code: "role", Detail: fmt.Sprintf("This call needs the role %s.", r.Access.role())}
	}
	c.Actor = token.Name
	return nil
}

// bearer returns the token of the Authorization header, or "".
func bearer(r *http.Request) string {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(value)
}

// caller is the peer as the connection shows it, never as a header says.
func caller(r *http.Request) auth.Caller {
	c := auth.Caller{Addr: peer(r)}
	if r.TLS != nil {
		c.Binding = pki.Binding(*r.TLS)
		c.Certificates = r.TLS.PeerCertificates
	}
	return c
}

func peer(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // the local socket
	}
	return ap.Addr().Unmap()
}

// queryInt reads a number from the query.
func (c *call) queryInt(name string, fallback int64) (int64, error) {
	text := c.Query(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, badRequest(fmt.Sprintf("%s=%q is not a number.", name, text), err)
	}
	return n, nil
}

// systemRoutes are health, metrics and the document.
func (a *API) systemRoutes() []route {
	return []route{
		{Method: "GET", Path: "/healthz", Access: Public, Summary: "The process answers", Out: raw{}, Handle: func(*call) (any, error) {
			return raw{"text/plain; charset=utf-8", []byte("ok\n")}, nil
		}},
		{Method: "GET", Path: "/readyz", Access: Public, Summary: "All parts work", Out: raw{}, Handle: func(c *call) (any, error) {
			if err := a.Ready(c.ctx()); err != nil {
				return nil, &Problem{Status: http.StatusServiceUnavailable, Code: "not-ready", Detail: "Not ready; the appliance's log says why.", RetryAfter: time.Second, Cause: err}
			}
			return raw{"text/plain; charset=utf-8", []byte("ready\n")}, nil
		}},
		{Method: "GET", Path: "/metrics", Access: Viewer, Summary: "Prometheus metrics", Out: raw{}, Handle: func(c *call) (any, error) {
			a.Metrics.ServeHTTP(c.Writer, c.Request)
			return written{}, nil
		}},
		{Method: "GET", Path: prefix + "/openapi.json", Access: Public, Summary: "This document", Out: raw{}, Handle: func(*call) (any, error) {
			return raw{"application/json", a.openapi}, nil
		}},
	}
}

// isAny reports whether err is one of list.
func isAny(err error, list ...error) bool {
	for _, e := range list {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
