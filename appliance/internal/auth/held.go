package auth

import (
	"context"

	"slipway/fleet"
)

// Held lists the devices that a shared cap holds back, oldest first. The code is
// what stands on the device's screen; everything else is as claimed.
func (s *Service) Held(ctx context.Context) ([]fleet.Held, error) {
	return s.throttle.held(), ctx.Err()
}

// Release lets the device with that code try five times within ten minutes.
// ErrNoHold when nothing waits under it.
func (s *Service) Release(ctx context.Context, actor Actor, code string) error {
	subject, found := s.throttle.release(code)
	if !found {
		return ErrNoHold
	}
	s.note(ctx, fleet.AuditEntry{
		Actor: actor.Name, Action: "hold.released", Object: subject.addr.String(),
		Device: subject.device, Address: actor.Address, Outcome: "ok",
	})
	s.tellHeld()
	return nil
}
