// Package view draws the console's pages. It is given everything it shows: it
// asks no backend, reads no clock and knows no HTTP. Pages are templ components,
// one file each; the generated Go files are committed.
package view

import (
	"net/url"
	"time"

	"slipway/fleet"
)

// Page is what every page shows around its own content.
type Page struct {
	Title    string
	Area     string // the navigation entry it belongs to: "devices", "security", ...
	Account  fleet.Account
	CSRF     string
	Theme    string // light, dark, or empty for the system's choice
	Base     string // folder of the static assets, with its hash
	Path     string // of this request
	Topics   string // what the page wants from the live stream, comma separated
	Since    string // position in the live stream when the page was drawn
	Now      time.Time
	Notice   string   // what was just done
	Warnings []string // stand on every page while settings are as they are
	Running  int      // deployments running now
	Version  string
}

// May reports whether the signed-in account has at least that role.
func (p Page) May(role fleet.Role) bool { return p.Account.Role.Includes(role) }

// The addresses of things. Ids come from outside: every one is escaped here.

// DeviceURL is the page of a device.
func DeviceURL(id string) string { return "/devices/" + url.PathEscape(id) }

// DeploymentURL is the page of a deployment.
func DeploymentURL(id string) string { return "/deployments/" + url.PathEscape(id) }

// AccountURL is the page of an account.
func AccountURL(name string) string { return "/admin/accounts/" + url.PathEscape(name) }

// SequenceURL is the read-only page of one version; version 0 is the newest.
func SequenceURL(id string, version int) string {
	u := "/sequences/" + url.PathEscape(id)
	if version > 0 {
		u += "?version=" + itoa(version)
	}
	return u
}

// ExportURL downloads a sequence version.
func ExportURL(id string, version int, format string) string {
	q := url.Values{"version": {itoa(version)}, "format": {format}}
	return "/sequences/" + url.PathEscape(id) + "/export?" + q.Encode()
}
