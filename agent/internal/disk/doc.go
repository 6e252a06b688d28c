// Package disk knows the disks of a device: it lists them, chooses one by rule,
// plans partitions and carries plans out.
//
// The planner (Plan) is pure: what is wanted, the disk's size and the firmware in,
// partitions out. Tools only carry it out, and what was written is read back.
//
// Words: a disk is a whole block device; a layout is a partition table with the
// file systems on it; a role says what a partition is for; the stable id of a disk
// (Disk.ID) survives restarts, its path does not.
package disk
