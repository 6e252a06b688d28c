// Package deb reads Debian binary packages: the ar container, its control and
// data archives, the control file's fields, and the order of versions.
//
// It reads only. It runs no program and never writes to the file system, so a
// hostile package can at worst be refused.
package deb
