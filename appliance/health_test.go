package main

import (
	"net/http"
	"strings"
	"testing"
)

// An interface of the configuration that is not there keeps nothing from starting, but
// the log and the console say that nobody is served on it.
func TestAMissingInterfaceIsTold(t *testing.T) {
	r := startWith(t, t.TempDir(), "interfaces: [nosuch0]\n")
	r.until(r.log, "nobody is served on it until it comes up\" interface=nosuch0")
	const password = "Quartz-Plover 31 moss"
	r.must(password+"\n", "account", "add", "ada", "--role", "administrator")
	if resp, page := r.fetchPage("/", r.consoleCookie("ada", password)); resp.StatusCode != http.StatusOK || !strings.Contains(page, "Nobody is served: not there, or down: nosuch0") || !strings.Contains(page, nextInterface) {
		t.Errorf("the overview answers %d: %s", resp.StatusCode, page)
	}
}
