// Package imaging moves images between content and disks as streams: root file
// systems (tar) into a folder, raw disk images onto a disk, and a folder into a tar
// archive. Nothing is copied in between, and memory stays bounded.
//
// What comes from an archive is not trusted: no entry leaves the folder, and what
// is too large is refused before it fills the disk. Errors name the entry.
package imaging
