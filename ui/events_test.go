package ui

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
	"slipway/ui/internal/view"
)

// message is one event as a browser sees it.
type message struct {
	id, event string
	batch     batch
}

// listener reads one live stream over a real connection.
type listener struct {
	t        *testing.T
	messages chan message
	stop     context.CancelFunc
}

// streamSite serves a console over TLS with one signed-in visitor.
func streamSite(t *testing.T) (*fake, *Console, *httptest.Server, *visitor) {
	t.Helper()
	return limitedSite(t, 0)
}

// limitedSite is streamSite with the server's own limit for an answer; 0 is none.
func limitedSite(t *testing.T, limit time.Duration) (*fake, *Console, *httptest.Server, *visitor) {
	t.Helper()
	f, c := furnished(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Run(ctx) // ends with the test
	}()
	srv := httptest.NewUnstartedServer(c)
	srv.EnableHTTP2 = true
	srv.Config.WriteTimeout = limit
	srv.StartTLS()
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
		cancel()
		<-ended
	})
	waitFor(t, "the console to subscribe", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.subscribers) == 1
	})
	return f, c, srv, signedIn(t, c, fleet.RoleViewer)
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: not within %s", what, patience)
}

func listen(t *testing.T, srv *httptest.Server, v *visitor, query, lastID string) *listener {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/events?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	res, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("X-Accel-Buffering") != "no" {
		t.Fatalf("stream: %d, %v", res.StatusCode, res.Header)
	}
	l := &listener{t: t, messages: make(chan message, 1000), stop: cancel}
	go func() {
		defer close(l.messages)
		defer func() { _ = res.Body.Close() }()
		read(res.Body, l.messages)
	}()
	t.Cleanup(cancel)
	return l
}

func read(body io.Reader, to chan<- message) {
	var m message
	scan := bufio.NewScanner(body)
	scan.Buffer(nil, 4<<20)
	for scan.Scan() {
		name, value, _ := strings.Cut(scan.Text(), ": ")
		switch name {
		case "id":
			m.id = value
		case "event":
			m.event = value
		case "data":
			if err := json.Unmarshal([]byte(value), &m.batch); err != nil {
				m.event = "unreadable: " + err.Error()
			}
		case "":
			if m.event != "" {
				to <- m
			}
			m = message{}
		}
	}
}

// next waits for the next message.
func (l *listener) next() message {
	l.t.Helper()
	select {
	case m, ok := <-l.messages:
		if !ok {
			l.t.Fatal("the stream ended")
		}
		return m
	case <-time.After(patience):
		l.t.Fatalf("no message within %s", patience)
	}
	return message{}
}

func (m message) field(key, name string) string {
	for _, p := range m.batch.Patches {
		if p.Key == key {
			return p.F[name].Text
		}
	}
	return ""
}

func TestStreamSendsFieldsAndResumes(t *testing.T) {
	f, c, srv, v := streamSite(t)
	start := c.hub.position()
	l := listen(t, srv, v, "topics=deployments&since="+start, "")
	step := func(n int) {
		f.change(Change{Kind: ChangeDeployment, ID: "run1"}, func() {
			d := f.deployments["run1"]
			d.StepNumber, d.CurrentName = n, "Step "+itoa(n)
			f.deployments["run1"] = d
		})
	}
	step(4)
	first := l.next()
	if got := first.field("deployment:run1", "step"); got != "Step 4 of 6: Step 4" {
		t.Errorf("first: %q", got)
	}
	if got := first.field("summary", "running"); got != "2" {
		t.Errorf("running: %q", got)
	}
	step(5)
	second := l.next()
	if got := second.field("deployment:run1", "step"); got != "Step 5 of 6: Step 5" {
		t.Errorf("second: %q", got)
	}
	for _, p := range second.batch.Patches {
		if _, again := p.F["took"]; again {
			t.Error("a value that did not change was sent again")
		}
	}
	l.stop()
	step(6)
	f.tell(Change{Kind: ChangeDevice, ID: "d0001"}) // nothing this page shows
	again := listen(t, srv, v, "topics=deployments&since="+start, second.id)
	if got := again.next().field("deployment:run1", "step"); got != "Step 6 of 6: Step 6" {
		t.Errorf("after resuming: %q", got)
	}
}

