// Package auth decides who may do what: it checks passcodes and passwords, holds
// guessers back, and gives out and checks tokens and sessions.
//
// # Rules
//
//   - Secrets are kept as hashes only: passcodes and passwords as argon2id, tokens,
//     cookies and the setup code, which are random, as SHA-256. None is ever logged.
//   - At most two argon2id runs at a time over all kinds of sign-in, one for each
//     attempt, also when there is nothing to compare with: an unknown account, a
//     wrong passcode and no passcode at all take the same time.
//   - The throttle is asked before any hashing. Only failures count. What one
//     caller did holds back its address; what a neighbour may have done leads to
//     the waiting list, from where an administrator lets a device try ([Service.Release]).
//     Tokens are never throttled, the console has counters of its own.
//   - What a device says of itself is a claim: it never gives a right, and counts
//     against the claimed device only within the caller's own network segment.
//   - Every attempt becomes an audit entry, refused ones merged by package audit.
//
// # Actions in the audit log
//
// passcode.accepted, passcode.refused, passcode.set, passcode.cleared,
// passcode.removed, hold.released, token.refused, token.added, token.revoked, account.signed-in,
// account.refused, account.signed-out, account.added, account.removed,
// account.role, account.password, setup.done, setup.refused.
//
// What it is not: it knows no HTTP. Package api maps its errors to answers.
package auth
