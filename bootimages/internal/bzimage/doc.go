// Package bzimage packs the payload of a Linux kernel for x86-64 again, so that it
// unpacks itself faster.
//
// Debian's kernels hold their payload, an ELF file with relocations behind it, as
// one xz block: the branch filter for x86 code and a CRC-32 run over all of it, a
// third of which is the zeros of .bss, which the kernel clears by itself. Here it
// becomes three blocks: the filter runs over .text alone, nothing computes a
// checksum, and the zeros are left out. The result lies where the old payload lay;
// no code is changed.
//
// Sources: Documentation/arch/x86/boot.rst (protocol 2.08 and later),
// arch/x86/boot/compressed/{mkpiggy.c,misc.c} and arch/x86/tools/relocs.c of
// Linux 6.1, and the .xz file format 1.2.0. Whatever is not exactly as described
// there is refused with ErrUnknown: the kernel is then used as it is.
package bzimage
