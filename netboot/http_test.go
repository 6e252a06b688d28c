package netboot

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
)

const imageID = "0123456789abcdef0123456789abcdef"

// bootSite is a running HTTP boot server.
type bootSite struct {
	*httptest.Server
	t      *testing.T
	policy *fakePolicy
	kernel []byte
}

func startHTTP(t *testing.T) *bootSite {
	t.Helper()
	boot := t.TempDir()
	kernel := []byte(strings.Repeat("kernel", 10_000))
	write(t, filepath.Join(boot, imageID, "vmlinuz"), kernel)
	write(t, filepath.Join(boot, imageID, ".hidden"), []byte("secret"))
	write(t, filepath.Join(boot, "loaders", "snponly.efi"), []byte("MZ loader"))
	write(t, filepath.Join(filepath.Dir(boot), "outside"), []byte("secret"))
	p := &fakePolicy{}
	s, err := New(Config{Policy: p, Images: NewDir(boot), Loaders: NewDir(filepath.Join(boot, "loaders"))})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s.Handler())
	t.Cleanup(h.Close)
	return &bootSite{Server: h, t: t, policy: p, kernel: kernel}
}

// do sends a request with the path exactly as written, as firmware does.
func (s *bootSite) do(method, path string, header ...string) (*http.Response, string) {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	request := method + " " + path + " HTTP/1.1\r\nConnection: close\r\n"
	if len(header) == 0 || header[0] != "Host" {
		request += "Host: boot.example\r\n"
	}
	for i := 0; i < len(header); i += 2 {
		request += header[i] + ": " + header[i+1] + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		s.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res, string(body)
}

func TestHTTPFiles(t *testing.T) {
	s := startHTTP(t)
	sum := sha256.Sum256(s.kernel)
	etag := `"` + hex.EncodeToString(sum[:]) + `"`
	file := "/boot/" + imageID + "/vmlinuz"

	res, body := s.do("GET", file)
	if res.StatusCode != 200 || body != string(s.kernel) || res.Header.Get("ETag") != etag || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("GET: %s, %d bytes, %v", res.Status, len(body), res.Header)
	}
	// EDK2 asks HEAD first and needs the length.
	res, body = s.do("HEAD", file)
	if res.StatusCode != 200 || body != "" || res.ContentLength != int64(len(s.kernel)) || res.Header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("HEAD: %s, length %d, %v", res.Status, res.ContentLength, res.Header)
	}
	res, body = s.do("GET", file, "Range", "bytes=3-8")
	if res.StatusCode != 206 || body != "nelker" || res.Header.Get("Content-Range") != "bytes 3-8/60000" {
		t.Errorf("Range: %s %q %v", res.Status, body, res.Header)
	}
	if res, _ = s.do("GET", file, "Range", "bytes=60000-"); res.StatusCode != 416 {
		t.Errorf("Range beyond the end: %s", res.Status)
	}
	if res, body = s.do("GET", file, "Range", "bytes=0-1", "If-Range", `"old"`); res.StatusCode != 200 || len(body) != 60000 {
		t.Errorf("Range of another version: %s, %d bytes", res.Status, len(body))
	}
	if res, _ = s.do("GET", file, "If-None-Match", etag); res.StatusCode != 304 {
		t.Errorf("If-None-Match: %s", res.Status)
	}
	res, body = s.do("GET", "/boot/loaders/snponly.efi")
	if body != "MZ loader" || res.Header.Get("Content-Type") != "application/efi" || res.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("loader: %q %v", body, res.Header)
	}
}

