package client

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"slipway/agent/wire"
)

func TestRetryBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, tries, told := time.Now(), 0, 0
		err := Retry(t.Context(), func(error) { told++ }, func(context.Context) error {
			if tries++; tries < 12 {
				return errors.New("no route")
			}
			return nil
		})
		took := time.Since(begin)
		if err != nil || tries != 12 || told != 11 {
			t.Errorf("%d tries, %d told, %v", tries, told, err)
		}
		if took < 5*time.Second || took > 12*30*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestRetryHonoursRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, tries := time.Now(), 0
		err := Retry(t.Context(), nil, func(context.Context) error {
			if tries++; tries == 1 {
				return &Error{Status: 429, RetryAfter: 90 * time.Second}
			}
			return nil
		})
		if took := time.Since(begin); err != nil || took < 90*time.Second {
			t.Errorf("came back after %v, %v", took, err)
		}
	})
}

func TestRetryEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := Retry(ctx, nil, func(context.Context) error { return &Error{Status: 503} }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestBackoffNeverSpins(t *testing.T) {
	b := NewBackoff()
	for i := range 200 {
		if d := b.Next(0); d < b.First/10 || d > b.Longest+b.First {
			t.Fatalf("wait %d is %v", i, d)
		}
	}
}

func TestTokenIsRenewedInGoodTime(t *testing.T) {
	a, o := start(t)
	c := connect(t, o)
	if err := c.SignIn(t.Context(), wire.PasscodeSignIn{Passcode: a.Passcode}); err != nil {
		t.Fatal(err)
	}
	// The clock says that a third of the token's life is left after no time at all.
	c.SetToken(wire.Token{Token: c.Token().Token, ExpiresAt: time.Now()})
	if got := renewWait(c.Token().ExpiresAt, time.Now()); got > 15*time.Second || got < time.Second {
		t.Errorf("waits %v for an expired token", got)
	}
	if got := renewWait(time.Now().Add(3*time.Hour), time.Now()); got < 110*time.Minute || got > 130*time.Minute {
		t.Errorf("waits %v of three hours", got)
	}
}
