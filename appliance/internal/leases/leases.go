// Package leases keeps the leases of the appliance's own DHCP server in the state:
// it implements netboot.Leases. What they mean is netboot's business.
package leases

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"

	"slipway/appliance/internal/state"
	"slipway/netboot"
)

// Book is the kept leases.
type Book struct {
	store *state.Store
	log   *slog.Logger
}

var _ netboot.Leases = (*Book)(nil)

// New makes a Book over the state.
func New(store *state.Store, log *slog.Logger) *Book { return &Book{store: store, log: log} }

// Load implements netboot.Leases. A record that cannot be read is left out and
// logged: its address is probed before it is offered again.
func (b *Book) Load(context.Context) (out []netboot.Lease, err error) {
	err = b.store.View(func(tx *state.Tx) error {
		out = nil
		for r := range tx.Leases().All() {
			a, err := netip.ParseAddr(r.Address)
			if err != nil {
				b.log.Warn("a lease of the state has no address", "key", r.Address)
				continue
			}
			out = append(out, netboot.Lease{Address: a, Client: r.Client, MAC: r.MAC, Host: r.Host,
				Given: r.Given, Expires: r.Expires, Declined: r.Declined})
		}
		return nil
	})
	return out, err
}

// Save implements netboot.Leases.
func (b *Book) Save(ctx context.Context, l netboot.Lease) error {
	return b.store.Update(ctx, func(tx *state.Tx) error {
		return tx.Leases().Put(state.Lease{Address: l.Address.String(), Client: l.Client, MAC: l.MAC, Host: l.Host,
			Given: l.Given, Expires: l.Expires, Declined: l.Declined})
	})
}

// forgetAtOnce bounds a transaction.
const forgetAtOnce = 1000

// Forget implements netboot.Leases.
func (b *Book) Forget(ctx context.Context, addresses []netip.Addr) error {
	for len(addresses) > 0 {
		n := min(len(addresses), forgetAtOnce)
		err := b.store.Update(ctx, func(tx *state.Tx) error {
			for _, a := range addresses[:n] {
				if err := tx.Leases().Delete(a.String()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("remove %d leases: %w", n, err)
		}
		addresses = addresses[n:]
	}
	return nil
}
