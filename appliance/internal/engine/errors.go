package engine

import (
	"errors"
	"fmt"
)

// What callers decide on. Test with errors.Is.
var (
	// ErrNotFound: there is no such deployment or sequence, or the caller may not
	// know of it.
	ErrNotFound = errors.New("not found")
	// ErrForbidden: the token does not allow this.
	ErrForbidden = errors.New("this token does not allow it")
	// ErrSignedOut: the token was revoked, or its deployment has ended.
	ErrSignedOut = errors.New("this token is no good any more: sign in again")
	// ErrStale: the report belongs to an older epoch; the device must reload.
	ErrStale = errors.New("an older run of the agent reports; resume the deployment")
	// ErrDifferent: a number was sent again with a different content, or a finished
	// step was reported anew; the device must reload.
	ErrDifferent = errors.New("it was reported before with a different content; resume the deployment")
	// ErrEnded: the deployment has ended.
	ErrEnded = errors.New("the deployment has ended")
	// ErrUnfinished: the device has an unfinished deployment.
	ErrUnfinished = errors.New("the device has an unfinished deployment: continue or cancel it first")
	// ErrNotActive: the sequence version may not be run by this device.
	ErrNotActive = errors.New("there is no active version of this task sequence for this device")
	// ErrImmutable: a version that was published cannot be changed.
	ErrImmutable = errors.New("a version that is there cannot be changed: import it without a version number to get a new one")
	// ErrTooLarge: a report or a sequence exceeds a limit.
	ErrTooLarge = errors.New("too large")
)

// FieldError says which field of a request is wrong.
type FieldError struct {
	Field  string // as in the JSON body
	Detail string
}

func (e *FieldError) Error() string { return fmt.Sprintf("%s: %s", e.Field, e.Detail) }

// UnfinishedError is ErrUnfinished with the deployment that stands in the way.
type UnfinishedError struct{ Deployment, Name string }

func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("%v (%q, %s)", ErrUnfinished, e.Name, e.Deployment)
}

// Is makes errors.Is(err, ErrUnfinished) hold.
func (e *UnfinishedError) Is(target error) bool { return target == ErrUnfinished }
