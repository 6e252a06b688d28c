// Package client speaks /api/v1 with the appliance: it trusts only the CA set
// pinned in the boot image, under the installation's fixed name whatever the
// address, and proves with its own key that a token is its own (RFC 8705).
package client
