// Package ui is the web console: pages, templates and static assets, served as
// one http.Handler. It asks everything from the small interfaces in backend.go,
// which the appliance implements; it keeps no state of its own beyond the short
// memory of recent changes that lets a browser resume its live stream.
//
// What it is not: it decides no right beyond the role each route states, checks
// no password, and never sees a stored secret.
package ui
