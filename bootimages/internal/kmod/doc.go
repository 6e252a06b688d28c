// Package kmod knows Linux kernel modules: what a module says of itself in its
// ELF section .modinfo, which modules it needs, and the text indexes in which
// depmod(8) writes that down (modules.dep, modules.alias, modules.softdep).
//
// It needs no kmod on the machine that builds and changes no module: their
// signatures stay valid under lockdown.
package kmod
