package netboot

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"
)

// httpHandler serves everything below /boot/. It must not stand behind
// http.ServeMux, which redirects "//": shim asks for "/dir//grubx64.efi" and
// firmware follows no redirects.
type httpHandler struct {
	cfg   *Config
	count *Counters
	slots chan struct{} // script requests at a time
}

const (
	scriptSlots    = 64
	scriptDeadline = 5 * time.Second
	maxPath        = 512
)

func newHTTPHandler(cfg *Config, count *Counters) *httpHandler {
	return &httpHandler{cfg: cfg, count: count, slots: make(chan struct{}, scriptSlots)}
}

func (h *httpHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		h.refuse(w, http.StatusMethodNotAllowed)
		return
	}
	segments, ok := splitPath(r.URL.Path)
	if !ok || len(segments) < 3 || segments[0] != "boot" {
		h.refuse(w, http.StatusNotFound)
		return
	}
	switch {
	case segments[1] == "script" && len(segments) == 3:
		h.script(w, r, segments[2])
	case segments[1] == "loaders" && len(segments) == 3:
		h.file(w, r, h.cfg.Loaders, segments[2], false)
	case segments[1] == signedFolder && signedAutoexec(strings.Join(segments[1:], "/")):
		text := autoexecScript(h.site(r))
		h.send(w, r, autoexecFile, textFile(text), nil, false)
	case segments[1] == signedFolder && len(segments) == 4:
		h.file(w, r, h.cfg.Loaders, strings.Join(segments[1:], "/"), false)
	case segments[1] == deviceFolder:
		h.device(w, r, strings.Join(segments[1:], "/"))
	case len(segments) <= 8:
		h.file(w, r, h.cfg.Images, strings.Join(segments[1:], "/"), true)
	default:
		h.refuse(w, http.StatusNotFound)
	}
}

// splitPath takes repeated slashes as one and refuses every segment that is
// not a plain name: no dot files, no "..", no backslash, no control bytes.
func splitPath(p string) ([]string, bool) {
	if len(p) > maxPath || !strings.HasPrefix(p, "/") {
		return nil, false
	}
	var out []string
	for seg := range strings.SplitSeq(p, "/") {
		if seg == "" {
			continue
		}
		if !safeSegment(seg) {
			return nil, false
		}
		out = append(out, seg)
	}
	return out, !strings.HasSuffix(p, "/")
}

func (h *httpHandler) refuse(w http.ResponseWriter, status int) {
	h.count.httpRefused.Add(1)
	http.Error(w, http.StatusText(status), status)
}

// file serves one file with HEAD, Range and a strong entity tag. Files of
// images never change under their name; loaders may.
func (h *httpHandler) file(w http.ResponseWriter, r *http.Request, files Files, name string, immutable bool) {
	f, err := files.Open(name)
	h.send(w, r, name, f, err, immutable)
}

// send serves an opened file, or says why it could not be opened.
func (h *httpHandler) send(w http.ResponseWriter, r *http.Request, name string, f *File, err error, immutable bool) {
	if errors.Is(err, fs.ErrNotExist) {
		h.refuse(w, http.StatusNotFound)
		return
	}
	if err != nil {
		h.cfg.Logger.ErrorContext(r.Context(), "boot file cannot be opened", "name", name, "err", err)
		h.refuse(w, http.StatusInternalServerError)
		return
	}
	defer f.Close()
	h.count.httpFiles.Add(1)
	header := w.Header()
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", contentType(name))
	}
	header.Set("X-Content-Type-Options", "nosniff")
	if f.SHA256 != "" {
		header.Set("ETag", `"`+f.SHA256+`"`)
	}
	if immutable {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		header.Set("Cache-Control", "no-cache")
	}
	http.ServeContent(w, r, "", f.ModTime, f)
}

// device serves the program of a device to its firmware. HEAD looks without
// consuming a one-time decision.
func (h *httpHandler) device(w http.ResponseWriter, r *http.Request, name string) {
	client, ok := clientOfPath(name, UEFIHTTP)
	file := path.Base(name)
	if !ok || file != deviceFile && file != windowsDisk {
		h.refuse(w, http.StatusNotFound)
		return
	}
	client.Server = h.site(r).addr
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		client.Address = ap.Addr().Unmap()
	}
	// Firmware takes no "later" for an answer: it waits its turn.
	select {
	case h.slots <- struct{}{}:
	case <-r.Context().Done():
		return
	}
	var f *File
	var err error
	if final := r.Method == http.MethodGet; file == windowsDisk {
		f, _, err = h.cfg.openWindows(r.Context(), client, file, final)
		w.Header().Set("Content-Type", "application/vnd.efi-img") // a disk, not a program
	} else {
		f, err = h.cfg.openDevice(r.Context(), client, final)
	}
	<-h.slots
	h.send(w, r, name, f, err, false)
}

