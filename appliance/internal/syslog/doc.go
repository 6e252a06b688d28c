// Package syslog forwards the audit log to a collector as RFC 5424 messages: one
// datagram each over UDP (RFC 5426), with octet counting over TCP (RFC 6587 section
// 3.4.1) and over TLS (RFC 5425).
//
// # What is promised
//
// The forwarder reads the log's own files behind a cursor that it keeps in a file,
// so auditing never waits for it, and neither restarts nor outages of the collector
// lose an entry that the log still holds. Over TCP and TLS every entry arrives at
// least once: it counts as forwarded when the collector's machine has acknowledged
// its bytes and the connection has lived on for a moment; until then a broken
// connection sends it again. The number of the entry (n) tells repetitions. Over
// UDP nobody acknowledges anything: what the network or the collector drops is lost,
// except that a machine that answers "port unreachable" is noticed.
//
// # The message
//
//	<110>1 2026-11-21T08:30:00.125Z host slipway - passcode.set [slipway@32473 n="12" ...] BOM text
//
// The facility is 13 (log audit), the severity 6 (informational) for what was done,
// 4 (warning) for what was refused and 3 (error) for what failed. MSGID is the action,
// as far as its 32 ASCII characters reach. All fields are parameters of one
// structured data element; the text says the same for people.
//
// The element's name needs a private enterprise number (RFC 5424 section 7.2.2), and
// this project has none: 32473 is the one set aside for examples (RFC 5612), which
// can collide with nobody's.
package syslog
