package syslog

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/appliance/internal/audit"
	"slipway/fleet"
)

// collector stands for a syslog server that keeps what it parses.
type collector struct {
	t        *testing.T
	mu       sync.Mutex
	messages []parsed
	listener net.Listener
	conns    map[net.Conn]bool
	deaf     bool // takes connections and reads nothing
	wg       sync.WaitGroup
}

// collect begins a collector at address; wrap puts TLS around its listener.
func collect(t *testing.T, address string, wrap func(net.Listener) net.Listener) *collector {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if wrap != nil {
		l = wrap(l)
	}
	c := &collector{t: t, listener: l, conns: map[net.Conn]bool{}}
	c.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			c.conns[conn] = true
			deaf := c.deaf
			c.mu.Unlock()
			if !deaf {
				c.wg.Go(func() { c.read(conn) })
			}
		}
	})
	t.Cleanup(c.stop)
	return c
}

func (c *collector) address() string { return c.listener.Addr().String() }

// read takes counted messages (RFC 6587 section 3.4.1) until the connection ends.
func (c *collector) read(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		count, err := in.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(count, " "))
		if err != nil || n <= 0 || n > maxStream {
			c.t.Errorf("the count is %q", count)
			return
		}
		message := make([]byte, n)
		if _, err := io.ReadFull(in, message); err != nil {
			return
		}
		c.keep(string(message))
	}
}

func (c *collector) keep(message string) {
	p, err := parse(message)
	if err != nil {
		c.t.Errorf("%v: %q", err, message)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages = append(c.messages, p)
}

// stop ends the collector as a crash does. What its machine acknowledged before is
// read first, however late this program got to it: the forwarder counts on that.
func (c *collector) stop() {
	_ = c.listener.Close()
	c.mu.Lock()
	for deadline := time.Now().Add(30 * time.Second); !c.deaf && c.unread() > 0 && time.Now().Before(deadline); {
		c.mu.Unlock()
		time.Sleep(time.Millisecond)
		c.mu.Lock()
	}
	for conn := range c.conns {
		_ = conn.Close()
	}
	c.mu.Unlock()
	c.wg.Wait()
}

// unread are the bytes that the system holds for the collector. The caller holds mu.
func (c *collector) unread() (sum int) {
	for conn := range c.conns {
		if t, ok := conn.(*tls.Conn); ok {
			conn = t.NetConn()
		}
		raw, err := conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			c.t.Error(err)
			continue
		}
		_ = raw.Control(func(fd uintptr) { // closed connections hold nothing
			if n, err := unix.IoctlGetInt(int(fd), unix.SIOCINQ); err == nil {
				sum += n
			}
		})
	}
	return sum
}

// numbers are those of the entries that came, how often.
func (c *collector) numbers() map[int64]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[int64]int{}
	for _, m := range c.messages {
		n, err := strconv.ParseInt(m.params["n"], 10, 64)
		if err != nil {
			c.t.Error(err)
		}
		out[n]++
	}
	return out
}

// site is a log with its forwarder, which can be started again.
type site struct {
	t      *testing.T
	dir    string
	log    *audit.Log
	opts   audit.Options
	f      *Forwarder
	change func(*Options)
	stop   func()
}

func newSite(t *testing.T, address string, change func(*Options)) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), change: change, opts: audit.Options{FileBytes: 4000, TotalBytes: 1 << 20, SyncEvery: 5 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)}}
	s.openLog()
	s.start(address)
	t.Cleanup(func() {
		s.stop()
		s.log.Close()
	})
	return s
}

func (s *site) openLog() {
	s.t.Helper()
	var err error
	if s.log, err = audit.Open(filepath.Join(s.dir, "audit"), s.opts); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) start(address string) {
	s.t.Helper()
	o := Options{Log: s.log, Transport: "tcp", Address: address, CursorFile: filepath.Join(s.dir, "syslog.cursor"), Host: "boot", Logger: slog.New(slog.DiscardHandler),
		MinWait: 5 * time.Millisecond, MaxWait: 50 * time.Millisecond, Settle: 40 * time.Millisecond}
	if s.change != nil {
		s.change(&o)
	}
	f, err := New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	s.f = f
	s.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				s.t.Error(err)
			}
		case <-time.After(60 * time.Second):
			s.t.Error("the forwarder does not end")
		}
	})
}

