package state

import "errors"

// What callers decide on. Test with errors.Is.
var (
	// ErrNotFound means that there is no record under that key.
	ErrNotFound = errors.New("no such record")
	// ErrReadOnly means that a View tried to write.
	ErrReadOnly = errors.New("this transaction may only read")
	// ErrFull means that the disk has no room for another write. Reads go on, and
	// writes work again by themselves once there is space.
	ErrFull = errors.New("the disk is full: free some space in the data folder, writes resume by themselves")
	// ErrConflict means that other writes kept changing the same records; the
	// transaction was tried many times and nothing of it was written.
	ErrConflict = errors.New("other writes kept changing the same records, try again")
	// ErrTooLarge means that a key, a record or a transaction exceeds its limit.
	ErrTooLarge = errors.New("too large for the state")
	// ErrClosed means that the store was closed.
	ErrClosed = errors.New("the state is closed")
	// ErrUnknown means that the caller's context ended before the outcome of a
	// proposed write was known: it may or may not have been written. UpdateOnce with
	// the same key settles it.
	ErrUnknown = errors.New("the outcome of the write is not known yet")
	// ErrNotReady means that the store cannot take writes at this moment, e.g.
	// because no leader is elected yet.
	ErrNotReady = errors.New("the state is not ready for writes yet, try again")
	// ErrNewer means that the folder was written by a newer version of Slipway.
	ErrNewer = errors.New("written by a newer version of Slipway: install that version again, or restore a backup made by this one")
	// ErrDamaged means that acknowledged data cannot be read back.
	ErrDamaged = errors.New("the state is damaged")
	// ErrLocked means that another process uses the folder.
	ErrLocked = errors.New("another slipway is running with this data folder")
	// ErrNotEmpty means that a restore found a folder with something in it.
	ErrNotEmpty = errors.New("the folder is not empty: a restore goes into an empty one, move this one away first")
	// ErrEnded means that a Tx was used after its closure had returned.
	ErrEnded = errors.New("the transaction has ended")
)