// TestStreamIsCoalesced: 400 changes in a second become a few batches, and the
// last value wins.
func TestStreamIsCoalesced(t *testing.T) {
	f, c, srv, v := streamSite(t)
	l := listen(t, srv, v, "topics=device:d0001&since="+c.hub.position(), "")
	began := time.Now()
	for i := range 400 {
		f.change(Change{Kind: ChangeDevice, ID: "d0001"}, func() {
			d := f.devices["d0001"]
			d.Address = fmt.Sprintf("198.51.%d.%d", i/250, i%250)
			f.devices["d0001"] = d
		})
		time.Sleep(2 * time.Millisecond)
	}
	n := 0
	for last := ""; last != "198.51.1.149"; n++ {
		last = l.next().field("device:d0001", "address")
	}
	if most := int(time.Since(began)/batchEvery) + 2; n > most {
		t.Errorf("%d batches in %s", n, time.Since(began))
	}
}

// TestQuietStreamStaysOpen: neither the server's limit for an answer nor the limit
// for one message ends a stream on which nothing happens. Both protocols differ
// in what a passed deadline does.
func TestQuietStreamStaysOpen(t *testing.T) {
	const limit = 4 * time.Second // in which a busy machine, too, gets a message out
	f, c, srv, v := limitedSite(t, limit)
	c.writeLimit = limit
	l := listen(t, srv, v, "topics=devices&since="+c.hub.position(), "")
	time.Sleep(limit + limit/8) // longer than both limits: that is what is tested
	f.tell(Change{Kind: ChangeDevice, ID: "d0001"})
	if m := l.next(); m.field("device:d0001", "name") != "PC-0040" {
		t.Errorf("after a quiet time: %+v", m)
	}
}

func TestStreamSendsLogLinesOnce(t *testing.T) {
	f, c, srv, v := streamSite(t)
	l := listen(t, srv, v, "topics=deployment:run1,log:run1&since="+c.hub.position()+".38", "")
	m := l.next()
	if len(m.batch.Lines) != 2 || m.batch.Lines[0].Number != 39 || m.batch.Last != 40 {
		t.Fatalf("history: %+v", m.batch)
	}
	f.change(Change{Kind: ChangeLog, ID: "run1"}, func() {
		for i := range 1200 {
			f.lines["run1"] = append(f.lines["run1"], fleet.LogLine{Number: int64(41 + i), Text: "x"})
		}
	})
	want := int64(41)
	for want <= 1240 {
		m = l.next()
		if len(m.batch.Lines) > logBatch {
			t.Fatalf("%d lines in one message", len(m.batch.Lines))
		}
		for _, line := range m.batch.Lines {
			if line.Number != want {
				t.Fatalf("line %d came instead of %d", line.Number, want)
			}
			want++
		}
	}
	if !strings.HasSuffix(m.id, ".1240") {
		t.Errorf("the position %q does not tell the last line", m.id)
	}
}

// TestStreamSaysWhenItCannotResume: an old position, one of another start, and
// changes that were lost make the page load anew.
func TestStreamSaysWhenItCannotResume(t *testing.T) {
	f, c, srv, v := streamSite(t)
	for _, since := range []string{"", "nonsense", "otherstart-5", c.hub.epoch + "-99999", c.hub.epoch + "--1", c.hub.epoch + "-1e3"} {
		if m := listen(t, srv, v, "topics=devices&since="+since, "").next(); m.event != "reset" {
			t.Errorf("since %q: %q", since, m.event)
		}
	}
	l := listen(t, srv, v, "topics=devices&since="+c.hub.position(), "")
	f.tell(Change{Lost: true})
	if m := l.next(); m.event != "reset" {
		t.Errorf("after lost changes: %q", m.event)
	}
}

func TestStreamNeedsASession(t *testing.T) {
	_, c, _, _ := streamSite(t)
	stranger := &visitor{t: t, c: c}
	if res := stranger.ask(http.MethodGet, "/events?topics=devices", nil); res.Code != http.StatusUnauthorized {
		t.Errorf("a stranger: %d", res.Code)
	}
}

// TestStreamsEndWithTheirReaders: nothing is left behind.
func TestStreamsEndWithTheirReaders(t *testing.T) {
	_, c, srv, v := streamSite(t)
	open := func() int {
		c.hub.mu.Lock()
		defer c.hub.mu.Unlock()
		return c.hub.open
	}
	var all []*listener
	for range 20 {
		all = append(all, listen(t, srv, v, "topics=devices&since="+c.hub.position(), ""))
	}
	waitFor(t, "20 streams", func() bool { return open() == 20 })
	for _, l := range all {
		l.stop()
	}
	waitFor(t, "all to end", func() bool { return open() == 0 })
}

