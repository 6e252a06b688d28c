package clientcert

import (
	"bytes"
	"context"
	"crypto/x509"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/fleet"
)

// A list that is missing is fetched when it is needed, once for all who wait, and
// used over restarts until it runs out.
func TestFetchedList(t *testing.T) {
	e := newEstate(t)
	root := e.authority("Root", nil)
	good, bad := e.machine("pc1", &root), e.machine("pc2", &root)
	w := newWeb(t, e.list(root, []pair{bad}))
	s := fleet.CertificateSignIn{Enabled: true, CAs: root.pem(), CRLURL: w.URL + "/ca.crl"}
	dir := filepath.Join(t.TempDir(), "crl")
	v := e.verifier(dir)
	verify := func(v *Verifier, p pair) string {
		t.Helper()
		_, err := v.Verify(background(), s, []*x509.Certificate{p.cert})
		return reasonOf(t, err)
	}
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			if r := verify(v, good); r != "" {
				t.Errorf("good: %s", r)
			}
		})
	}
	wait.Wait()
	if r := verify(v, bad); r != ReasonRevoked {
		t.Errorf("revoked: %q", r)
	}
	if asked, _ := w.counts(); asked != 1 {
		t.Errorf("the server was asked %d times", asked)
	}
	// Another process, and the server is gone.
	w.set(nil, http.StatusNotFound)
	v = e.verifier(dir)
	if a, b := verify(v, good), verify(v, bad); a != "" || b != ReasonRevoked {
		t.Errorf("after a restart: %q, %q", a, b)
	}
	if asked, _ := w.counts(); asked != 1 {
		t.Errorf("the server was asked %d times", asked)
	}
	e.clock.add(23*time.Hour + 59*time.Minute)
	good = e.machine("pc1", &root)
	if r := verify(v, good); r != "" {
		t.Errorf("shortly before its end: %s", r)
	}
	e.clock.add(time.Minute)
	if r := verify(v, good); !strings.HasPrefix(r, ReasonListExpired+": that of CN=Root, the next one was due 2026-11-22T08:00:00Z; it could not be fetched: the server answers 404") {
		t.Errorf("at its end: %s", r)
	}
}

// Without a list nobody is let in, and the server is asked with a back-off.
func TestFetchFails(t *testing.T) {
	e := newEstate(t)
	root := e.authority("Root", nil)
	good := e.machine("pc1", &root, func(c *x509.Certificate) { c.NotAfter = e.clock.now().AddDate(1, 0, 0) })
	other := e.authority("Root", nil)
	w := newWeb(t, nil)
	s := fleet.CertificateSignIn{Enabled: true, CAs: root.pem(), CRLURL: w.URL}
	for name, c := range map[string]struct {
		body   []byte
		status int
		want   string
	}{
		"error":       {nil, http.StatusInternalServerError, "the server answers 500 Internal Server Error"},
		"a web page":  {[]byte("<html>Sign in to the network</html>"), http.StatusOK, "use revocation lists in PEM"},
		"nothing":     {nil, http.StatusOK, "use revocation lists in PEM"},
		"too large":   {bytes.Repeat([]byte("A"), maxList+1), http.StatusOK, "larger than 16 MiB"},
		"another key": {e.list(other, nil), http.StatusOK, "is not signed by the authority of that name"},
		"out of date": {e.list(root, nil, func(l *x509.RevocationList) { l.NextUpdate = l.ThisUpdate; l.ThisUpdate = l.ThisUpdate.Add(-time.Hour) }), http.StatusOK,
			"the server's list of CN=Root is for 2026-11-21 07:00 UTC to 2026-11-21 08:00 UTC"},
	} {
		t.Run(name, func(t *testing.T) {
			w.set(c.body, c.status)
			before, _ := w.counts()
			v := e.verifier("")
			for range 10 {
				_, err := v.Verify(background(), s, []*x509.Certificate{good.cert})
				want := ReasonListMissing
				if name == "out of date" {
					want = ReasonListExpired
				}
				if r := reasonOf(t, err); !strings.HasPrefix(r, want) || !strings.Contains(r, c.want) {
					t.Fatalf("%s, want %s ... %s", r, want, c.want)
				}
			}
			if asked, _ := w.counts(); asked != before+1 {
				t.Errorf("the server was asked %d times", asked-before)
			}
		})
	}
	// 15 s, 30 s, 1 min ... and 15 min at the end: some 100 tries a day.
	w.set(nil, http.StatusInternalServerError)
	before, _ := w.counts()
	v := e.verifier("")
	for range 24 * 60 * 4 {
		_, _ = v.Verify(background(), s, []*x509.Certificate{good.cert})
		e.clock.add(15 * time.Second)
	}
	if asked, _ := w.counts(); asked-before < 95 || asked-before > 110 {
		t.Errorf("%d tries in a day", asked-before)
	}
	// The server is back: the next try after the wait succeeds, and then no more.
	w.set(e.list(root, nil), http.StatusOK)
	e.clock.add(longestRetry)
	if _, err := v.Verify(background(), s, []*x509.Certificate{good.cert}); err != nil {
		t.Errorf("the server is back: %v", err)
	}
}

