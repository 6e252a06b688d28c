package auth

import (
	"errors"
	"fmt"
	"time"
)

// What callers decide on. Test with errors.Is.
var (
	// ErrWrong: the passcode, password or code is not the right one, or none is
	// set; which of these is not said (401).
	ErrWrong = errors.New("not accepted")
	// ErrNotAllowed: this mechanism or operation is not allowed here (403).
	ErrNotAllowed = errors.New("not allowed here")
	// ErrNoToken: the bearer token or cookie is missing, malformed or unknown (401).
	ErrNoToken = errors.New("no valid token")
	// ErrExpired: the token or session has expired (401).
	ErrExpired = errors.New("expired, sign in again")
	// ErrBinding: the token belongs to another key than the caller's (401).
	ErrBinding = errors.New("the token is bound to another key")
	// ErrDenied: the person or the provider said no (403).
	ErrDenied = errors.New("the sign-in was denied")
	// ErrRole: the person lacks the role that is asked for (403).
	ErrRole = errors.New("this person has no role that may do this")
	// ErrCodeExpired: the code was not used in time, or is not known (410).
	ErrCodeExpired = errors.New("the code has expired: start again")
	// ErrProvider: the OpenID provider does not answer as it should (503).
	ErrProvider = errors.New("the sign-in provider does not answer")
	// ErrLastAdministrator: the only administrator can be neither removed nor demoted.
	ErrLastAdministrator = errors.New("this is the last administrator: make another one first")
	// ErrLockout: the change would leave no administrator who can sign in.
	ErrLockout = errors.New("this would lock out the administrators")
	// ErrSetupDone: the first account exists already.
	ErrSetupDone = errors.New("this appliance has an account already: sign in")
	// ErrNoHold: no device waits under that code.
	ErrNoHold = errors.New("no device waits under this code")
	// ErrNotFound: no such account, token or session.
	ErrNotFound = errors.New("no such record")
	// ErrExists: an account or token of that name exists.
	ErrExists = errors.New("this name is taken")
)

// ThrottledError says that an attempt was not even looked at (429).
type ThrottledError struct {
	RetryAfter time.Duration // whole seconds, 60 at most
	HoldCode   string        // set when an administrator can let the device try
	Scope      string        // address, device, segment, total, busy
}

func (e *ThrottledError) Error() string {
	s := fmt.Sprintf("too many attempts (%s): try again in %d s", e.Scope, int(e.RetryAfter/time.Second))
	if e.HoldCode != "" {
		s += ", or ask an administrator to release " + e.HoldCode
	}
	return s
}

// PendingError says that a person has not signed in yet (202).
type PendingError struct {
	Interval time.Duration // least time until the next poll
}

func (e *PendingError) Error() string { return "the sign-in is pending" }

// InvalidError says what is wrong with one field of the caller's input (400).
type InvalidError struct {
	Field    string // passcode, name, password, role, environment, ttl
	Detail   string // a sentence that says what to do
	CanForce bool   // the same call with force is accepted
}

func (e *InvalidError) Error() string { return e.Field + ": " + e.Detail }
