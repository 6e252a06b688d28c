package devices

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// What callers decide on.
var (
	// ErrNotFound: no device has that id, name, MAC address or UUID.
	ErrNotFound = errors.New("no such device")
	// ErrAmbiguous: a name or address fits more than one device.
	ErrAmbiguous = errors.New("more than one device fits: use its id")
	// ErrInvalid: a value that was given cannot be taken; the text says why.
	ErrInvalid = errors.New("not valid")
	// ErrUnknownSequence: the library has no such sequence or version.
	ErrUnknownSequence = errors.New("no such task sequence")
	// ErrBusy: two devices with an unfinished deployment each cannot be merged.
	ErrBusy = errors.New("both devices have an unfinished deployment")
	// ErrTooMany: too many machines that never signed in were recorded lately, so
	// this one is not recorded. It can boot all the same.
	ErrTooMany = errors.New("too many new devices that never signed in")
)

// Options of a Service. Store must be set.
type Options struct {
	Store  *state.Store
	Logger *slog.Logger
	Now    func() time.Time
	NewID  func() string
	// MaxStrangers bounds the devices kept that nobody signed in on, named,
	// assigned or set anything for. Default 2,000.
	MaxStrangers int
	Sealer       Sealer // for secret variables; without it they are refused
}

// Sealer encrypts secret variables. purpose binds a sealed value to its place.
type Sealer interface {
	Seal(plain []byte, purpose string) ([]byte, error)
	Open(sealed []byte, purpose string) ([]byte, error)
}

// Service is device identity. It is safe for concurrent use.
type Service struct {
	store  *state.Store
	log    *slog.Logger
	now    func() time.Time
	newID  func() string
	intake *intake
	sealer Sealer
}

// New returns a service over a store.
func New(o Options) *Service {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = func() string { return "d" + strings.ToLower(rand.Text()[:11]) }
	}
	if o.MaxStrangers == 0 {
		o.MaxStrangers = 2000
	}
	return &Service{store: o.Store, log: o.Logger, now: o.Now, newID: o.NewID, intake: newIntake(o.MaxStrangers, o.Now), sealer: o.Sealer}
}

// Seen is how and where a claim came in.
type Seen struct {
	Addr     netip.Addr // of the device
	Arch     string     // x64, arm64, x86; empty when not known
	Firmware string     // bios, uefi, uefi-http; empty when not known
	At       time.Time  // zero: now
	// SignedIn says that someone has proven that they may deploy, so the device
	// counts as wanted. Without it the claim comes from a boot loader: anyone's.
	SignedIn bool
}

// ResolveSignIn is Resolve after a successful sign-in, as package auth wants it.
// Without proof, because nothing had to be proven, a new device is a stranger like one
// that a boot loader reports: as many as there may be of them (ErrTooMany). A machine (or script) that tells nothing of itself is known by its address, so
// that it is one device and not a new one at each sign-in.
func (s *Service) ResolveSignIn(ctx context.Context, c fleet.Claim, from netip.Addr, proven bool) (fleet.Device, error) {
	if blank(normal(c), nil) && from.IsValid() {
		c = fleet.Claim{Serial: "address " + from.Unmap().String(), Model: "tells nothing of itself"}
	}
	return s.Resolve(ctx, c, Seen{Addr: from, SignedIn: proven})
}

// Resolve finds the device of a claim, or makes one, and notes that it was
// seen. Errors: ErrTooMany (without SignedIn only), ErrInvalid for a claim that
// identifies nothing, and those of the state.
func (s *Service) Resolve(ctx context.Context, claim fleet.Claim, seen Seen) (fleet.Device, error) {
	c := normal(claim)
	if blank(c, nil) {
		return fleet.Device{}, fmt.Errorf("%w: the machine tells no UUID, serial number or MAC address", ErrInvalid)
	}
	if seen.At.IsZero() {
		seen.At = s.now()
	}
	old, found, shared, err := s.find(c)
	if err != nil {
		return fleet.Device{}, err
	}
	if !found && !seen.SignedIn && blank(c, shared) {
		// It would be a new device each time. After a sign-in that is for people to sort out.
		return fleet.Device{}, fmt.Errorf("%w: the machine tells nothing but the MAC address of a shared adapter", ErrInvalid)
	}
	if found {
		if _, worth := refresh(old, c, seen); !worth {
			return old, nil
		}
		return s.update(ctx, c, seen, nil)
	}
	var leaves []string
	if !seen.SignedIn {
		if leaves, err = s.admitStranger(seen); err != nil {
			return fleet.Device{}, err
		}
	}
	return s.update(ctx, c, seen, leaves)
}

