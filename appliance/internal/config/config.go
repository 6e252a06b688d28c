// Package config reads the appliance's configuration: defaults, then the YAML
// file, then SLIPWAY_* variables, then flags. Everything is checked before any
// socket opens. Settings that change while running live in state, not here.
package config

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway/fleet"
	"slipway/netboot"
)

// Config is the appliance's configuration as in docs/configuration.md.
type Config struct {
	Data       string   `yaml:"data"`       // folder of state, boot images, logs; relative to the configuration file
	Advertise  string   `yaml:"advertise"`  // address devices reach; empty: that of the interface that heard them
	Interfaces []string `yaml:"interfaces"` // empty: all that are up, not loopback
	DHCP       DHCP     `yaml:"dhcp"`
	Boot       Boot     `yaml:"boot"`
	RA         RA       `yaml:"ra"`
	TFTP       Listener `yaml:"tftp"`
	HTTP       Listener `yaml:"http"`
	HTTPS      Listener `yaml:"https"`
	Log        Log      `yaml:"log"`
	Audit      Audit    `yaml:"audit"`
	Content    Content  `yaml:"content"`

	DomainJoin DomainJoin `yaml:"domain_join"`

	Unused []Unused `yaml:"-"` // variables that are probably misspelled: to be told of
}

// DHCP is how the appliance takes part in DHCP.
type DHCP struct {
	Mode    string `yaml:"mode"` // proxy, authoritative, off
	Port    int    `yaml:"port"`
	PXEPort int    `yaml:"pxe_port"`

	Subnets []Subnet `yaml:"subnets"` // networks whose addresses are handed out (authoritative)
	Force   bool     `yaml:"force"`   // hand them out although another DHCP server answers there
}

// Boot is how devices are booted.
type Boot struct {
	UEFI string `yaml:"uefi"` // what UEFI firmware is given first: one of fleet.BootWays
}

// RA is what router solicitations of booting machines get.
type RA struct {
	Answer string `yaml:"answer"` // off, inert
}

// The answers to router solicitations.
const (
	AnswerOff   = "off"
	AnswerInert = "inert" // ends iPXE's wait for IPv6, gives nobody a route or an address
)

// Listener is an address to listen on, "host:port" with an optional host.
type Listener struct {
	Listen string `yaml:"listen"`
}

// Log is the form and level of the appliance's own log.
type Log struct {
	Format string `yaml:"format"` // text, json
	Level  string `yaml:"level"`  // debug, info, warn, error
}

// Audit is where the entries of the audit log are forwarded to.
type Audit struct {
	Syslog   string `yaml:"syslog"`    // collector: udp://host:514, tcp://host:601, tls://host:6514; empty: none
	SyslogCA string `yaml:"syslog_ca"` // PEM file the collector's certificate chains to; relative to the configuration file
}

// DomainJoin is how computer accounts are made for the step Offline domain join.
type DomainJoin struct {
	Command []string      `yaml:"command"` // program and arguments; empty: joins are not set up
	Timeout time.Duration `yaml:"timeout"` // how long the program may take
}

// Content is what holds for content items.
type Content struct {
	PrivateAddresses bool `yaml:"private_addresses"` // files may be fetched from private and local addresses
}

// The modes of DHCP.
const (
	ModeProxy         = "proxy"
	ModeAuthoritative = "authoritative"
	ModeOff           = "off"
)

// Default is the configuration of an empty file.
func Default() Config {
	return Config{
		Data:  "./data",
		DHCP:  DHCP{Mode: ModeProxy, Port: 67, PXEPort: 4011},
		Boot:  Boot{UEFI: string(fleet.BootByIPXE)},
		RA:    RA{Answer: AnswerOff},
		TFTP:  Listener{Listen: ":69"},
		HTTP:  Listener{Listen: ":8080"},
		HTTPS: Listener{Listen: ":8443"},
		Log:   Log{Format: "text", Level: "info"},

		DomainJoin: DomainJoin{Timeout: 2 * time.Minute},
	}
}

