// Package engine keeps the library of task sequences and the record of
// deployments. It records what devices report and passes on what people order; it
// does not decide what runs next (package tasksequence does, on the device), and
// it speaks no protocol (package api does).
//
// # Where things are kept
//
//   - State: sequences and pinned documents (secret settings sealed), deployments with
//     their variables (secret ones sealed), step results. This is the truth.
//   - Files below <data>/logs/deployments, append-only and capped: log lines
//     (<id>.jsonl) and the history of events (<id>.events.jsonl).
//   - Memory only: progress, when a device was last heard of.
//
// # Glossary
//
//   - Epoch: grows by one each time an agent resumes a deployment. Reports of an
//     older epoch are stale.
//   - Kept: the number of the last event recorded in the present epoch.
//   - Order: what a person wants of the device: cancel, pause, continue. It is
//     repeated in every answer until it is obeyed.
//   - Silent: a device that has not called for a while. Its cancellation takes
//     effect on the record at once.
package engine
