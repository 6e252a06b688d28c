package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"slipway/agent/wire"
	"slipway/appliance/internal/api"
	"slipway/bootimages/bootimagetest"
)

// An agent in an installed Windows is told the Windows PE image, gets its files over
// HTTPS with ranges, and a token for its own key; nobody else gets any of it so.
func TestWindowsPEForTheDiskOverTheWire(t *testing.T) {
	r := start(t, t.TempDir())
	winpeSource(t, bootimagetest.WindowsSource{})
	r.must("slipway-lab\n", "passcode", "set")
	r.must(`{"id":"plain","name":"plain","status":"active","steps":[{"id":"s","name":"S","definition":"set-variable","settings":{"VariableName":"A","VariableValue":"b"}}]}`, "sequence", "import", "-")
	const restarts = `{"id":"restarts","name":"restarts","status":"active","steps":[{"id":"s","name":"S","definition":"reboot"}]}`
	r.must(restarts, "sequence", "import", "-")
	var token struct{ Token string }
	if err := json.Unmarshal([]byte(r.must("", "token", "add", "ci", "--role", "viewer", "--json")), &token); err != nil {
		t.Fatal(err)
	}
	warns := func(document string) bool {
		t.Helper()
		var out json.RawMessage
		if code := r.request(insecure(nil, ""), "POST", "/api/v1/admin/sequences/validation", token.Token, json.RawMessage(document), &out); code != http.StatusOK {
			t.Errorf("validation answers %d", code)
		}
		return strings.Contains(string(out), "from its own disk: no Windows PE image") && strings.Contains(string(out), `"warning":true`)
	}
	format := strings.Replace(restarts, `"steps":[`, `"steps":[{"id":"f","name":"F","definition":"format-disk"},`, 1) // begins in a boot image only
	if !warns(restarts) || warns(format) {
		t.Errorf("without an image it is warned: %t, of a sequence that begins in a boot image: %t", warns(restarts), warns(format))
	}
	begin := func(serial, sequence string) (*booted, wire.Deployment) {
		t.Helper()
		b := r.boot(wire.Device{Serial: serial, Model: "T1"})
		if code := b.signIn("slipway-lab"); code != http.StatusOK {
			t.Fatalf("sign-in answers %d", code)
		}
		var d wire.Deployment
		if code := b.call("POST", "/deployments", wire.StartDeployment{Key: serial, Sequence: sequence, Environment: wire.FullOS}, &d); code != http.StatusCreated {
			t.Fatalf("start answers %d", code)
		}
		return b, d
	}
	ask := func(b *booted, d wire.Deployment, in wire.WinPERequest) (int, wire.WinPEImage, wire.Problem) {
		t.Helper()
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var answer json.RawMessage
		code := b.send("POST", "/deployments/"+d.ID+"/winpe", body, &answer)
		var image wire.WinPEImage
		var problem wire.Problem
		_, _ = json.Unmarshal(answer, &image), json.Unmarshal(answer, &problem)
		return code, image, problem
	}
	x64 := wire.WinPERequest{Format: 1, Architecture: "x64"}
	b, d := begin("PC-1", "restarts")
	if code, _, problem := ask(b, d, x64); code != http.StatusNotFound || !strings.Contains(problem.Detail, "No Windows PE image for x64 is served") {
		t.Errorf("without an image: %d, %+v", code, problem)
	}
	r.must("", "image", "build", "winpe", "--source", "boot.wim")
	if warns(restarts) {
		t.Error("with an image it is warned")
	}
	plain, other := begin("PC-2", "plain")
	for what, is := range map[string]struct {
		b    *booted
		d    wire.Deployment
		in   wire.WinPERequest
		want int
	}{
		"a sequence without restart":   {plain, other, x64, http.StatusForbidden},
		"another device's deployment":  {plain, d, x64, http.StatusNotFound},
		"an unknown format":            {b, d, wire.WinPERequest{Format: 2, Architecture: "x64"}, http.StatusUnprocessableEntity},
		"an architecture without one":  {b, d, wire.WinPERequest{Format: 1, Architecture: "arm64"}, http.StatusNotFound},
		"an architecture that is none": {b, d, wire.WinPERequest{Format: 1, Architecture: "../x"}, http.StatusUnprocessableEntity},
		"a binding that is none":       {b, d, wire.WinPERequest{Format: 1, Architecture: "x64", Binding: "x"}, http.StatusForbidden},
	} {
		if code, image, _ := ask(is.b, is.d, is.in); code != is.want || len(image.Files) > 0 || image.Token != nil {
			t.Errorf("%s answers %d, %+v", what, code, image)
		}
	}
	code, image, problem := ask(b, d, x64)
	if code != http.StatusOK || image.Format != 1 || len(image.Files) != 2 || image.Token != nil || image.Lacks["powershell"] != "PowerShell" || image.Lacks["wmi"] != "" {
		t.Fatalf("%d, %+v, %+v", code, image, problem)
	}
	var list api.Images
	if err := json.Unmarshal([]byte(r.must("", "image", "list", "--json")), &list); err != nil || list.Images[0].ID != image.Image {
		t.Errorf("%+v, %v", list, err)
	}
	for _, f := range image.Files {
		get := func(path, ranges string) (int, []byte) {
			t.Helper()
			req, err := http.NewRequest("GET", "https://"+r.https+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Range", ranges)
			req.Header.Set("If-Match", `"`+f.SHA256+`"`)
			resp, err := b.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return resp.StatusCode, body
		}
		if code, body := get(f.Path, "bytes=5-"); code != http.StatusPartialContent || int64(len(body)) != f.Size-5 {
			t.Errorf("%s: %d, %d bytes", f.Path, code, len(body))
		}
		if code, body := get("/boot/script/020000000077", "bytes=0-"); code == http.StatusOK && strings.Contains(string(body), "#!ipxe") {
			t.Error("boot scripts are served over HTTPS")
		}
	}
	mine := deviceCertificate(t)
	sum := sha256.Sum256(mine.Certificate[0])
	if code, image, problem = ask(b, d, wire.WinPERequest{Format: 1, Architecture: "x64", Binding: hex.EncodeToString(sum[:])}); code != http.StatusOK || image.Token == nil {
		t.Fatalf("with a binding: %d, %+v", code, problem)
	}
	pe := &booted{running: r, client: insecure(mine, wire.ServerName(installationOf(t, r))), device: b.device, token: image.Token.Token}
	if code := pe.call("POST", "/deployments/"+d.ID+"/resume", wire.ResumeDeployment{Environment: wire.WinPE}, &d); code != http.StatusOK {
		t.Errorf("going on with the second token answers %d", code)
	}
	stolen := &booted{running: r, client: b.client, device: b.device, token: image.Token.Token}
	if code := stolen.call("GET", "/deployments/"+d.ID, nil, nil); code != http.StatusUnauthorized {
		t.Errorf("the second token with the first key answers %d", code)
	}
	if strings.Contains(r.log.String(), image.Token.Token) || !slices.ContainsFunc(strings.Split(r.must("", "audit", "list"), "\n"), func(l string) bool { return strings.Contains(l, "token.delegated") }) {
		t.Error("the token is in the log, or the audit log does not tell of it")
	}
}
