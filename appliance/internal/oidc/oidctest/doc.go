// Package oidctest runs a real OpenID provider for tests: the one of
// github.com/zitadel/oidc with the storage and pages of its example. Pending,
// slow_down, denied and expired are its own answers; this package only plays the
// person at the phone, and the provider's administrator. Nothing but tests may
// import it.
package oidctest