func TestHubForgetsTheOldest(t *testing.T) {
	h := newHub()
	for i := range hubMemory + 10 {
		h.add(Change{Kind: ChangeDevice, ID: itoa(i)})
		h.add(Change{Kind: ChangeHealth})
	}
	if _, _, _, lost := h.since(5); !lost {
		t.Error("a forgotten change was not told")
	}
	now, ok := h.parse(h.position())
	if !ok {
		t.Fatal("the hub does not know its own position")
	}
	h.add(Change{Kind: ChangeDevice, ID: "a"})
	h.add(Change{Kind: ChangeDevice, ID: "b"})
	h.add(Change{Kind: ChangeDevice, ID: "a"})
	keys, _, _, lost := h.since(now)
	if lost || len(keys) != 2 || keys[0].id != "b" || keys[1].id != "a" {
		t.Errorf("after two changes of a and one of b: %v", keys)
	}
	if len(h.at) > hubMemory {
		t.Errorf("it remembers %d things", len(h.at))
	}
}

// FuzzLiveAddress: no address a browser can send breaks the stream's start.
func FuzzLiveAddress(f *testing.F) {
	f.Add("devices,deployment:42,log:42,changed:security", "abc-12.5")
	f.Add(",,:,log:,changed::", "-.")
	h := newHub()
	f.Fuzz(func(t *testing.T, topicList, position string) {
		got := parseTopics(topicList)
		if strings.Count(topicList, ",")+1 < len(got.kinds) {
			t.Errorf("%d kinds out of %q", len(got.kinds), topicList)
		}
		if n, ok := h.parse(position); ok && !strings.HasPrefix(position, h.epoch+"-") {
			t.Errorf("%q was read as %d of this start", position, n)
		}
	})
}

// FuzzNext: whatever follows "next=", the way leads to this console.
func FuzzNext(f *testing.F) {
	for _, s := range []string{"/devices", "//evil", "/\\evil", "https://evil", "/a?b=c#d", "\x00", "/%2f%2fevil", "/ /evil"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, next string) {
		got := ownPath(next)
		r := httptest.NewRequest(http.MethodGet, "https://slipway.test/login", nil)
		w := httptest.NewRecorder()
		http.Redirect(w, r, got, http.StatusSeeOther)
		to := w.Header().Get("Location")
		u, err := r.URL.Parse(to)
		if err != nil || u.Host != "slipway.test" || u.Scheme != "https" || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
			t.Errorf("%q leads to %q", next, to)
		}
	})
}

// TestSilenceIsTold: nobody reports that nothing comes, so the console looks.
func TestSilenceIsTold(t *testing.T) {
	f, c := furnished(t)
	start, _ := c.hub.parse(c.hub.position())
	known := c.feelPulse(t.Context(), nil)
	if len(known) != 2 || known["run1"].silent {
		t.Fatalf("at first: %v", known)
	}
	f.mu.Lock()
	d := f.deployments["run1"]
	d.UpdatedAt = f.now().Add(-time.Hour)
	f.deployments["run1"] = d
	delete(f.progress, "run1")
	f.mu.Unlock()
	known = c.feelPulse(t.Context(), known)
	keys, at, _, _ := c.hub.since(start)
	if !known["run1"].silent || len(keys) != 1 || keys[0].id != "run1" {
		t.Fatalf("silent %v, told %v", known, keys)
	}
	known = c.feelPulse(t.Context(), known)
	if again, _, _, _ := c.hub.since(at); len(again) != 0 {
		t.Errorf("told again: %v", again)
	}
	c.backend.Deployments = hearingDeployments{c.backend.Deployments, time.Now()}
	if known = c.feelPulse(t.Context(), known); known["run1"].silent {
		t.Error("a heartbeat is not heard")
	}
	if back, _, _, _ := c.hub.since(at); len(back) != 2 {
		t.Errorf("that both are heard again is not told: %v", back)
	}
}

// hearingDeployments heard a heartbeat from every device at one moment.
type hearingDeployments struct {
	Deployments
	at time.Time
}

func (h hearingDeployments) LastHeard(string) time.Time { return h.at }

// TestNewsAfterManyThings: a page that has seen more values than are remembered is still
// told when one goes back to what it was.
func TestNewsAfterManyThings(t *testing.T) {
	s := &stream{sent: map[string]string{}}
	shown := ""
	say := func(key, text string) {
		if sent := s.news([]patch{{Key: key, F: view.Fields{"running": {Text: text}}}}); len(sent) == 1 && key == "summary" {
			shown = text
		}
	}
	say("summary", "5")
	for i := range 4 * hubMemory {
		say(fmt.Sprint("deployment:", i), "x")
	}
	say("summary", "6")
	say("summary", "5")
	if shown != "5" {
		t.Errorf("the page shows %q, it is 5", shown)
	}
	if len(s.sent) > 4*hubMemory {
		t.Errorf("%d values are remembered", len(s.sent))
	}
}