func TestHTTPPaths(t *testing.T) {
	s := startHTTP(t)
	for _, path := range []string{
		"//boot/loaders/snponly.efi", "/boot//loaders//snponly.efi", "/boot/" + imageID + "//vmlinuz",
	} {
		if res, body := s.do("GET", path); res.StatusCode != 200 || body == "" {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
	for _, path := range []string{
		"/", "/boot", "/boot/", "/boot/loaders", "/boot/loaders/", "/boot/" + imageID, "/boot/" + imageID + "/",
		"/boot/" + imageID + "/missing", "/boot/loaders/../" + imageID + "/vmlinuz", "/boot/../outside", "/boot/%2e%2e/outside",
		"/boot/" + imageID + "/..%2f..%2foutside", "/boot/" + imageID + "/.hidden", "/boot/" + imageID + `/..\outside`,
		"/boot/loaders/snponly.efi/", "/boot/loaders/snponly.efi%00", "/other/" + imageID + "/vmlinuz", "/boot/script/", "/boot/script/x/y",
		"/boot/a/b/c/d/e/f/g/h/i", "/boot/" + strings.Repeat("a", 600) + "/b",
	} {
		res, body := s.do("GET", path)
		if res.StatusCode != 404 || strings.Contains(body, "secret") {
			t.Errorf("%s: %s %q", path, res.Status, body)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		if res, _ := s.do(method, "/boot/loaders/snponly.efi"); res.StatusCode != 405 || res.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %s", method, res.Status)
		}
	}
}

const scriptPath = "/boot/script/525400000001?uuid=7A5E0D10-1C2D-4E3F-8A4B-5C6D7E8F9A0B&arch=x64&fw=uefi"

func TestHTTPScript(t *testing.T) {
	s := startHTTP(t)
	res, body := s.do("GET", scriptPath, "Host", "evil.example")
	host, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil || port == "8080" {
		t.Fatal(host, port, err)
	}
	if res.StatusCode != 200 || !strings.Contains(body, "kernel --timeout 30000 http://"+host+":8080/boot/abc/vmlinuz initrd=initrd0.img quiet") ||
		strings.Contains(body, "evil") || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %v\n%s", res.Status, res.Header, body)
	}
	checkScript(t, body)
	_, c := s.policy.first()
	if c.UUID != "7a5e0d10-1c2d-4e3f-8a4b-5c6d7e8f9a0b" || c.MAC.String() != "52:54:00:00:00:01" || c.Firmware != UEFI || c.Arch != ArchX64 ||
		!c.Loader || c.Address != netip.MustParseAddr("127.0.0.1") || c.Server != netip.MustParseAddr(host) {
		t.Errorf("the policy was asked for %+v", c)
	}
}

// HEAD must not use up a one-time answer.
func TestHTTPScriptHead(t *testing.T) {
	s := startHTTP(t)
	if res, _ := s.do("HEAD", scriptPath); res.StatusCode != 200 || res.ContentLength < 100 {
		t.Errorf("%s, length %d", res.Status, res.ContentLength)
	}
	if peeks, decides := s.policy.asked(); peeks != 1 || decides != 0 {
		t.Errorf("HEAD asked %d Peek, %d Decide", peeks, decides)
	}
}

func TestHTTPScriptClaims(t *testing.T) {
	s := startHTTP(t)
	for _, mac := range []string{"", "x", "5254000000", "52540000000102", "ffffffffffff", "000000000000", "52:54:00:00:00:01"} {
		if res, _ := s.do("GET", "/boot/script/"+mac+"?arch=x64"); res.StatusCode != 404 {
			t.Errorf("MAC %q: %s", mac, res.Status)
		}
	}
	s.do("GET", "/boot/script/525400000001?uuid=x&arch=%24%7Bx%7D&fw=usb&serial=a%0Ab&model="+strings.Repeat("m", 65)+"&manufacturer=ACME%20Inc.")
	_, c := s.policy.first()
	if c.UUID != "" || c.Arch != ArchX64 || c.Firmware != BIOS || c.Serial != "" || c.Model != "" || c.Manufacturer != "ACME Inc." {
		t.Errorf("%+v", c)
	}
}

func TestHTTPScriptOutcomes(t *testing.T) {
	s := startHTTP(t)
	for _, c := range []struct {
		name   string
		boot   *Boot
		err    error
		status int
		want   string
	}{
		{"silent", nil, nil, 404, ""},
		{"policy fails", nil, errors.New("state closed: secret detail"), 200, "cannot decide what to boot"},
		{"disk", &Boot{Target: TargetDisk}, nil, 200, "exit 1"},
		{"nothing built", &Boot{Target: TargetImage, Message: "no boot image has been built yet."}, nil, 200,
			"chain --timeout 30000 --replace --autofree http://127.0.0.1:8080/boot/script/525400000001?uuid=7a5e0d10-1c2d-4e3f-8a4b-5c6d7e8f9a0b&arch=x64&fw=uefi"},
		{"unsafe", &Boot{Target: TargetImage, Kernel: "a b"}, nil, 500, ""},
	} {
		s.policy.set(func(Client) (*Boot, error) { return c.boot, c.err })
		res, body := s.do("GET", scriptPath)
		if res.StatusCode != c.status || !strings.Contains(body, c.want) || strings.Contains(body, "secret") {
			t.Errorf("%s: %s\n%s", c.name, res.Status, body)
		}
		if res.StatusCode == 200 {
			checkScript(t, body)
		}
	}
}

// slowPolicy answers when its context ends.
type slowPolicy struct{ started chan struct{} }

func (p slowPolicy) Peek(ctx context.Context, c Client) (*Boot, error) { return p.Decide(ctx, c) }
func (p slowPolicy) Decide(ctx context.Context, _ Client) (*Boot, error) {
	p.started <- struct{}{}
	<-ctx.Done()
	return nil, ctx.Err()
}

// Scripts that take long do not pile up without bound.
func TestHTTPScriptSlots(t *testing.T) {
	cfg := Config{Policy: slowPolicy{make(chan struct{}, scriptSlots)}, Images: NewDir(t.TempDir()), Loaders: NewDir(t.TempDir())}.withDefaults()
	h := newHTTPHandler(&cfg, &Counters{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, scriptSlots)
	request := func(ctx context.Context) int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", scriptPath, nil))
		return w.Code
	}
	for range scriptSlots {
		go func() { done <- request(ctx) }()
	}
	for range scriptSlots {
		<-cfg.Policy.(slowPolicy).started
	}
	if code := request(t.Context()); code != 503 {
		t.Errorf("one more: %d", code)
	}
	cancel()
	for range scriptSlots {
		<-done
	}
}
