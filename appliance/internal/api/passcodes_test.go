package api

import (
	"fmt"
	"net/http"
	"testing"

	"slipway/appliance/internal/auth"
	"slipway/appliance/internal/engine"
)

// A device signs in again at 401 only.
func TestATokenThatIsNoGoodAnswers401(t *testing.T) {
	for _, err := range []error{auth.ErrNoToken, auth.ErrExpired, auth.ErrBinding, engine.ErrSignedOut, fmt.Errorf("wrapped: %w", engine.ErrSignedOut)} {
		if p := serviceProblem(err); p == nil || p.Status != http.StatusUnauthorized {
			t.Errorf("%v answers %+v", err, p)
		}
	}
	if p := serviceProblem(engine.ErrForbidden); p == nil || p.Status != http.StatusForbidden {
		t.Errorf("outside the scope answers %+v", p)
	}
}
