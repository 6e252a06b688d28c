// Package pki is the appliance's own certificate authority: it makes the
// installation id and the CA at first start, keeps a server certificate fresh,
// and builds the TLS configuration of the HTTPS listener.
//
// Devices reach the appliance under the fixed TLS name
// "<installation id>.slipway.internal", whatever its address, and trust the CA
// set in their boot image. Under that name alone a client certificate is asked
// for: it is self-signed and proves nothing but the possession of its key, to
// which tokens are bound (RFC 8705 section 2.2); see [Binding]. Browsers use
// other names and are never asked.
//
// The CA's key is sealed before it is stored. The server's key and certificate
// live in memory and are made anew at each start.
//
// # Clocks
//
// An appliance may start with a wrong clock and devices take their time from it.
// So the CA is valid from 1970 on and for 20 years from its making, or from 2026
// when the clock stood before that: no later correction of the clock makes it
// invalid. The server certificate is made anew whenever the clock, wherever it
// went, does not lie well within its validity.
package pki
