package pki

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

const installationKey = "self"

// Authority is the CA of this installation and what it signs for the listener.
// It is safe for concurrent use.
type Authority struct {
	id     string
	store  *state.Store
	sealer Sealer
	now    func() time.Time

	loading sync.Mutex // held while the record is read and adopted

	mu     sync.Mutex
	caSet  [][]byte // DER, the signing one first
	signer authority
	names  names // of the server certificate
	leaf   *leaf // nil until the first connection
}

// Ensure reads the installation, or makes its id and CA at first start. A sealer
// that cannot open the CA's key, e.g. with a foreign key file, is an error.
func Ensure(ctx context.Context, store *state.Store, sealer Sealer, now func() time.Time) (*Authority, error) {
	i, err := load(store)
	if errors.Is(err, state.ErrNotFound) {
		i, err = create(ctx, store, sealer, now())
	}
	if err != nil {
		return nil, fmt.Errorf("pki: installation: %w", err)
	}
	a := &Authority{id: i.ID, store: store, sealer: sealer, now: now, names: newNames(wire.ServerName(i.ID))}
	if err := a.adopt(i); err != nil {
		return nil, err
	}
	return a, nil
}

// reload takes over what the record says now. The next connection is served by
// the authority that signs; connections that are open go on.
func (a *Authority) reload() error {
	a.loading.Lock()
	defer a.loading.Unlock()
	i, err := load(a.store)
	if err != nil {
		return fmt.Errorf("pki: installation: %w", err)
	}
	return a.adopt(i)
}

func (a *Authority) adopt(i fleet.Installation) error {
	if len(i.Authorities) == 0 {
		return fmt.Errorf("pki: installation %s has no CA", i.ID)
	}
	var set [][]byte
	for _, ca := range i.Authorities {
		set = append(set, ca.Certificate)
	}
	a.mu.Lock()
	signer := a.signer
	a.mu.Unlock()
	if signer.cert == nil || !bytes.Equal(signer.cert.Raw, set[0]) {
		var err error
		if signer, err = openAuthority(i.ID, i.Authorities[0], a.sealer); err != nil {
			return err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if signer.cert != a.signer.cert {
		a.leaf = nil // signed by the one before
	}
	a.caSet, a.signer = set, signer
	return nil
}

func load(store *state.Store) (i fleet.Installation, err error) {
	err = store.View(func(tx *state.Tx) error {
		i, err = tx.Installation().Get(installationKey)
		return err
	})
	return i, err
}

// create stores a new installation, unless another member was faster.
func create(ctx context.Context, store *state.Store, sealer Sealer, now time.Time) (fleet.Installation, error) {
	fresh, err := newInstallation(sealer, now)
	if err != nil {
		return fleet.Installation{}, err
	}
	err = store.Update(ctx, func(tx *state.Tx) error {
		if tx.Installation().Has(installationKey) {
			return nil
		}
		return tx.Installation().Put(fresh)
	})
	if err != nil {
		return fleet.Installation{}, err
	}
	return load(store)
}

// InstallationID is 16 characters of lower-case base32.
func (a *Authority) InstallationID() string { return a.id }

// ServerName is the TLS name under which devices reach the appliance.
func (a *Authority) ServerName() string { return wire.ServerName(a.id) }

// CASet is what boot images pin: DER certificates, the signing one first.
func (a *Authority) CASet() [][]byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([][]byte, len(a.caSet))
	for i, der := range a.caSet {
		out[i] = bytes.Clone(der)
	}
	return out
}

// CAPEM is the CA set as a PEM file, e.g. for an administrator's browser.
func (a *Authority) CAPEM() []byte {
	var out []byte
	for _, der := range a.CASet() {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out
}

// CAFingerprints are the SHA-256 fingerprints of the CA set in hex.
func (a *Authority) CAFingerprints() []string {
	var out []string
	for _, der := range a.CASet() {
		out = append(out, fingerprint(der))
	}
	return out
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// Pool is the CA set to verify the appliance with.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.CAPEM())
	return pool
}
