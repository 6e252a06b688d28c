// Package graphtest is a stand-in for Microsoft's sign-in and for the part of
// Microsoft Graph that registers devices with Autopilot, on loopback, for tests. It
// takes only what Microsoft's reference says that these services take, keeps to their
// pace (imports that take a while, lists in pages), and can be made to throttle and
// to fail.
package graphtest

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Permission is what the application has been granted.
const Permission = "DeviceManagementServiceConfig.ReadWrite.All"

// Server is both services. Change its fields before the first call.
type Server struct {
	URL         string
	Tenant      string
	ClientID    string
	Secret      string
	Certificate *x509.Certificate // instead of the secret
	Roles       []string          // in tokens
	PageSize    int               // of lists

	// How many looks at it each stage takes.
	ImportTakes, ShownAfter, AssignedAfter int

	mu       sync.Mutex
	tokens   map[string]bool
	spent    map[string]bool // ids of assertions
	failures []Failure
	imports  []*Import
	devices  []*Device
	calls    []string
	strange  []string
}

// Import is a hash that was handed in.
type Import struct {
	ID, Serial, Hash, GroupTag, User string
	ErrorName                        string // how it ends; empty: well
	ErrorCode                        int
	Done                             bool // it has ended already
	looks                            int
	device                           string
}

// Device is a registered one.
type Device struct {
	ID, Serial, GroupTag, User string
	Status                     string // empty: goes from notAssigned to assignedInSync
	hidden, looks              int
}

// Failure is an answer in place of the next one that fits.
type Failure struct {
	Path       string // that the request's path contains
	Status     int
	RetryAfter string
	Body       string
}

// Start serves until the test ends, which then fails if anything came that the real
// services would not take.
func Start(t testing.TB) *Server {
	s := &Server{Tenant: "11111111-2222-3333-4444-555555555555", ClientID: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", Secret: "kept~Secret.of-the_tests",
		Roles: []string{Permission}, PageSize: 2, ImportTakes: 1, ShownAfter: 1, AssignedAfter: 1, tokens: map[string]bool{}, spent: map[string]bool{}}
	srv := httptest.NewServer(http.HandlerFunc(s.serve))
	s.URL = srv.URL
	t.Cleanup(func() {
		srv.Close()
		for _, line := range s.Strange() {
			t.Errorf("Microsoft Graph would not take this: %s", line)
		}
	})
	return s
}

// Strange are the requests that the real services would not take, and forgets them.
func (s *Server) Strange() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.strange
	s.strange = nil
	return out
}

// Calls are the requests that came, "METHOD path", and forgets them.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.calls
	s.calls = nil
	return out
}

// Fail makes the next calls that fit fail, in this order.
func (s *Server) Fail(failures ...Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, failures...)
}

// Add puts a registered device, or a past import, into the tenant.
func (s *Server) Add(devices []Device, imports []Import) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range devices {
		s.devices = append(s.devices, &d)
	}
	for _, i := range imports {
		s.imports = append(s.imports, &i)
	}
}

// Imports are all that were handed in, and Devices all that are registered.
func (s *Server) Imports() []Import { return copies(s, &s.imports) }

// Devices are all that are registered.
func (s *Server) Devices() []Device { return copies(s, &s.devices) }

func copies[T any](s *Server, list *[]*T) (out []T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range *list {
		out = append(out, *v)
	}
	return out
}

// Revoke makes all tokens worthless.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = map[string]bool{}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, r.Method+" "+r.URL.Path)
	for i, f := range s.failures {
		if strings.Contains(r.URL.Path, f.Path) {
			s.failures = slices.Delete(s.failures, i, i+1)
			if f.RetryAfter != "" {
				w.Header().Set("Retry-After", f.RetryAfter)
			}
			w.WriteHeader(f.Status)
			fmt.Fprint(w, f.Body)
			return
		}
	}
	if r.URL.Path == "/"+s.Tenant+"/oauth2/v2.0/token" {
		s.token(w, r)
		return
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !ok || !s.tokens[token]:
		answer(w, http.StatusUnauthorized, graphError("InvalidAuthenticationToken", "Access token has expired or is not valid."))
	case !slices.Contains(s.Roles, Permission):
		answer(w, http.StatusForbidden, graphError("Forbidden", `{"Message":"Application is not authorized to perform this operation."}`))
	default:
		s.graph(w, r)
	}
}