func (s *site) write(n int) {
	s.t.Helper()
	for range n {
		if err := s.log.Write(s.t.Context(), fleet.AuditEntry{Actor: "anna", Action: "step.done", Outcome: "ok", Reason: "a reason"}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// eventually waits for what must come.
func (s *site) eventually(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(90 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("never: %s; %+v", what, s.f.Status())
		}
	}
}

// settled waits until nothing is behind.
func (s *site) settled() {
	s.t.Helper()
	s.eventually("all entries count as forwarded", func() bool { st := s.f.Status(); return st.Lag == 0 && st.Connected })
}

// whole checks that every entry from the first to the last came, to collectors of
// before or to this one, which may still be reading what its machine acknowledged.
func (s *site) whole(last int64, c *collector, before ...map[int64]int) {
	s.t.Helper()
	var missing []int64
	all := func() bool {
		missing = nil
		numbers := append(slices.Clone(before), c.numbers())
		for n := int64(1); n <= last; n++ {
			if !slices.ContainsFunc(numbers, func(m map[int64]int) bool { return m[n] > 0 }) {
				missing = append(missing, n)
			}
		}
		return len(missing) == 0
	}
	for deadline := time.Now().Add(60 * time.Second); !all(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Errorf("of %d entries these never came: %v", last, missing)
			return
		}
	}
}

// What stood in the log, what comes, over rotations of the log: each arrives once.
func TestForwardsEverything(t *testing.T) {
	c := collect(t, "127.0.0.1:0", nil)
	s := newSite(t, c.address(), nil)
	s.write(250)
	s.settled()
	s.write(30)
	s.settled()
	s.whole(280, c)
	for n, times := range c.numbers() {
		if times != 1 {
			t.Errorf("entry %d came %d times", n, times)
		}
	}
	if st := s.f.Status(); st.Forwarded != 280 || st.Missed != 0 || st.LastError != "" || st.Collector != "tcp://"+c.address() {
		t.Errorf("status %+v", st)
	}
	if f := s.f.Figures(); f["connected"] != 1 || f["forwarded_total"] != 280 || f["lag_entries"] != 0 {
		t.Errorf("figures %v", f)
	}
}

// The collector goes away and comes back, again and again, while entries come:
// none is lost, and auditing does not notice.
func TestCollectorDownAndUp(t *testing.T) {
	c := collect(t, "127.0.0.1:0", nil)
	address := c.address()
	s := newSite(t, address, nil)
	var seen []map[int64]int
	var last int64
	for range 5 {
		s.write(20)
		s.eventually("entries come", func() bool { return len(c.numbers()) > 0 })
		c.stop()
		seen = append(seen, c.numbers())
		s.write(20)
		s.eventually("the failure is told", func() bool { st := s.f.Status(); return !st.Connected && st.LastError != "" && st.Lag > 0 })
		last += 40
		c = collect(t, address, nil)
	}
	s.settled()
	s.whole(last, c, seen...)
	if st := s.f.Status(); st.LastError != "" || !st.ErrorAt.IsZero() {
		t.Errorf("the old failure is still told: %+v", st)
	}
}

// Restarts of the appliance, also while the collector is down, also with the log
// turned over meanwhile.
func TestRestarts(t *testing.T) {
	c := collect(t, "127.0.0.1:0", nil)
	address := c.address()
	s := newSite(t, address, nil)
	s.write(60)
	s.settled()
	for i := range 4 {
		s.stop()
		if i == 1 {
			c.stop()
		}
		s.write(60)
		if err := s.log.Close(); err != nil {
			t.Fatal(err)
		}
		s.openLog()
		s.start(address)
		if i == 0 {
			s.settled() // and nothing came again
		}
	}
	seen := c.numbers()
	for n, times := range seen {
		if n <= 120 && times != 1 {
			t.Errorf("entry %d came %d times: the cursor was not kept", n, times)
		}
	}
	c = collect(t, address, nil)
	s.settled()
	s.whole(300, c, seen)
}

// A collector that takes connections and reads nothing holds nobody up, and
// nothing counts as forwarded until its machine has acknowledged it.
func TestADeafCollector(t *testing.T) {
	c := collect(t, "127.0.0.1:0", nil)
	c.mu.Lock()
	c.deaf = true
	c.mu.Unlock()
	s := newSite(t, c.address(), nil)
	for range 150 {
		if err := s.log.Write(t.Context(), fleet.AuditEntry{Actor: "anna", Action: "x", Outcome: "ok", Reason: strings.Repeat("日", 400)}); err != nil {
			t.Fatal(err)
		}
	}
	// Half a megabyte is more than a receive buffer that nobody empties.
	s.eventually("a connection", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.conns) == 1 })
	for range 20 {
		time.Sleep(s.f.o.Settle / 4)
		if st := s.f.Status(); st.Lag == 0 {
			t.Fatalf("all counts as forwarded: %+v", st)
		}
	}
	began := time.Now()
	s.stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v to end", took)
	}
}

