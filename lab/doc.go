// Package lab builds a private network out of Linux network namespaces and puts
// real machines into it: an ordinary DHCP server, the appliance, and QEMU guests
// that boot from it. `make lab` and the boot tests share it.
//
// Nothing of the host's own network is touched: every link, bridge and address
// lives in namespaces that this package makes, and none of them has an uplink.
// Every name holds the id and start time of the process that made it, so two
// labs run side by side and what a killed one left behind is recognised.
//
// It is not a test framework: it starts, watches, types and cleans up; what must
// hold is said by the tests in lab/boottest.
//
// Linux only, root only (namespaces, taps).
package lab
