// Package pe reads and writes as much of the PE32+ format ("Microsoft PE and
// COFF", the form of UEFI programs) as boot images need: sections are added to a
// program, and its Authenticode digest and signatures are made and read
// ("Windows Authenticode Portable Executable Signature Format", 2008).
//
// Only programs that a signature covers whole are accepted: headers, then the
// sections without gaps, then at most the signatures. Firmware differs in what it
// hashes where there are gaps.
package pe
