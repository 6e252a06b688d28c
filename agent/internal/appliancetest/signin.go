package appliancetest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"slipway/agent/wire"
)

// token is a token as given out.
type token struct {
	binding    string // of the client certificate it was given to
	deployment string // the one it belongs to since it started or continued it
	ended      bool   // that is over: good for the last reports only
}

// binding is what the caller's connection is bound by.
func binding(r *http.Request) string {
	if len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
	return hex.EncodeToString(sum[:])
}

// last says whether a call is one of the last reports of a deployment.
func last(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/events") || strings.HasSuffix(r.URL.Path, "/logs") || r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/deployments/")
}

func (a *Appliance) signInRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /api/v1/auth/passcode", a.offered(wire.Passcode, a.signIn))
	mux.HandleFunc("POST /api/v1/auth/anonymous", a.offered(wire.Anonymous, a.give))
	mux.HandleFunc("POST /api/v1/auth/certificate", a.offered(wire.Certificate, func(w http.ResponseWriter, r *http.Request) {
		if a.Certificate == "" || len(r.TLS.PeerCertificates) == 0 || r.TLS.PeerCertificates[0].Subject.CommonName != a.Certificate {
			a.refuse(w, wire.Problem{Title: "Unauthorized", Status: http.StatusUnauthorized, Detail: "The certificate is not accepted."})
			return
		}
		a.give(w, r)
	}))
	mux.HandleFunc("POST /api/v1/auth/entra", a.offered(wire.Entra, a.startEntra))
	mux.HandleFunc("POST /api/v1/auth/entra/poll", a.pollEntra)
	a.guarded(mux, "POST /api/v1/auth/renew", func(w http.ResponseWriter, r *http.Request) { a.token(w, r) })
}

// offered refuses a mechanism that is not among Mechanisms.
func (a *Appliance) offered(name string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(a.Mechanisms.Mechanisms, name) {
			a.refuse(w, wire.Problem{Type: "urn:slipway:problem:not-allowed", Title: "Forbidden", Status: http.StatusForbidden, Detail: "This is not allowed here."})
			return
		}
		h(w, r)
	}
}

func (a *Appliance) signIn(w http.ResponseWriter, r *http.Request) {
	var in wire.PasscodeSignIn
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.Passcode != a.Passcode {
		a.refuse(w, wire.Problem{Title: "Unauthorized", Status: http.StatusUnauthorized, Detail: "The passcode is not accepted."})
		return
	}
	a.give(w, r)
}

// startEntra gives out a code: CODE-0001, CODE-0002 and so on.
func (a *Appliance) startEntra(w http.ResponseWriter, _ *http.Request) {
	a.EntraStarted++
	session := rand.Text()
	a.codes[session] = true
	code := "CODE-000" + string(rune('0'+a.EntraStarted%10))
	reply(w, wire.EntraStart{Session: session, UserCode: code, VerificationURI: a.EntraURI, ExpiresIn: a.EntraLife, Interval: 1})
}

func (a *Appliance) pollEntra(w http.ResponseWriter, r *http.Request) {
	var in wire.EntraPoll
	if json.NewDecoder(r.Body).Decode(&in) != nil || !a.codes[in.Session] || !slices.Contains(a.Mechanisms.Mechanisms, wire.Entra) {
		a.refuse(w, wire.Problem{Title: "Gone", Status: http.StatusGone, Detail: "The code has expired: start again."})
		return
	}
	a.EntraPolls++
	answer := wire.Problem{Status: http.StatusAccepted}
	if a.EntraAnswer != nil {
		answer = a.EntraAnswer(a.EntraPolls)
	}
	switch answer.Status {
	case http.StatusAccepted:
		w.WriteHeader(http.StatusAccepted)
		reply(w, wire.EntraPending{Interval: a.EntraInterval})
	case http.StatusOK:
		a.give(w, r)
	default:
		if answer.Status == http.StatusForbidden || answer.Status == http.StatusGone {
			delete(a.codes, in.Session)
		}
		a.refuse(w, answer)
	}
}

// ForgetCodes is what a restart does to pending sign-ins. It is called under Do.
func (a *Appliance) ForgetCodes() { clear(a.codes) }

// give is a successful sign-in.
func (a *Appliance) give(w http.ResponseWriter, r *http.Request) {
	for _, c := range r.TLS.PeerCertificates {
		a.Bindings = append(a.Bindings, c.Subject.CommonName)
	}
	a.token(w, r)
}

func (a *Appliance) token(w http.ResponseWriter, r *http.Request) {
	t := rand.Text()
	a.tokens["Bearer "+t] = &token{binding: binding(r)}
	reply(w, wire.Token{Token: t, ExpiresAt: a.Now().Add(a.TokenLife)})
}

// bind makes the caller's token one of a deployment.
func (a *Appliance) bind(r *http.Request, deployment string) {
	a.tokens[r.Header.Get("Authorization")].deployment = deployment
}

// end ends the tokens of a deployment.
func (a *Appliance) end(deployment string) {
	for _, t := range a.tokens {
		t.ended = t.ended || t.deployment == deployment
	}
}
