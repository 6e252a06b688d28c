package devices

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// intake bounds how fast and how many strangers are recorded: machines that
// only fetched a boot script. A script request takes a TCP connection, so its
// address cannot be forged from afar; each address may bring a few machines
// (rooms behind one router), all together a few hundred at once.
type intake struct {
	max int
	now func() time.Time

	mu        sync.Mutex
	all       bucket
	addresses map[netip.Addr]*bucket
}

// The rates of new strangers.
const (
	intakeBurst        = 300 // a whole site powered on at once
	intakePerSecond    = 1
	addressBurst       = 20
	addressEvery       = time.Minute // one more per address
	maxIntakeAddresses = 4096
	// strangerKept is how long a stranger is safe from making room for others.
	strangerKept = time.Hour
)

func newIntake(limit int, now func() time.Time) *intake {
	return &intake{max: limit, now: now, addresses: map[netip.Addr]*bucket{},
		all: bucket{size: intakeBurst, tokens: intakeBurst, every: time.Second / intakePerSecond, at: now()}}
}

// bucket is a token bucket: size at once, then one every so often.
type bucket struct {
	size, tokens float64
	every        time.Duration
	at           time.Time
}

func (b *bucket) fill(now time.Time) {
	b.tokens = min(b.size, b.tokens+float64(max(0, now.Sub(b.at)))/float64(b.every))
	b.at = now
}

// take asks for one new stranger from an address.
func (i *intake) take(addr netip.Addr) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.now()
	b := i.addresses[addr]
	if b == nil {
		i.forget(now)
		if len(i.addresses) >= maxIntakeAddresses {
			return false
		}
		b = &bucket{size: addressBurst, tokens: addressBurst, every: addressEvery, at: now}
		i.addresses[addr] = b
	}
	b.fill(now)
	i.all.fill(now)
	if b.tokens < 1 || i.all.tokens < 1 {
		return false
	}
	b.tokens--
	i.all.tokens--
	return true
}

// forget drops the addresses that are as good as new.
func (i *intake) forget(now time.Time) {
	if len(i.addresses) < maxIntakeAddresses {
		return
	}
	for a, b := range i.addresses {
		if b.fill(now); b.tokens >= b.size {
			delete(i.addresses, a)
		}
	}
}

// admitStranger decides whether one more stranger may be recorded, and names
// those that leave for it: the ones not seen for longest, an hour at least.
func (s *Service) admitStranger(seen Seen) (leaves []string, err error) {
	if !s.intake.take(seen.Addr) {
		return nil, ErrTooMany
	}
	var strangers []fleet.Device
	err = s.store.View(func(tx *state.Tx) error {
		for d := range tx.Devices().All() {
			if stranger(tx, d) {
				strangers = append(strangers, d)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	excess := len(strangers) - s.intake.max + 1
	if excess <= 0 {
		return nil, nil
	}
	slices.SortFunc(strangers, func(a, b fleet.Device) int {
		return cmp.Or(a.LastSeen.Compare(b.LastSeen), cmp.Compare(a.ID, b.ID))
	})
	for _, d := range strangers[:min(excess, 100)] {
		if seen.At.Sub(d.LastSeen) < strangerKept {
			return nil, ErrTooMany
		}
		leaves = append(leaves, d.ID)
	}
	return leaves, nil
}

// stranger reports that nobody has done anything with a device: no sign-in, no
// name, nothing assigned or set, no deployment.
func stranger(tx *state.Tx, d fleet.Device) bool {
	if d.Name != "" || d.Sequence != "" || d.Deployment != "" || d.Boot != (fleet.BootPolicy{}) || len(d.Variables) > 0 {
		return false
	}
	for range tx.Tokens().ByDevice(d.ID) {
		return false
	}
	for range tx.Deployments().ByDevice(d.ID) {
		return false
	}
	return true
}

// dropStrangers deletes devices unless something has happened with them since.
func dropStrangers(tx *state.Tx, ids []string) error {
	for _, id := range ids {
		d, err := tx.Devices().Get(id)
		if err != nil || !stranger(tx, d) {
			continue
		}
		if err := tx.Devices().Delete(id); err != nil {
			return err
		}
	}
	return nil
}
