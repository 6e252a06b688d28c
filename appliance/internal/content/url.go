package content

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"slipway/agent/wire"
)

// Limits of downloads.
const (
	maxRedirects = 5
	fetchTries   = 5           // connections that may break
	fetchStall   = time.Minute // without a byte
)

// parseURL refuses addresses that are not fetched from.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, invalid("url: %q is not an address that begins with http:// or https://", text)
	case u.User != nil:
		return nil, invalid("url: an address must not hold a name or password, it would stand in the records")
	}
	return u, nil
}

// public reports whether an address belongs to the public network: not this machine,
// not its networks, not an address that only stands for another.
func public(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range notPublic() {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// notPublic are ranges of the IANA special-purpose registries beside those that
// netip.Addr tells itself, and those that carry an IPv4 address in them.
func notPublic() []netip.Prefix {
	var out []netip.Prefix
	for _, p := range []string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "240.0.0.0/4", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "fec0::/10"} {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// fetcher is a client whose every connection is checked where it is made: a name that
// answers with another address the second time changes nothing.
func (s *Service) fetcher() *http.Client {
	dialer := &net.Dialer{Timeout: 15 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil || !s.o.Private && !public(ap.Addr()) {
			return fmt.Errorf("%w: %s is a private or local address; content.private_addresses in the configuration allows it", ErrRefused, address)
		}
		return nil
	}}
	return &http.Client{
		Transport: &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: 20 * time.Second, ResponseHeaderTimeout: fetchStall,
			DisableCompression: true, DisableKeepAlives: true, ForceAttemptHTTP2: true},
		CheckRedirect: func(next *http.Request, before []*http.Request) error {
			if len(before) > maxRedirects {
				return fmt.Errorf("%w: more than %d redirects", ErrRefused, maxRedirects)
			}
			if _, err := parseURL(next.URL.String()); err != nil {
				return fmt.Errorf("%w: a redirect to another kind of address", ErrRefused)
			}
			if before[0].URL.Scheme == "https" && next.URL.Scheme != "https" {
				return fmt.Errorf("%w: a redirect from https to http", ErrRefused)
			}
			return nil
		},
	}
}

// fromURL takes in what an address gives.
func (k *intake) fromURL(ctx context.Context) error {
	u, err := parseURL(k.in.URL)
	if err != nil {
		return err
	}
	name := path.Base(u.Path)
	if wire.CheckContentPath(name) != nil {
		name = "download"
	}
	tmp, err := os.CreateTemp(k.s.blobs.incoming(), "url-*")
	if err != nil {
		return full(err)
	}
	k.own = append(k.own, tmp.Name())
	d := &download{k: k, url: u, file: tmp, client: k.s.fetcher()}
	err = d.run(ctx)
	if err = errors.Join(err, full(tmp.Close())); err != nil {
		return err
	}
	if k.in.Size > 0 && d.got != k.in.Size {
		return invalid("the file has %d bytes, not %d: it was changed on the way, or the list is older than it", d.got, k.in.Size)
	}
	if err := checkDigest(ctx, tmp.Name(), k.in.Digest); err != nil {
		return err
	}
	if k.in.Unpack {
		return k.unpack(ctx, tmp.Name())
	}
	k.in.Kind = KindFile
	return k.file(ctx, source{path: tmp.Name(), name: name, mode: 0o644, size: d.got, own: true, want: k.in.SHA256})
}

// download writes a file from an address, over more than one connection when the
// server can go on.
type download struct {
	k      *intake
	url    *url.URL
	file   *os.File
	client *http.Client

	got  int64
	etag string // of what was begun; empty: it cannot go on
	size int64  // announced; -1: not
}

func (d *download) run(ctx context.Context) error {
	for try := 1; ; try++ {
		again, err := d.connect(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if !again || try >= fetchTries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(try) * time.Second):
		}
	}
}

// connect fetches over one connection. again: another one may go on.
func (d *download) connect(ctx context.Context) (again bool, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	req, err := newRequest(ctx, d.url)
	if err != nil {
		return false, err
	}
	if d.got > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", d.got))
		req.Header.Set("If-Range", d.etag)
	}
	resp, err := d.client.Do(req)
	if errors.Is(err, ErrRefused) {
		return false, err
	}
	if err != nil {
		return d.etag != "", fmt.Errorf("%w: the download failed: %w", ErrInvalid, bare(err))
	}
	defer resp.Body.Close()
	if err := d.accept(resp); err != nil {
		return false, err
	}
	dog := time.AfterFunc(fetchStall, stop)
	defer dog.Stop()
	err = d.copy(ctx, &kicked{resp.Body, dog})
	switch {
	case errors.Is(err, ErrFull), errors.Is(err, ErrTooLarge):
		return false, err
	case err != nil:
		return d.etag != "", fmt.Errorf("%w: the download broke off after %d bytes: %w", ErrInvalid, d.got, err)
	}
	return false, nil
}

func newRequest(ctx context.Context, u *url.URL) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, invalid("url: %v", err)
	}
	req.Header.Set("User-Agent", "slipway")
	return req, nil
}

// bare leaves out the method and address that the caller knows.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// accept looks at the head of an answer.
func (d *download) accept(resp *http.Response) error {
	if d.got > 0 && resp.StatusCode == http.StatusPartialContent {
		return nil
	}
	if resp.StatusCode != http.StatusOK {
		return invalid("url: the server answers %s", resp.Status)
	}
	if err := errors.Join(d.file.Truncate(0), seekStart(d.file)); err != nil {
		return err
	}
	d.got, d.etag, d.size = 0, resp.Header.Get("ETag"), resp.ContentLength
	if strings.HasPrefix(d.etag, "W/") {
		d.etag = ""
	}
	d.k.job.stage(stageFetch, max(d.size, 0))
	if d.size > d.k.s.o.MaxSize {
		return fmt.Errorf("%w: the file has %d bytes, at most %d are allowed", ErrTooLarge, d.size, d.k.s.o.MaxSize)
	}
	return d.k.s.blobs.room(max(d.size, 0))
}

func seekStart(f *os.File) error {
	_, err := f.Seek(0, io.SeekStart)
	return err
}

func (d *download) copy(ctx context.Context, body io.Reader) error {
	in := &roomReader{r: body, room: d.k.s.blobs.room}
	return full(copyTo(ctx, d.file, in, d.k.s.o.MaxSize-d.got, func(n int64) {
		d.got += n
		d.k.job.add(n)
	}))
}

// kicked keeps a watchdog quiet while bytes come.
type kicked struct {
	r   io.Reader
	dog *time.Timer
}

func (k *kicked) Read(p []byte) (int, error) {
	n, err := k.r.Read(p)
	k.dog.Reset(fetchStall)
	return n, err
}
