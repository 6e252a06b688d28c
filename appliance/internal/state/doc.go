// Package state keeps what the appliance must not forget: devices, deployments,
// sequences, accounts, tokens and the like. Its tables live in memory (go-memdb)
// and are the state machine of a replicated log (hashicorp/raft over raft-wal), so
// that a record that was acknowledged survives a crash. A folder of one member
// talks to itself in-process; the same folder can be opened with a network
// transport later.
//
// It is not the place for what changes many times a second (progress), for blobs,
// for log lines or for the audit log: those live in memory or in files.
//
// # How a write goes
//
// Update runs its closure against a private copy of the tables. The closure
// computes record changes; nothing else happens yet. The changes, each with the
// version it expects, and what the closure had looked at become one log entry.
// When the log holds the entry on disk, Apply compares versions and either writes
// every change or none. A conflict runs the closure again on newer data. So
// closures may overlap, must be free of side effects, and see a frozen, consistent
// state (their own writes included).
//
// # Glossary
//
//   - Record: one row as stored, a format number and JSON. Record types are private
//     to this package, one per table; callers see the types of package fleet.
//   - Version: the log index of the entry that last wrote a record. 0 means absent.
//   - Change: table, key, expected version, and the record or its removal.
//   - Check: something a transaction has read and that must still hold.
//   - Entry: format number, idempotency key, checks and changes. One log entry.
//   - Idempotency key: names a write, so that its outcome can be asked for after a
//     timeout, and so that the same request sent twice is done once.
//
// # Files in the folder
//
//   - lock: held (flock) by the running process, with its pid.
//   - meta: two slots with the segment list, term, vote and server id (see metaFile).
//   - *.wal: log segments, preallocated.
//   - snapshots/: the newest two snapshots. The log reaches back to the older one.
//   - reserve: space kept for the log itself when everything else filled the disk.
package state