// Validate says what is wrong, every problem on a line of its own.
func (c Config) Validate() error {
	var problems []error
	bad := func(key, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s: %w", key, fmt.Errorf(format, args...)))
	}
	if strings.TrimSpace(c.Data) == "" {
		bad("data", "must name a folder, e.g. ./data")
	}
	if c.Advertise != "" {
		if a, err := netip.ParseAddr(c.Advertise); err != nil || !a.Is4() || a.IsUnspecified() || a.IsMulticast() {
			bad("advertise", "%q is not an IPv4 address that devices can reach, e.g. 192.0.2.10", c.Advertise)
		}
	}
	for _, name := range c.Interfaces {
		if !netboot.ValidInterface(name) {
			bad("interfaces", "%q cannot be the name of a network interface", name)
		}
	}
	switch c.DHCP.Mode {
	case ModeProxy, ModeAuthoritative, ModeOff:
	default:
		bad("dhcp.mode", "%q is unknown; use %q, %q or %q", c.DHCP.Mode, ModeProxy, ModeAuthoritative, ModeOff)
	}
	c.DHCP.authority(bad)
	switch {
	case c.RA.Answer != AnswerOff && c.RA.Answer != AnswerInert:
		bad("ra.answer", "%q is unknown; use %q or %q", c.RA.Answer, AnswerOff, AnswerInert)
	case c.RA.Answer == AnswerInert && c.DHCP.Mode == ModeOff:
		bad("ra.answer", "%q answers only machines that asked by DHCP, and dhcp.mode is %q", AnswerInert, ModeOff)
	}
	for _, p := range []struct {
		key  string
		port int
	}{{"dhcp.port", c.DHCP.Port}, {"dhcp.pxe_port", c.DHCP.PXEPort}} {
		if p.port < 1 || p.port > 65535 {
			bad(p.key, "%d is not a port (1 to 65535)", p.port)
		}
	}
	if c.DHCP.Port == c.DHCP.PXEPort {
		bad("dhcp.pxe_port", "must differ from dhcp.port (%d)", c.DHCP.Port)
	}
	if !slices.Contains(fleet.BootWays(), fleet.BootWay(c.Boot.UEFI)) {
		bad("boot.uefi", "%q is unknown; use one of %v", c.Boot.UEFI, fleet.BootWays())
	}
	for _, l := range []struct{ key, value string }{{"tftp.listen", c.TFTP.Listen}, {"http.listen", c.HTTP.Listen}, {"https.listen", c.HTTPS.Listen}} {
		if _, err := Port(l.value); err != nil {
			bad(l.key, "%q is not an address to listen on, e.g. \":8443\" or \"192.0.2.10:8443\"", l.value)
		}
	}
	if a, _, err := listenAddress(c.TFTP.Listen); err == nil && a.IsValid() && !a.Is4() {
		bad("tftp.listen", "%s is not an IPv4 address (firmware loads by IPv4)", a)
	}
	if c.HTTP.collides(c.HTTPS) {
		problems = append(problems, fmt.Errorf("http.listen and https.listen are the same: %q and %q", c.HTTP.Listen, c.HTTPS.Listen))
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		bad("log.format", "%q is unknown; use \"text\" or \"json\"", c.Log.Format)
	}
	if _, err := c.Log.SlogLevel(); err != nil {
		bad("log.level", "%q is unknown; use \"debug\", \"info\", \"warn\" or \"error\"", c.Log.Level)
	}
	if c.Audit.Syslog != "" {
		if _, _, err := c.Audit.Collector(); err != nil {
			bad("audit.syslog", "%w", err)
		}
	}
	if c.Audit.SyslogCA != "" && !strings.HasPrefix(c.Audit.Syslog, "tls://") {
		bad("audit.syslog_ca", "goes with a collector at tls://, and audit.syslog is %q", c.Audit.Syslog)
	}
	if command := c.DomainJoin.Command; len(command) > 0 && !filepath.IsAbs(command[0]) {
		bad("domain_join.command", "%q is not the full path of a program", command[0])
	}
	if c.DomainJoin.Timeout < time.Second || c.DomainJoin.Timeout > 10*time.Minute {
		bad("domain_join.timeout", "%s is not between 1s and 10m", c.DomainJoin.Timeout)
	}
	return errors.Join(problems...)
}

