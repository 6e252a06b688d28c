package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"testing"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
)

// known is a provider as if it had been discovered.
func known(cfg Config, client *http.Client) *provider {
	ctx := gooidc.ClientContext(context.Background(), client)
	found := (&gooidc.ProviderConfig{
		IssuerURL: cfg.Issuer, AuthURL: cfg.Issuer + "/auth", TokenURL: cfg.Issuer + "/token",
		DeviceAuthURL: cfg.Issuer + "/device", JWKSURL: cfg.Issuer + "/keys",
	}).NewProvider(ctx)
	return &provider{
		Provider: found, client: client, metadata: metadata{Issuer: cfg.Issuer, Keys: cfg.Issuer + "/keys"},
		keys: gooidc.NewRemoteKeySet(ctx, cfg.Issuer+"/keys"), learned: time.Now(),
	}
}

func testCA(t *testing.T, n int) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	do(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(int64(n + 1)), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	do(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
