// Package audit keeps the append-only record of who did what: numbered entries
// as JSON lines in files "audit-<seq>.jsonl" of one folder.
//
// # What is promised
//
//   - An entry with outcome "ok" is on the disk (fsync) before Write returns;
//     simultaneous writers share one fsync. Refused attempts and errors, which
//     strangers can cause at will, are synced within [Options.SyncEvery].
//   - Numbers rise by one and are never used twice. What a crash left half
//     written is removed at Open, and an entry says so.
//   - The log never grows beyond [Options.TotalBytes]: the oldest file goes, and
//     an entry says which numbers went with it.
//   - A stranger can neither fill the disk nor push older entries out quickly:
//     failures that repeat are merged into one entry per window (Count, First),
//     and all refusals together draw on a budget ([Options.Burst],
//     [Options.Refill]); beyond it they are counted without address and device.
//   - When the disk is full, Write fails, the missing entry is counted, and the
//     log goes on by itself once there is room, beginning with an entry that
//     tells the count. The file being written has its space allocated ahead, so
//     that a disk filled by others is not the log's end.
//   - Control characters, line separators and text direction overrides in any
//     field are written as visible escapes: no entry can pass for another one in
//     a terminal or a list.
//
// [Log.Recent] and [Log.Newer] page through the log both ways, [Log.Export] streams
// all of it, and a [Reader] follows it from any entry on, seeing nothing that a
// power loss could still take back.
//
// What it is not: a log of requests or of deployments. No field ever holds a
// secret; callers see to that.
package audit
