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
// # Rotation
//
// [Rotation] replaces the CA. The record of the installation holds the CA set; its
// first member signs. A new CA is appended behind it and is pending: it goes into
// every image built from then on. Once every served image carries it, and no
// deployment is under way on an image without it, it moves to the front and
// signs; the one before stays in the set, as old, until it is retired. Which of
// two members is the newer one is told by the time of their making, which a
// rotation makes strictly rise whatever the clock says. Every change is one
// transaction on that record, which also looks at the images it depends on, so
// that a crash leaves either the state before it or the one after it.
//
// # Clocks
//
// An appliance may start with a wrong clock and devices take their time from it.
// So the CA is valid from 1970 on and for 20 years from its making, or from 2026
// when the clock stood before that: no later correction of the clock makes it
// invalid. The server certificate is made anew whenever the clock, wherever it
// went, does not lie well within its validity.
package pki