// A collector that crashes with entries in its machine's buffers gets them again.
func TestACollectorThatCrashes(t *testing.T) {
	c := collect(t, "127.0.0.1:0", nil)
	c.mu.Lock()
	c.deaf = true
	c.mu.Unlock()
	s := newSite(t, c.address(), func(o *Options) { o.Settle = time.Minute })
	s.write(5)
	s.eventually("a connection", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.conns) == 1 })
	for range 10 {
		s.write(1)
	}
	c.stop()
	c = collect(t, c.address(), nil)
	s.eventually("all entries came", func() bool { return len(c.numbers()) == 15 })
}

// Entries that the log dropped before they went out are counted, once.
func TestDroppedEntriesAreCounted(t *testing.T) {
	c := collect(t, "127.0.0.1:0", nil)
	address := c.address()
	s := newSite(t, address, nil)
	s.write(5)
	s.settled()
	s.stop()
	c.stop()
	if err := s.log.Close(); err != nil {
		t.Fatal(err)
	}
	s.opts.TotalBytes = 12000
	s.openLog()
	s.write(400)
	oldest, err := s.log.ReadAfter(0).Next(1)
	if err != nil || oldest[0].Number < 100 {
		t.Fatal(oldest, err)
	}
	collect(t, address, nil)
	s.start(address)
	s.settled()
	want := oldest[0].Number - 6
	if st := s.f.Status(); st.Missed != want {
		t.Errorf("status %+v, the oldest is %d", st, oldest[0].Number)
	}
	s.f.missed(6, oldest[0].Number-1) // come by again over another connection
	if st := s.f.Status(); st.Missed != want {
		t.Errorf("counted twice: %+v", st)
	}
}

// Another log under the same numbers, e.g. of a restored backup, is forwarded from
// its beginning.
func TestAnotherLog(t *testing.T) {
	c := collect(t, "127.0.0.1:0", nil)
	s := newSite(t, c.address(), nil)
	s.write(50)
	s.settled()
	s.stop()
	for _, n := range []int{50, 10} {
		if err := s.log.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(s.dir, "audit")); err != nil {
			t.Fatal(err)
		}
		s.openLog()
		for range n {
			if err := s.log.Write(t.Context(), fleet.AuditEntry{Actor: "ben", Action: "other", Outcome: "ok"}); err != nil {
				t.Fatal(err)
			}
		}
		s.start(c.address())
		s.settled()
		s.stop()
	}
	for n, times := range c.numbers() {
		if want := 2 + map[bool]int{true: 1}[n <= 10]; times != want {
			t.Errorf("entry number %d came %d times, want %d", n, times, want)
		}
	}
}