// A caller that goes away does not break off what others wait for.
func TestCallerGoesAway(t *testing.T) {
	e := newEstate(t)
	root := e.authority("Root", nil)
	good := e.machine("pc1", &root)
	w := newWeb(t, e.list(root, nil))
	w.wait = make(chan struct{})
	s := fleet.CertificateSignIn{Enabled: true, CAs: root.pem(), CRLURL: w.URL}
	v := e.verifier("")
	ctx, leave := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	ask := func(ctx context.Context, to chan error) {
		_, err := v.Verify(ctx, s, []*x509.Certificate{good.cert})
		to <- err
	}
	go ask(ctx, first)
	for asked := 0; asked == 0; asked, _ = w.counts() {
		time.Sleep(time.Millisecond) // until the first one is at the server
	}
	go ask(t.Context(), second)
	leave()
	close(w.wait)
	if err := <-second; err != nil {
		t.Error(err)
	}
	<-first
	if asked, _ := w.counts(); asked != 1 {
		t.Errorf("the server was asked %d times", asked)
	}
}

// Run looks every hour, without taking the whole list again when it is the same,
// and brings a new one in.
func TestTend(t *testing.T) {
	e := newEstate(t)
	root := e.authority("Root", nil)
	pc := e.machine("pc1", &root)
	w := newWeb(t, e.list(root, nil))
	w.etag = `"one"`
	dir := t.TempDir()
	s := fleet.CertificateSignIn{Enabled: true, CAs: root.pem(), CRLURL: w.URL}
	v := e.verifier(dir)
	day := func() {
		t.Helper()
		for range 6 * 60 * 4 { // a quarter of a day
			if err := v.tend(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			e.clock.add(15 * time.Second)
		}
	}
	day()
	if asked, given := w.counts(); asked != 6 || given != 1 {
		t.Errorf("asked %d times, %d whole lists", asked, given)
	}
	if _, err := v.Verify(background(), s, []*x509.Certificate{pc.cert}); err != nil {
		t.Error(err)
	}
	w.mu.Lock()
	w.body, w.etag = e.list(root, []pair{pc}), `"two"`
	w.mu.Unlock()
	day()
	if _, err := v.Verify(background(), s, []*x509.Certificate{pc.cert}); reasonOf(t, err) != ReasonRevoked {
		t.Errorf("after the new list: %v", err)
	}
	// A restart takes up what is kept, with the mark of the server's version.
	_, given := w.counts()
	v = e.verifier(dir)
	day()
	if _, again := w.counts(); again != given {
		t.Errorf("%d whole lists after a restart", again-given)
	}
	// A list that lives for minutes is fetched after three quarters of its time.
	w.mu.Lock()
	w.body, w.etag = e.list(root, nil, func(l *x509.RevocationList) { l.NextUpdate = l.ThisUpdate.Add(20 * time.Minute) }), ""
	w.mu.Unlock()
	s.CRLURL += "/short"
	before, _ := w.counts()
	for range 15*4 + 1 {
		if err := v.tend(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		e.clock.add(15 * time.Second)
	}
	if asked, _ := w.counts(); asked != before+2 {
		t.Errorf("asked %d times in 15 minutes", asked-before)
	}
	if files, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(files) != 1 {
		t.Errorf("files kept: %q, %v", files, err)
	}
	s.CRLURL = ""
	if err := v.tend(t.Context(), s); err != nil {
		t.Error(err)
	}
	if files, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(files) != 0 {
		t.Errorf("files kept without a URL: %q, %v", files, err)
	}
}

func TestRunEnds(t *testing.T) {
	e := newEstate(t)
	root := e.authority("Root", nil)
	w := newWeb(t, e.list(root, nil))
	s := fleet.CertificateSignIn{Enabled: true, CAs: root.pem(), CRLURL: w.URL}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- e.verifier("").Run(ctx, func() (fleet.CertificateSignIn, error) { return s, nil })
	}()
	for asked := 0; asked == 0; asked, _ = w.counts() {
		time.Sleep(time.Millisecond)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Whoever sits on the wire cannot replace a good list.
func TestListsAreNotTakenBack(t *testing.T) {
	e := newEstate(t)
	root, second, stranger := e.authority("Root", nil), e.authority("Second", nil), e.authority("Stranger", nil)
	forger := e.authority("Root", nil)
	pc := e.machine("pc1", &root, func(c *x509.Certificate) { c.NotAfter = e.clock.now().AddDate(1, 0, 0) })
	older := e.list(root, nil, func(l *x509.RevocationList) { l.NextUpdate = e.clock.now().AddDate(0, 6, 0) })
	e.clock.add(time.Minute)
	newer := e.list(root, []pair{pc}, func(l *x509.RevocationList) { l.NextUpdate = e.clock.now().AddDate(0, 1, 0) })
	w := newWeb(t, newer)
	s := fleet.CertificateSignIn{Enabled: true, CAs: root.pem() + second.pem(), CRLURL: w.URL}
	v := e.verifier("")
	if err := v.tend(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		body []byte
		want string
	}{
		"older":        {older, "is older than the one at hand"},
		"forged":       {e.list(forger, nil), "is not signed by the authority of that name"},
		"another's":    {e.list(second, nil), "the list of CN=Root is not there any more"},
		"a stranger's": {e.list(stranger, nil), "the list of CN=Root is not there any more"},
	} {
		w.set(c.body, http.StatusOK)
		e.clock.add(2 * time.Hour)
		if err := v.tend(t.Context(), s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if _, err := v.Verify(background(), s, []*x509.Certificate{pc.cert}); reasonOf(t, err) != ReasonRevoked {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRedirects(t *testing.T) {
	e := newEstate(t)
	root := e.authority("Root", nil)
	w := newWeb(t, e.list(root, nil))
	hops := 0
	mux := http.NewServeMux()
	mux.HandleFunc("/once", func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, w.URL, http.StatusFound) })
	mux.HandleFunc("/ever", func(rw http.ResponseWriter, r *http.Request) { hops++; http.Redirect(rw, r, "/ever", http.StatusFound) })
	mux.HandleFunc("/file", func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "file:///etc/passwd", http.StatusFound)
	})
	from := newWeb(t, nil)
	from.Config.Handler = mux
	for path, want := range map[string]string{"/once": "", "/ever": "more than 3 redirects", "/file": "must begin with http"} {
		_, _, err := download(t.Context(), newHTTPClient(), kept{URL: from.URL + path})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if hops > maxRedirects+1 {
		t.Errorf("%d hops", hops)
	}
}
