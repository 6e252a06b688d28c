package ui

import (
	"context"
	"time"

	"slipway/fleet"
	"slipway/tasksequence"
)

// Sequences is the library of task sequences. Whatever it answers shows *** for
// secret settings; *** that comes back stands for the value there is.
type Sequences interface {
	// List returns every version of every sequence.
	List(ctx context.Context) ([]fleet.Sequence, error)
	Get(ctx context.Context, id string, version int) (fleet.Sequence, error)
	// Import stores a document (JSON or YAML) as a new version. *FieldError
	// ("file") says what is wrong and where; several lines are allowed.
	Import(ctx context.Context, by Actor, document []byte) (fleet.Sequence, error)
	// Export returns the document as "json" or "yaml".
	Export(ctx context.Context, id string, version int, format string) ([]byte, error)

	// Definitions are the kinds of steps: the built-in ones in the order in which an
	// editor offers them, then the administrator's own, every version of each.
	Definitions(ctx context.Context) ([]tasksequence.Definition, error)
	// Templates are sequences to begin with.
	Templates(ctx context.Context) ([]Template, error)
	// Check reports everything that is wrong with a document that saving would refuse,
	// and what is only a warning. origin is as in SaveRequest.
	Check(ctx context.Context, document []byte, origin tasksequence.Reference) (tasksequence.Problems, error)
	// Save stores what was edited. tasksequence.Problems when the document is not
	// right; *Conflict when the library does not hold what the request expects.
	Save(ctx context.Context, by Actor, r SaveRequest) (fleet.Sequence, error)
	// SetStatus publishes ("active") or deprecates ("deprecated") a version. *Refused,
	// tasksequence.Problems.
	SetStatus(ctx context.Context, by Actor, id string, version int, status string) (fleet.Sequence, error)
}

// SaveRequest is a document with what the library held when the work began.
type SaveRequest struct {
	Document []byte // version 0: a new version
	// Origin is the version, of this or another sequence, whose secrets *** stands
	// for; zero: none.
	Origin    tasksequence.Reference
	Newest    int       // the sequence's highest version, 0 when there was none
	ChangedAt time.Time // of the version that the document replaces
}

// Template is a sequence to begin with.
type Template struct {
	ID, Name, Description string
	Sequence              tasksequence.Sequence // without id and version
}

// Drafts keeps what people are editing, each for one account: it survives restarts,
// and nobody else is shown it. A draft may hold secrets: it is not kept in clear.
type Drafts interface {
	// Get returns a draft; ErrNotFound.
	Get(ctx context.Context, account, sequence string) ([]byte, error)
	// Put keeps a draft in the place of the one before.
	Put(ctx context.Context, account, sequence string, draft []byte) error
	// Remove forgets a draft; one that is not there is no error.
	Remove(ctx context.Context, account, sequence string) error
	// List returns the account's drafts by sequence.
	List(ctx context.Context, account string) (map[string][]byte, error)
}