func TestDatagrams(t *testing.T) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	address := conn.LocalAddr().(*net.UDPAddr)
	c := &collector{t: t}
	receive := func(conn *net.UDPConn) (stop func()) {
		c.wg.Go(func() {
			b := make([]byte, 1<<16)
			for {
				n, err := conn.Read(b)
				if err != nil {
					return
				}
				if n > maxDatagram {
					t.Errorf("a datagram of %d bytes", n)
				}
				c.keep(string(b[:n]))
			}
		})
		return func() { conn.Close(); c.wg.Wait() }
	}
	stop := receive(conn)
	s := newSite(t, address.String(), func(o *Options) { o.Transport = "udp" })
	s.write(150)
	s.settled()
	s.whole(150, c) // what lies unread is gone with the socket
	stop()
	s.write(20) // nobody is there: the machine says so
	s.eventually("the failure is told", func() bool { return s.f.Status().LastError != "" })
	if conn, err = net.ListenUDP("udp", address); err != nil {
		t.Fatal(err)
	}
	defer receive(conn)()
	s.settled()
	s.whole(170, c)
}

// authority writes a CA file and returns the configuration of a server it signed
// for that name or address.
func authority(t *testing.T, name string) (file string, config *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, DNSNames: []string{name}}
	if ip := net.ParseIP(name); ip != nil {
		template.DNSNames, template.IPAddresses = nil, []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

func TestTLS(t *testing.T) {
	file, config := authority(t, "127.0.0.1")
	wrap := func(l net.Listener) net.Listener { return tls.NewListener(l, config) }
	c := collect(t, "127.0.0.1:0", wrap)
	address := c.address()
	s := newSite(t, address, func(o *Options) { o.Transport, o.CAFile = "tls", file })
	s.write(120)
	s.settled()
	c.stop()
	seen := c.numbers()
	s.write(20)
	s.eventually("the failure is told", func() bool { return s.f.Status().LastError != "" })
	c = collect(t, address, wrap)
	s.settled()
	s.whole(140, c, seen)
}

// Nothing is told to a collector whose certificate is not what was configured.
func TestTLSRefusesAStranger(t *testing.T) {
	_, config := authority(t, "127.0.0.1")
	other, _ := authority(t, "127.0.0.1")
	elsewhere, named := authority(t, "logs.example.org")
	for name, c := range map[string]struct {
		file   string
		config *tls.Config
	}{"another authority": {other, config}, "the system's authorities": {"", config}, "another name": {elsewhere, named}} {
		k := collect(t, "127.0.0.1:0", func(l net.Listener) net.Listener { return tls.NewListener(l, c.config) })
		s := newSite(t, k.address(), func(o *Options) { o.Transport, o.CAFile = "tls", c.file })
		s.write(3)
		s.eventually("the failure is told", func() bool { return strings.Contains(s.f.Status().LastError, "certificate") })
		s.stop()
		if len(k.numbers()) != 0 {
			t.Errorf("%s: entries were sent", name)
		}
	}
}

func TestBadFilesAreToldAtTheStart(t *testing.T) {
	dir := t.TempDir()
	log, err := audit.Open(filepath.Join(dir, "audit"), audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	empty, newer := filepath.Join(dir, "empty.pem"), filepath.Join(dir, "newer")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(newer, []byte(`{"format":9,"number":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]Options{
		"no such file": {CAFile: filepath.Join(dir, "none")}, "holds no certificate": {CAFile: empty}, "newer version": {CursorFile: newer},
	} {
		o.Log, o.Transport, o.Address = log, "tls", "127.0.0.1:1"
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

func TestWaitsGrow(t *testing.T) {
	f := &Forwarder{o: Options{}.withDefaults()}
	for failures, most := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 7: time.Minute, 1000: time.Minute} {
		lowest, highest := time.Hour, time.Duration(0)
		for range 200 {
			d := f.wait(failures)
			lowest, highest = min(lowest, d), max(highest, d)
		}
		if highest > most || lowest < most/2 || highest-lowest < most/8 {
			t.Errorf("after %d failures: %v to %v, want %v to %v", failures, lowest, highest, most/2, most)
		}
	}
}
