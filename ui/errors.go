package ui

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Errors a backend returns for the console to tell apart. Anything else becomes
// "Something went wrong" with the request id, and is logged once.
var (
	// ErrNotFound: the named thing does not exist (404).
	ErrNotFound = errors.New("not found")
	// ErrSignedOut: the cookie belongs to no live session.
	ErrSignedOut = errors.New("signed out")
	// ErrWrong: wrong name, password or setup code; which of them is not said.
	ErrWrong = errors.New("not accepted")
	// ErrDenied: the person or the provider said no at the provider (403).
	ErrDenied = errors.New("the sign-in was denied")
	// ErrRole: the person has no role here (403).
	ErrRole = errors.New("no role here")
	// ErrLate: the sign-in at the provider took too long, or is not known (410).
	ErrLate = errors.New("started too long ago")
	// ErrUnavailable: the provider does not answer as it should (503).
	ErrUnavailable = errors.New("the provider does not answer")
	// ErrReadOnly: the appliance cannot store changes now, e.g. the disk is full (507).
	ErrReadOnly = errors.New("changes cannot be stored now")
)

// FieldError says that one field of a form was not accepted. Detail is shown
// beside the field: a sentence that says what to do.
type FieldError struct {
	Field  string // name of the form field: "passcode", "name", "password", "file", ...
	Detail string
	// CanForce: sending the form again with the box "Use it anyway" ticked is accepted.
	CanForce bool
}

// Error names the field and the reason.
func (e *FieldError) Error() string { return e.Field + ": " + e.Detail }

// FieldErrors is everything that was not accepted in a form with many fields.
type FieldErrors []*FieldError

// Error joins the errors.
func (e FieldErrors) Error() string {
	words := make([]string, len(e))
	for i, x := range e {
		words[i] = x.Error()
	}
	return strings.Join(words, "; ")
}

// Confirm says that a change opens the appliance, and what it means.
type Confirm struct {
	Field string // name of the setting
	Text  string // shown as it is
}

// Error is the text.
func (e *Confirm) Error() string { return e.Text }

// Throttled says that the attempt was not looked at, and when one will be.
type Throttled struct{ RetryAfter time.Duration }

// Error says how long to wait.
func (e *Throttled) Error() string { return "too many attempts; wait " + e.RetryAfter.String() }

// Refused says why something cannot be done now (409): "This deployment has
// already ended." Reason is shown as it is.
type Refused struct{ Reason string }

// Error is the reason.
func (e *Refused) Error() string { return e.Reason }

// Conflict says that somebody else saved the same thing meanwhile (409).
type Conflict struct {
	Version   int // what stands there now
	Status    string
	ChangedAt time.Time
}

// Error names the version.
func (e *Conflict) Error() string {
	return "version " + strconv.Itoa(e.Version) + " was saved by somebody else meanwhile"
}
