// Package network brings up the wired adapters of a device and keeps an address
// on each: link up, DHCP (RFC 2131) with renewal for as long as a deployment
// takes, routes and name servers. It also learns the appliance's address from
// the extra offer that the appliance sends to this agent's vendor class.
package network
