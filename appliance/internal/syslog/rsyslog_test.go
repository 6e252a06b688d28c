package syslog

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"slipway/fleet"
)

// rsyslog is a real rsyslogd on a loopback port, with a configuration of its own
// that writes every message as a line of JSON.
type rsyslog struct {
	t       *testing.T
	dir     string
	address string
	cmd     *exec.Cmd
	log     bytes.Buffer
}

// line is what rsyslog understood of a message.
type line struct {
	Pri, Time, Host, App, Proc, MsgID, SD, Msg, Protocol string
}

const rsyslogTemplate = `template(name="j" type="list" option.jsonf="on") {
  property(outname="Pri" name="pri" format="jsonf")
  property(outname="Time" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="Host" name="hostname" format="jsonf")
  property(outname="App" name="app-name" format="jsonf")
  property(outname="Proc" name="procid" format="jsonf")
  property(outname="MsgID" name="msgid" format="jsonf")
  property(outname="SD" name="structured-data" format="jsonf")
  property(outname="Msg" name="msg" format="jsonf")
  property(outname="Protocol" name="protocol-version" format="jsonf")
}
`

// newRsyslog writes the configuration: module is the line of the input's module,
// input that of the input, with its port as %s.
func newRsyslog(t *testing.T, global, module, input string) *rsyslog {
	t.Helper()
	if _, err := exec.LookPath("rsyslogd"); err != nil {
		t.Fatal("rsyslogd is not installed: `make test` installs it (Debian packages rsyslog, rsyslog-gnutls)")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &rsyslog{t: t, dir: t.TempDir(), address: l.Addr().String()}
	l.Close()
	_, port, err := net.SplitHostPort(r.address)
	if err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf("global(workDirectory=%q %s)\n%s\n%s%s\naction(type=\"omfile\" file=%q template=\"j\")\n",
		r.dir, strings.ReplaceAll(global, "%d", r.dir), module, rsyslogTemplate, fmt.Sprintf(input, port), r.output())
	if err := os.WriteFile(filepath.Join(r.dir, "rsyslog.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.stop() })
	return r
}

func (r *rsyslog) output() string { return filepath.Join(r.dir, "out.jsonl") }

func (r *rsyslog) start() {
	r.t.Helper()
	r.cmd = exec.Command("rsyslogd", "-n", "-f", filepath.Join(r.dir, "rsyslog.conf"), "-i", filepath.Join(r.dir, "pid"))
	r.cmd.Stdout, r.cmd.Stderr = &r.log, &r.log
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rsyslog) stop() {
	if r.cmd == nil {
		return
	}
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	_ = r.cmd.Wait()
	r.cmd = nil
	if r.t.Failed() {
		r.t.Logf("rsyslogd says: %s", r.log.String())
	}
}

// lines are the messages that came, by the number of their entry.
func (r *rsyslog) lines() map[int64][]line {
	out := map[int64][]line{}
	f, err := os.Open(r.output())
	if err != nil {
		return out
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var l line
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			continue // being written
		}
		if _, rest, ok := strings.Cut(l.SD, ` n="`); ok {
			digits, _, _ := strings.Cut(rest, `"`)
			if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
				out[n] = append(out[n], l)
			}
		}
	}
	return out
}

// inputs are the ways into rsyslog.
func inputs(t *testing.T) map[string]func(*Options) *rsyslog {
	return map[string]func(*Options) *rsyslog{
		"udp": func(*Options) *rsyslog {
			return newRsyslog(t, "", `module(load="imudp")`, `input(type="imudp" address="127.0.0.1" port="%s")`+"\n")
		},
		"tcp": func(*Options) *rsyslog {
			return newRsyslog(t, "", `module(load="imtcp")`, `input(type="imtcp" address="127.0.0.1" port="%s")`+"\n")
		},
		"tls": func(o *Options) *rsyslog {
			file, config := authority(t, "127.0.0.1")
			o.CAFile = file
			r := newRsyslog(t, `defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="%d/ca.pem" defaultNetstreamDriverCertFile="%d/ca.pem" defaultNetstreamDriverKeyFile="%d/key.pem"`,
				`module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")`, `input(type="imtcp" address="127.0.0.1" port="%s")`+"\n")
			key, err := x509.MarshalPKCS8PrivateKey(config.Certificates[0].PrivateKey)
			if err != nil {
				t.Fatal(err)
			}
			ca, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for name, data := range map[string][]byte{"ca.pem": ca, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})} {
				if err := os.WriteFile(filepath.Join(r.dir, name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			return r
		},
	}
}

// A real collector understands every message as it was meant, and has every entry
// although it is restarted while they come, as is the appliance.
func TestRsyslog(t *testing.T) {
	for transport, input := range inputs(t) {
		t.Run(transport, func(t *testing.T) {
			var o Options
			r := input(&o)
			r.start()
			s := newSite(t, r.address, func(x *Options) {
				x.Transport, x.CAFile, x.Installation, x.Settle = transport, o.CAFile, "abcdefghij234567", 300*time.Millisecond
				if transport != "udp" { // a stop takes rsyslog longer on a busy machine, and it reads nothing meanwhile
					x.Settle = 3 * time.Second
				}
			})
			// Over UDP nothing tells that the collector is there.
			s.eventually("rsyslog listens", func() bool { return listening(transport, r.address) })
			entries := testEntries()[:3]
			for i := range entries {
				if err := s.log.Write(t.Context(), entries[i]); err != nil {
					t.Fatal(err)
				}
			}
			s.write(150)
			last := int64(153)
			all := func() bool { got := r.lines(); return int64(len(got)) == last }
			s.eventually("rsyslog has all entries", all)
			s.settled()
			if transport != "udp" { // which cannot know what was lost while nobody listened
				for range 2 {
					r.stop()
					s.write(40)
					s.stop()
					r.start()
					s.write(10)
					last += 50
					s.start(r.address)
				}
				s.eventually("rsyslog has all entries after restarts", all)
			}
			got := r.lines()
			for i, e := range entries {
				l := got[int64(i+1)][0]
				e.Format, e.Number = 1, int64(i+1)
				checkLine(t, l, e)
			}
		})
	}
}

// listening reports whether somebody has the port, as the kernel's tables say.
func listening(transport, address string) bool {
	_, port, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(port)
	table, state := "/proc/net/tcp", " 0A "
	if transport == "udp" {
		table, state = "/proc/net/udp", " 07 "
	}
	data, err := os.ReadFile(table)
	return err == nil && strings.Contains(string(data), fmt.Sprintf("0100007F:%04X 00000000:0000%s", n, state))
}

func checkLine(t *testing.T, l line, e fleet.AuditEntry) {
	t.Helper()
	want := line{Pri: fmt.Sprint(13*8 + severity(e.Outcome)), Host: "boot", App: "slipway", Proc: "-", MsgID: e.Action, Protocol: "1",
		SD: element(params(e, Origin{Installation: "abcdefghij234567"}), maxStream), Msg: text(e)}
	if at, err := time.Parse(time.RFC3339Nano, l.Time); err != nil || !at.Equal(e.Time) {
		t.Errorf("entry %d: time %s", e.Number, l.Time)
	}
	l.Time = ""
	l.Msg = strings.TrimPrefix(l.Msg, bom)
	if l != want {
		t.Errorf("entry %d: rsyslog has\n%+v, want\n%+v", e.Number, l, want)
	}
}
