package netboot

import "sync/atomic"

// Counters count what happened since the start. They are safe for concurrent
// use and made for a metrics page.
type Counters struct {
	dhcpReceived, dhcpIgnored, dhcpMalformed, dhcpDropped atomic.Int64
	dhcpOffers, dhcpAcks, dhcpSilent, dhcpErrors          atomic.Int64

	leaseOffers, leaseAcks, leaseNaks, leaseInforms              atomic.Int64
	leaseDeclines, leaseReleases, leaseConflicts, leaseExhausted atomic.Int64
	leaseFailures, leaseForeign                                  atomic.Int64

	raAnswered, raIgnored, raForeign atomic.Int64

	tftpRequests, tftpRefused, tftpDropped, tftpEvicted atomic.Int64
	tftpStarted, tftpCompleted, tftpFailed              atomic.Int64
	tftpActive                                          atomic.Int64

	httpFiles, httpScripts, httpRefused atomic.Int64
}

// Snapshot returns the counters by name. All grow, except tftp_active.
func (c *Counters) Snapshot() map[string]int64 {
	return map[string]int64{
		"dhcp_received":   c.dhcpReceived.Load(),
		"dhcp_ignored":    c.dhcpIgnored.Load(),   // ordinary DHCP, other interfaces
		"dhcp_malformed":  c.dhcpMalformed.Load(), // unreadable, or an unknown architecture
		"dhcp_dropped":    c.dhcpDropped.Load(),   // all workers were busy
		"dhcp_offers":     c.dhcpOffers.Load(),
		"dhcp_acks":       c.dhcpAcks.Load(), // boot server answers
		"dhcp_silent":     c.dhcpSilent.Load(),
		"dhcp_errors":     c.dhcpErrors.Load(),
		"lease_offers":    c.leaseOffers.Load(),
		"lease_acks":      c.leaseAcks.Load(),
		"lease_naks":      c.leaseNaks.Load(),
		"lease_informs":   c.leaseInforms.Load(),
		"lease_declines":  c.leaseDeclines.Load(), // a client found its address in use
		"lease_releases":  c.leaseReleases.Load(),
		"lease_conflicts": c.leaseConflicts.Load(), // we found it in use, before offering it
		"lease_exhausted": c.leaseExhausted.Load(), // no address was left
		"lease_failures":  c.leaseFailures.Load(),  // could not be kept, so was not acknowledged
		"lease_foreign":   c.leaseForeign.Load(),   // answers of other DHCP servers seen
		"ra_answered":     c.raAnswered.Load(),
		"ra_ignored":      c.raIgnored.Load(), // router solicitations of others, or malformed
		"ra_foreign":      c.raForeign.Load(), // advertisements of other routers
		"tftp_requests":   c.tftpRequests.Load(),
		"tftp_refused":    c.tftpRefused.Load(), // malformed, unknown file, write
		"tftp_dropped":    c.tftpDropped.Load(), // no slot or queue full
		"tftp_evicted":    c.tftpEvicted.Load(), // never acknowledged, made room
		"tftp_started":    c.tftpStarted.Load(),
		"tftp_completed":  c.tftpCompleted.Load(),
		"tftp_failed":     c.tftpFailed.Load(),
		"tftp_active":     c.tftpActive.Load(),
		"http_files":      c.httpFiles.Load(),
		"http_scripts":    c.httpScripts.Load(),
		"http_refused":    c.httpRefused.Load(),
	}
}
