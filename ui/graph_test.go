package ui

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

func TestGraphSettings(t *testing.T) {
	f := newFake(time.Now)
	f.addAccount("administrator", "correct horse", fleet.RoleAdministrator)
	v := signedIn(t, newConsole(t, f), fleet.RoleAdministrator)
	has := func(body string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(body, w) {
				t.Errorf("the page lacks %q", w)
			}
		}
	}
	has(v.get(graphPage).Body.String(), "Not set up", "DeviceManagementServiceConfig.ReadWrite.All", "grant consent")
	res := v.post(graphPage, map[string]string{"tenant": "contoso", "client_id": "typed", "client_secret": "s3cret"})
	if body := res.Body.String(); res.Code != http.StatusUnprocessableEntity || strings.Contains(body, "s3cret") {
		t.Errorf("%d, or the secret is shown", res.Code)
	}
	has(res.Body.String(), "Use the id.", `value="typed"`)
	if res := v.post(graphPage, map[string]string{"tenant": "t", "client_id": "c", "client_secret": "s3cret", "authority": "", "endpoint": ""}); res.Code != http.StatusSeeOther {
		t.Fatalf("%d", res.Code)
	}
	if body := v.get(graphPage).Body.String(); strings.Contains(body, "s3cret") {
		t.Error("the secret is shown")
	}
	has(v.get(graphPage).Body.String(), "Set up")
	res = v.post(graphPage+"/test", map[string]string{"tenant": "other", "client_secret": ""})
	has(res.Body.String(), "The test went well", "not saved yet", `value="other"`)
	if f.graph["tenant"] != "t" || f.graph["client_secret"] != "s3cret" {
		t.Errorf("a test changed something, or an empty secret took it away: %v", f.graph)
	}
	v.get(graphPage)
	v.post(graphPage, map[string]string{"client_secret": "", "client_secret:remove": "yes"})
	if f.graph["client_secret"] != "" {
		t.Error("the secret was not removed")
	}
	v.get(graphPage)
	v.postFiles(graphPage, nil, map[string][]byte{"certificate:file": []byte("-----BEGIN CERTIFICATE-----")})
	if f.graph["certificate"] != "-----BEGIN CERTIFICATE-----" {
		t.Errorf("the file came as %q", f.graph["certificate"])
	}
	has(v.get(graphPage).Body.String(), "Set, thumbprint 4F1C")
	if res := v.postFiles(graphPage, nil, map[string][]byte{"certificate:file": {0x30, 0x82, 0xff, 0xfe}}); res.Code != http.StatusUnprocessableEntity || !strings.Contains(res.Body.String(), "openssl pkcs12") {
		t.Errorf("a binary file: %d", res.Code)
	}
}