// Collector returns the transport ("udp", "tcp", "tls") and "host:port" of the
// collector. The ports that may be left out are those of RFC 5426 3.3, RFC 6587 3.2
// (as rsyslog and others serve it) and RFC 5425 4.1.
func (a Audit) Collector() (transport, address string, err error) {
	ports := map[string]string{"udp": "514", "tcp": "601", "tls": "6514"}
	u, err := url.Parse(a.Syslog)
	if err != nil || ports[u.Scheme] == "" || u.Hostname() == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return "", "", fmt.Errorf("%q is not a collector; write udp://192.0.2.10:514, tcp://host:601 or tls://host:6514", a.Syslog)
	}
	port := cmp.Or(u.Port(), ports[u.Scheme])
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", "", fmt.Errorf("%q: %s is not a port (1 to 65535)", a.Syslog, port)
	}
	return u.Scheme, net.JoinHostPort(u.Hostname(), port), nil
}

// SlogLevel is the level as slog knows it.
func (l Log) SlogLevel() (slog.Level, error) {
	var level slog.Level
	err := level.UnmarshalText([]byte(l.Level))
	return level, err
}

// Port returns the port of a listen address.
func Port(listen string) (int, error) {
	_, port, err := listenAddress(listen)
	return port, err
}

// listenAddress reads a listen address. The address is invalid where none is given.
func listenAddress(listen string) (a netip.Addr, port int, err error) {
	host, number, err := net.SplitHostPort(listen)
	if err != nil {
		return a, 0, err
	}
	if host != "" {
		if a, err = netip.ParseAddr(host); err != nil {
			return a, 0, err
		}
	}
	port, err = strconv.Atoi(number)
	if err != nil || port < 1 || port > 65535 {
		return a, 0, fmt.Errorf("port %q is not between 1 and 65535", number)
	}
	return a, port, nil
}

// collides reports whether two listeners want the same port of the same address.
func (l Listener) collides(other Listener) bool {
	a, port, err := listenAddress(l.Listen)
	b, port2, err2 := listenAddress(other.Listen)
	if err != nil || err2 != nil || port != port2 {
		return false
	}
	all := func(a netip.Addr) bool { return !a.IsValid() || a.IsUnspecified() }
	return a == b || all(a) || all(b)
}

// CheckFiles says what is wrong with the files that the configuration names. Only the
// appliance itself needs them: the other commands do not ask.
func (c Config) CheckFiles() error {
	if c.Audit.SyslogCA == "" {
		return nil
	}
	pem, err := os.ReadFile(c.Audit.SyslogCA)
	if err != nil {
		return fmt.Errorf("audit.syslog_ca: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		return fmt.Errorf("audit.syslog_ca: %s holds no certificate", c.Audit.SyslogCA)
	}
	return nil
}

// maxSocketPath is the room for a path in a Unix socket address, with its final
// zero byte (unix(7), sun_path).
const maxSocketPath = 107

// SocketPath is where the running appliance answers the commands of its own machine.
func (c Config) SocketPath() (string, error) {
	path := filepath.Join(c.Data, "slipway.sock")
	if len(path) > maxSocketPath {
		return "", fmt.Errorf("data: the path %s is too long for a socket (%d characters, %d allowed); choose a shorter data folder", path, len(path), maxSocketPath)
	}
	return path, nil
}