// Find is Resolve without writing: false when the claim fits no device.
func (s *Service) Find(claim fleet.Claim) (fleet.Device, bool, error) {
	d, found, _, err := s.find(normal(claim))
	return d, found, err
}

func (s *Service) find(c fleet.Claim) (d fleet.Device, found bool, shared []string, err error) {
	err = s.store.View(func(tx *state.Tx) error {
		if shared, err = sharedMACs(tx); err != nil {
			return err
		}
		d, found, _ = match(tx, c, shared)
		return nil
	})
	return d, found, shared, err
}

// blank reports that a claim holds nothing to recognise a machine by.
func blank(c fleet.Claim, shared []string) bool {
	return c.UUID == "" && (c.Serial == "" || c.Model == "") && len(unshared(c.MACs, shared)) == 0
}

func sharedMACs(tx *state.Tx) ([]string, error) {
	settings, err := tx.Settings().Get(state.Self)
	if errors.Is(err, state.ErrNotFound) {
		return nil, nil
	}
	return settings.SharedMACs, err
}

// update writes what a claim says into its device, in one transaction with
// finding it: two claims of one machine at a time make one device. leaves are
// strangers that make room.
func (s *Service) update(ctx context.Context, c fleet.Claim, seen Seen, leaves []string) (out fleet.Device, err error) {
	id := s.newID()
	err = s.store.Update(ctx, func(tx *state.Tx) error {
		shared, err := sharedMACs(tx)
		if err != nil {
			return err
		}
		d, found, note := match(tx, c, shared)
		if !found {
			d = fleet.Device{ID: id, FirstSeen: seen.At}
			if note != "" {
				addNote(&d, seen.At, note)
			}
		}
		out, _ = refresh(d, c, seen)
		if err := dropStrangers(tx, leaves); err != nil {
			return err
		}
		return tx.Devices().Put(out)
	})
	if err != nil {
		return fleet.Device{}, fmt.Errorf("record device: %w", err)
	}
	return out, nil
}

const (
	// restAddress and restSeen coalesce writes: a machine that comes and goes, or
	// someone who plays one, must not make a log entry each time.
	restAddress = 10 * time.Second
	restSeen    = time.Minute
)

// refresh returns the device with what the claim adds. worth says whether that
// is worth a write now.
func refresh(d fleet.Device, c fleet.Claim, seen Seen) (out fleet.Device, worth bool) {
	out = d
	out.MACs = slices.Clone(d.MACs)
	fill := func(p *string, v string) {
		if *p == "" && v != "" {
			*p, worth = v, true
		}
	}
	fill(&out.UUID, c.UUID)
	fill(&out.Serial, c.Serial)
	fill(&out.Model, c.Model)
	fill(&out.Manufacturer, c.Manufacturer)
	// Of two machines with one UUID a loader, which tells no serial number, may be
	// taken for the other one, and must not leave its address there.
	unsure := !seen.SignedIn && d.Serial != "" && c.Serial == ""
	for _, m := range c.MACs {
		if unsure || slices.Contains(out.MACs, m) {
			continue
		}
		if len(out.MACs) >= maxMACs {
			if !seen.SignedIn {
				continue // anyone could push out the real ones
			}
			out.MACs = out.MACs[1:]
		}
		out.MACs = append(out.MACs, m)
		worth = true
	}
	age := seen.At.Sub(d.LastSeen)
	if age < -restSeen { // the clock was set back: what was seen last was seen long ago, for all we know
		age = restSeen
	}
	changed := false
	set := func(p *string, v string) {
		if v != "" && *p != v {
			*p, changed = v, true
		}
	}
	set(&out.Architecture, seen.Arch)
	set(&out.Firmware, seen.Firmware)
	if seen.Addr.IsValid() {
		set(&out.Address, seen.Addr.Unmap().String())
	}
	if age > 0 {
		out.LastSeen = seen.At
	}
	return out, worth || changed && age >= restAddress || age >= restSeen
}

// maxNotes bounds the notes of one device; the oldest go.
const maxNotes = 10

func addNote(d *fleet.Device, at time.Time, text string) {
	d.Notes = append(slices.Clone(d.Notes), at.UTC().Format("2006-01-02")+": "+text)
	d.Notes = d.Notes[max(0, len(d.Notes)-maxNotes):]
}
