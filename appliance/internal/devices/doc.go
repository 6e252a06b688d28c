// Package devices recognises machines and keeps what is known of them: which
// device a claim belongs to, what it is called, which sequence it is assigned
// and what it boots. Who a device is says nothing about what it may do: every
// part of a claim can be made up.
//
// # Recognition
//
// By SMBIOS UUID, unless it is unusable (see UsableUUID); then by serial number
// and model together; then by MAC address, except those marked as shared. A
// claim that fits none becomes a new device, and so does one that fits several
// or contradicts the one it fits: that is noted on the new device, and an
// administrator may merge the two.
//
// # Byte order of UUIDs
//
// SMBIOS keeps the first three groups of the UUID little-endian (since 2.6).
// Linux (/sys/class/dmi/id/product_uuid), dmidecode and iPXE's ${uuid} print
// them swapped into reading order; DHCP option 97 carries the raw field. Package
// netboot swaps option 97, so everything here is in the form that Linux prints,
// in lower case. On machines with an SMBIOS older than 2.6 Linux and iPXE do not
// swap, while option 97 of some ROMs cannot be told apart: such a machine may
// look unknown to the DHCP server until its loader asks for the script.
package devices
