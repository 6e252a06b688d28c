package state

import "time"

// Lease is an address that a device was given by the appliance's own DHCP server.
type Lease struct {
	Address  string // dotted
	Client   string // a hardware address, or "id:" and a client identifier in hex
	MAC      string
	Host     string // claimed
	Given    time.Time
	Expires  time.Time
	Declined bool // in use by somebody else; not given out before Expires
}

// Leases is the table of leases, under their address.
func (tx *Tx) Leases() Table[Lease] { return Table[Lease]{tx, &leasesKind} }

var leasesKind = define("leases",
	func(v Lease) string { return v.Address },
	func(v Lease) leaseRecord {
		return leaseRecord{Address: v.Address, Client: v.Client, MAC: v.MAC, Host: v.Host,
			Given: v.Given.UTC(), Expires: v.Expires.UTC(), Declined: v.Declined}
	},
	func(r leaseRecord) Lease { return Lease(r) })

type leaseRecord struct {
	Address  string    `json:"address"`
	Client   string    `json:"client,omitempty"`
	MAC      string    `json:"mac,omitempty"`
	Host     string    `json:"host,omitempty"`
	Given    time.Time `json:"given,omitzero"`
	Expires  time.Time `json:"expires,omitzero"`
	Declined bool      `json:"declined,omitempty"`
}