// contentType names what UEFI HTTP Boot decides by (UEFI 2.10, 24.7.2.3).
func contentType(name string) string {
	switch path.Ext(name) {
	case ".efi":
		return "application/efi"
	case ".iso":
		return "application/vnd.efi-iso"
	}
	// Not vnd.efi-img for ".img": an initrd has that ending too.
	return "application/octet-stream"
}

// script answers a loader. HEAD looks without consuming a one-time decision.
func (h *httpHandler) script(w http.ResponseWriter, r *http.Request, mac string) {
	client, ok := clientOf(mac, r)
	if !ok {
		h.refuse(w, http.StatusNotFound)
		return
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		w.Header().Set("Retry-After", "2")
		h.refuse(w, http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), scriptDeadline)
	defer cancel()
	ask := h.cfg.Policy.Decide
	if r.Method == http.MethodHead {
		ask = h.cfg.Policy.Peek
	}
	text, err := h.render(ctx, r, client, ask)
	if err != nil {
		h.cfg.Logger.ErrorContext(ctx, "no boot script could be made", "mac", client.MAC.String(), "err", err)
		h.refuse(w, http.StatusInternalServerError)
		return
	}
	if text == "" { // silent: the policy changed after the loader was served
		h.refuse(w, http.StatusNotFound)
		return
	}
	h.count.httpScripts.Add(1)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
}

// render asks the policy and makes the script; "" is silence. When the policy
// cannot be asked, the machine is told and asks again by itself.
func (h *httpHandler) render(ctx context.Context, r *http.Request, c Client, ask func(context.Context, Client) (*Boot, error)) (string, error) {
	st := h.site(r)
	c.Server = st.addr
	self := strings.TrimPrefix(scriptURL(st, c), st.httpURL(""))
	boot, err := ask(ctx, c)
	if err != nil {
		h.cfg.Logger.ErrorContext(ctx, "boot policy cannot be asked", "mac", c.MAC.String(), "err", err)
		boot = &Boot{Target: TargetImage, Message: "the appliance cannot decide what to boot at the moment."}
	}
	if boot == nil {
		return "", nil
	}
	if boot.Windows != nil {
		windows := *boot.Windows
		windows.wimboot = h.has(wimbootFile)
		answer := *boot
		answer.Windows = &windows
		boot = &answer
	}
	text, err := renderScript(st, self, c.Firmware, *boot)
	if err != nil {
		return "", err
	}
	h.cfg.Logger.InfoContext(ctx, "boot script made", "mac", c.MAC.String(), "uuid", c.UUID,
		"firmware", string(c.Firmware), "target", string(boot.Target), "kernel", boot.Kernel, "address", c.Address.String())
	return text, nil
}

// has reports a file among the loaders.
func (h *httpHandler) has(name string) bool {
	f, err := h.cfg.Loaders.Open(name)
	return err == nil && f.Close() == nil
}

// site is the address the loader should go on with: the configured one, else
// that on which it reached us. The Host header is a claim and not looked at.
func (h *httpHandler) site(r *http.Request) site {
	s := site{addr: h.cfg.Advertise, httpPort: h.cfg.HTTPPort, httpsPort: h.cfg.HTTPSPort}
	if s.addr.IsValid() {
		return s
	}
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if ap, err := netip.ParseAddrPort(a.String()); err == nil {
			s.addr = ap.Addr().Unmap()
		}
	}
	return s
}

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// clientOf reads the claims in a script request. Nonsense in a claim drops the
// claim, not the request: the machine shall boot.
func clientOf(mac string, r *http.Request) (Client, bool) {
	raw, err := hex.DecodeString(mac)
	if err != nil || !usableMAC(raw) {
		return Client{}, false
	}
	q := r.URL.Query()
	c := Client{
		MAC: raw, Loader: true, UUID: cleanUUID(q.Get("uuid")), Arch: ArchX64, Firmware: BIOS,
		Serial: claimText(q, "serial"), Manufacturer: claimText(q, "manufacturer"), Model: claimText(q, "model"),
	}
	switch a := q.Get("arch"); a {
	case ArchX64, ArchARM64, ArchX86:
		c.Arch = a
	}
	switch f := Firmware(q.Get("fw")); f {
	case BIOS, UEFI, UEFIHTTP:
		c.Firmware = f
	}
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		c.Address = ap.Addr().Unmap()
	}
	return c, true
}

func cleanUUID(s string) string {
	s = strings.ToLower(s)
	if !uuidForm.MatchString(s) || strings.Trim(s, "0-") == "" || strings.Trim(s, "f-") == "" {
		return ""
	}
	return s
}

// claimText takes a short printable text, else nothing.
func claimText(q url.Values, key string) string {
	s := strings.TrimSpace(q.Get(key))
	if len(s) > 64 {
		return ""
	}
	for _, c := range []byte(s) {
		if c < 0x20 || c > 0x7e {
			return ""
		}
	}
	return s
}
