// Package netboot answers machines that boot from the network: it offers a
// loader beside an existing DHCP server (proxyDHCP), hands the loader out by
// TFTP or HTTP, generates the loader's boot script per device and serves the
// files of boot images. It knows protocols and firmware, and nothing of
// accounts, sequences or records: what a device boots is asked of a Policy.
//
// It hands out addresses only in networks that are configured for it (Subnet);
// everywhere else it is a proxy beside another DHCP server. Everything it sends is public by nature, so
// no secret may pass through it; everything a client says is a claim.
//
// # Glossary
//
//   - Firmware: the code that asks for a loader (BIOS PXE, UEFI PXE, UEFI HTTP Boot).
//   - Loader: our iPXE (undionly.kpxe, snponly.efi), told apart from firmware by
//     its DHCP user class.
//   - Lease: an address that a client may use for a time; Pool: who has which.
//   - Foreign: a DHCP server that is not us, where we hand out leases.
//   - Offer: a DHCPOFFER without an address (yiaddr 0) that names a boot file.
//   - Boot server: port 4011, which some firmware insists on asking after an
//     offer (PXE 2.1, section 2.2).
//   - Boot script: the iPXE script below /boot/script/, made for one device.
//   - Inert answer: an IPv6 router advertisement that gives nobody a route or an
//     address, for booting machines that wait for one (RAConfig).
//   - Relay, giaddr: a router that forwards DHCP from another segment.
//   - Transfer: one TFTP read; it takes a slot while it runs.
package netboot
