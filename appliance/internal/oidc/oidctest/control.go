package oidctest

import (
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// control lets another process steer the provider, on a listener of its own, so
// that it answers while the provider is down:
//
//	GET  /test/flows                          the device flows, oldest first
//	POST /test/approve?user_code=...&user=id1 the person signs in (newest flow without user_code)
//	POST /test/deny?user_code=...
//	POST /test/expire?user_code=...
//	POST /test/slow?user_code=...&n=1         slow_down to the next n polls
//	POST /test/roles?user=id1&roles=a,b
//	POST /test/down, POST /test/up
//
// Answers: 204, or 400 with the reason.
type control struct {
	url    string
	server *http.Server
	done   chan struct{}
}

func startControl(p *Provider, addr string) (*control, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &control{
		url:    "http://" + l.Addr().String(),
		server: &http.Server{Handler: p.controlHandler(), ReadHeaderTimeout: 10 * time.Second},
		done:   make(chan struct{}),
	}
	go func() {
		defer close(c.done)
		_ = c.server.Serve(l) // ends with the server
	}()
	return c, nil
}

func (c *control) close() error {
	err := c.server.Close()
	<-c.done
	return err
}

func (p *Provider) controlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /test/flows", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(p.Flows())
	})
	do := func(path string, f func(r *http.Request) error) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			if err := f(r); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.WriteHeader(http.StatusNoContent)
		})
	}
	do("/test/approve", func(r *http.Request) error {
		user := r.FormValue("user")
		if user == "" {
			user = "id1"
		}
		return p.Approve(p.codeOf(r), user)
	})
	do("/test/deny", func(r *http.Request) error { return p.Deny(p.codeOf(r)) })
	do("/test/expire", func(r *http.Request) error { return p.Expire(p.codeOf(r)) })
	do("/test/slow", func(r *http.Request) error {
		n, err := strconv.Atoi(r.FormValue("n"))
		if err != nil {
			n = 1
		}
		return p.SlowDown(p.codeOf(r), n)
	})
	do("/test/roles", func(r *http.Request) error {
		var roles []string
		if v := r.FormValue("roles"); v != "" {
			roles = strings.Split(v, ",")
		}
		return p.SetRoles(r.FormValue("user"), roles...)
	})
	do("/test/down", func(*http.Request) error { return p.Down() })
	do("/test/up", func(*http.Request) error { return p.Up() })
	return mux
}

// codeOf is the user code a request names; the newest one when it names none.
func (p *Provider) codeOf(r *http.Request) string {
	if code := r.FormValue("user_code"); code != "" {
		return code
	}
	flows := p.Flows()
	if len(flows) == 0 {
		return ""
	}
	return flows[len(flows)-1].UserCode
}