// refuse notes what is wrong with a request.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, why string) {
	s.strange = append(s.strange, r.Method+" "+r.URL.String()+": "+why)
	answer(w, http.StatusBadRequest, graphError("BadRequest", why))
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") || r.URL.RawQuery != "" {
		s.refuse(w, r, "a token is asked for by a posted form")
		return
	}
	if err := r.ParseForm(); err != nil {
		s.refuse(w, r, err.Error())
		return
	}
	want := []string{"client_id", "client_secret", "grant_type", "scope"}
	if s.Certificate != nil {
		want = []string{"client_assertion", "client_assertion_type", "client_id", "grant_type", "scope"}
	}
	var got []string
	for name, values := range r.PostForm {
		if got = append(got, name); len(values) != 1 {
			s.refuse(w, r, name+" is given twice")
			return
		}
	}
	slices.Sort(got)
	f := r.PostForm
	switch {
	case !slices.Equal(got, want):
		s.refuse(w, r, fmt.Sprintf("the form has %v, not %v", got, want))
	case f.Get("grant_type") != "client_credentials" || f.Get("scope") != s.URL+"/.default":
		s.refuse(w, r, "grant or scope: "+f.Get("grant_type")+", "+f.Get("scope"))
	case f.Get("client_id") != s.ClientID:
		answer(w, http.StatusBadRequest, signInError("unauthorized_client", "AADSTS700016: Application with identifier '"+f.Get("client_id")+"' was not found in the directory."))
	case s.Certificate == nil && f.Get("client_secret") != s.Secret:
		answer(w, http.StatusUnauthorized, signInError("invalid_client", "AADSTS7000215: Invalid client secret provided: "+f.Get("client_secret")))
	default:
		if s.Certificate != nil {
			if err := s.checkAssertion(f); err != nil {
				answer(w, http.StatusUnauthorized, signInError("invalid_client", "AADSTS700027: "+err.Error()))
				return
			}
		}
		roles, _ := json.Marshal(map[string]any{"roles": s.Roles, "jti": rand.Text()})
		token := "e30." + base64.RawURLEncoding.EncodeToString(roles) + ".c2ln"
		s.tokens[token] = true
		answer(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token})
	}
}

func (s *Server) checkAssertion(f url.Values) error {
	if f.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		return fmt.Errorf("the type is %q", f.Get("client_assertion_type"))
	}
	token, err := jwt.ParseSigned(f.Get("client_assertion"), []jose.SignatureAlgorithm{jose.PS256})
	if err != nil {
		return err
	}
	thumb := sha256.Sum256(s.Certificate.Raw)
	h := token.Headers[0].ExtraHeaders
	if h["x5t#S256"] != base64.RawURLEncoding.EncodeToString(thumb[:]) || h["typ"] != "JWT" {
		return fmt.Errorf("the key was not found: %v", h)
	}
	var c jwt.Claims
	if err := token.Claims(s.Certificate.PublicKey, &c); err != nil {
		return err
	}
	if c.ID == "" || s.spent[c.ID] || c.Expiry == nil || c.NotBefore == nil || c.Expiry.Time().Sub(c.NotBefore.Time()) > 10*time.Minute {
		return fmt.Errorf("the assertion was used before, or lives too long: %+v", c)
	}
	s.spent[c.ID] = true
	return c.ValidateWithLeeway(jwt.Expected{Issuer: s.ClientID, Subject: s.ClientID, AnyAudience: jwt.Audience{s.URL + "/" + s.Tenant + "/oauth2/v2.0/token"}, Time: time.Now()}, time.Minute)
}

func graphError(code, text string) map[string]any {
	return map[string]any{"error": map[string]any{"code": code, "message": text, "innerError": map[string]any{"request-id": "r"}}}
}

func signInError(code, text string) map[string]any {
	return map[string]any{"error": code, "error_description": text, "error_codes": []int{7000215}}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller went away
}
