package backup

import "errors"

// What callers decide on; each is one clear line.
var (
	// ErrPassphrase means that the file does not open with the passphrase.
	ErrPassphrase = errors.New("this is not the recovery passphrase of the backup; nothing was changed")
	// ErrDamaged means that the file was changed or cut.
	ErrDamaged = errors.New("the backup is damaged or incomplete: use another copy of the file; nothing was changed")
	// ErrNotBackup means that the file is something else.
	ErrNotBackup = errors.New("this file is not a backup of Slipway; nothing was changed")
	// ErrNewer means that a newer version wrote the file.
	ErrNewer = errors.New("the backup was written by a newer version of Slipway: restore it with that version; nothing was changed")
	// ErrNoContent means that content is needed and the backup was made without it.
	ErrNoContent = errors.New("the backup holds no bytes of content (it was made without --content): restore it without --content, or use another backup; nothing was changed")
	// ErrNotEmpty means that there is something in the data folder.
	ErrNotEmpty = errors.New("the data folder is not empty: a restore goes into an empty one; move this one away, or choose another")
	// ErrRunning means that an appliance uses the data folder.
	ErrRunning = errors.New("an appliance is running with this data folder: stop it, and restore into an empty folder")
	// ErrUnfinished means that a restore into the data folder was cut short.
	ErrUnfinished = errors.New("a restore into this data folder was cut short: run it again, with: slipway restore FILE")
	// ErrBusy means that another backup is being written, or a restore is under way.
	ErrBusy = errors.New("another backup or restore is under way; wait for its end")
	// ErrWeak means that a recovery passphrase can be guessed.
	ErrWeak = errors.New("the recovery passphrase is too easy to guess")
)
