package graph

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"slipway/fleet"
)

const (
	earlier       = 2 * time.Minute // a token is renewed so long before its end
	assertionLife = 5 * time.Minute // Entra ID advises 5 to 10 minutes
)

// tokens gets access tokens and keeps the one that holds.
type tokens struct {
	tenantURL string // ".../{tenant}/oauth2/v2.0/token"
	scope     string
	clientID  string
	secret    string
	leaf      *x509.Certificate
	key       *rsa.PrivateKey // with leaf, instead of secret
	now       func() time.Time
	http      *http.Client

	mu    sync.Mutex // one asks for all
	value string
	until time.Time
}

// connect makes a client of settings, its secrets opened. Of secret and certificate
// the certificate counts.
func (s *Service) connect(v fleet.Graph) (*client, error) {
	var missing []string
	for _, need := range []struct {
		name string
		ok   bool
	}{{"tenant", v.Tenant != ""}, {"client_id", v.ClientID != ""}, {"client_secret or certificate", len(v.SealedSecret)+len(v.SealedKey) > 0}} {
		if !need.ok {
			missing = append(missing, need.name)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%w: %s is missing", ErrNotSet, strings.Join(missing, ", "))
	}
	endpoint := cmp.Or(v.Endpoint, DefaultEndpoint)
	t := &tokens{clientID: v.ClientID, scope: endpoint + "/.default", now: s.Now, http: newHTTPClient(),
		tenantURL: cmp.Or(v.Authority, DefaultAuthority) + "/" + url.PathEscape(v.Tenant) + "/oauth2/v2.0/token"}
	if len(v.SealedKey) > 0 {
		if err := t.certificate(s.Sealer, v); err != nil {
			return nil, err
		}
	} else {
		plain, err := s.Sealer.Open(v.SealedSecret, purposeSecret)
		if err != nil {
			return nil, fmt.Errorf("graph: open the client secret: %w", err)
		}
		t.secret = string(plain)
	}
	return &client{endpoint: endpoint, tokens: t, http: t.http}, nil
}

func (t *tokens) certificate(sealer Sealer, v fleet.Graph) error {
	text, err := sealer.Open(v.SealedKey, purposeKey)
	if err != nil {
		return fmt.Errorf("graph: open the private key: %w", err)
	}
	key, _ := pem.Decode(text)
	leaf, _ := pem.Decode([]byte(v.Certificate))
	if key == nil || leaf == nil {
		return errors.New("graph: the certificate or its key is damaged: set it again")
	}
	if t.key, err = parseKey(key.Bytes); err != nil {
		return fmt.Errorf("graph: %w", err)
	}
	if t.leaf, err = x509.ParseCertificate(leaf.Bytes); err != nil {
		return fmt.Errorf("graph: the certificate: %w", err)
	}
	return nil
}

func (t *tokens) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.value = ""
}

// token returns a token that holds for a while. Errors: ErrSignIn, ErrUnavailable,
// *ThrottledError.
func (t *tokens) token(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.value != "" && t.now().Before(t.until) {
		return t.value, nil
	}
	cfg := clientcredentials.Config{ClientID: t.clientID, ClientSecret: t.secret, TokenURL: t.tenantURL, Scopes: []string{t.scope}, AuthStyle: oauth2.AuthStyleInParams}
	if t.key != nil {
		assertion, err := t.assertion()
		if err != nil {
			return "", err
		}
		cfg.EndpointParams = url.Values{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion}}
	}
	got, err := cfg.Token(context.WithValue(ctx, oauth2.HTTPClient, t.http))
	if err != nil {
		return "", t.refused(err)
	}
	t.value, t.until = got.AccessToken, t.now().Add(max(time.Until(got.Expiry)-earlier, 0))
	if got.Expiry.IsZero() {
		t.until = t.now().Add(earlier)
	}
	return t.value, nil
}

// assertion says, signed with the certificate's key, that it is us (RFC 7523).
func (t *tokens) assertion() (string, error) {
	thumb := sha256.Sum256(t.leaf.Raw)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.PS256, Key: t.key},
		(&jose.SignerOptions{}).WithType("JWT").WithHeader("x5t#S256", base64.RawURLEncoding.EncodeToString(thumb[:])))
	if err != nil {
		return "", fmt.Errorf("graph: sign with the certificate: %w", err)
	}
	now := t.now()
	text, err := jwt.Signed(signer).Claims(jwt.Claims{Issuer: t.clientID, Subject: t.clientID, Audience: jwt.Audience{t.tenantURL}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(assertionLife))}).Serialize()
	if err != nil {
		return "", fmt.Errorf("graph: sign with the certificate: %w", err)
	}
	return text, nil
}

// refused says why there is no token. What the provider says is bounded, and our
// secret, should it be echoed, is left out.
func (t *tokens) refused(err error) error {
	var e *oauth2.RetrieveError
	if !errors.As(err, &e) || e.Response == nil {
		return fmt.Errorf("%w: ask for a token: %s", ErrUnavailable, t.without(err.Error()))
	}
	if after, said := retryAfter(e.Response.Header); e.Response.StatusCode == http.StatusTooManyRequests || e.Response.StatusCode == http.StatusServiceUnavailable && said {
		return &ThrottledError{after}
	}
	text := e.ErrorCode
	if e.ErrorDescription != "" {
		text += ": " + e.ErrorDescription
	}
	if e.Response.StatusCode >= 500 || text == "" {
		return fmt.Errorf("%w: ask for a token: HTTP %d %s", ErrUnavailable, e.Response.StatusCode, t.without(text))
	}
	return fmt.Errorf("%w: %s", ErrSignIn, t.without(text))
}

func (t *tokens) without(text string) string {
	if t.secret != "" {
		text = strings.ReplaceAll(text, t.secret, "…")
		text = strings.ReplaceAll(text, url.QueryEscape(t.secret), "…")
	}
	return plain(text)
}

// rolesOf reads the permissions that a token says it has. For people only: the token is
// checked by the service that it is for.
func rolesOf(token string) ([]string, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, false
	}
	var claims struct {
		Roles []string `json:"roles"`
	}
	return claims.Roles, json.Unmarshal(body, &claims) == nil
}
