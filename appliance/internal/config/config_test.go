package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, body string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "slipway.yaml")
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestDefaultsAreTheContract(t *testing.T) {
	file := write(t, "")
	c, err := Load(Source{File: file})
	if err != nil {
		t.Fatal(err)
	}
	if d := Default(); d.Data != "./data" || c.Data != filepath.Join(filepath.Dir(file), "data") || c.Advertise != "" || len(c.Interfaces) != 0 {
		t.Errorf("defaults are %+v, loaded %+v", d, c)
	}
	if !reflect.DeepEqual(c.DHCP, DHCP{Mode: "proxy", Port: 67, PXEPort: 4011}) || c.RA.Answer != "off" || c.TFTP.Listen != ":69" || c.HTTP.Listen != ":8080" || c.HTTPS.Listen != ":8443" || c.Log != (Log{"text", "info"}) {
		t.Errorf("defaults are %+v", c)
	}
}

func TestOrderIsFileEnvironmentFlag(t *testing.T) {
	file := write(t, "https: {listen: ':1001'}\nhttp: {listen: ':1002'}\ntftp: {listen: ':1003'}\n")
	c, err := Load(Source{File: file,
		Environ:   []string{"SLIPWAY_HTTP_LISTEN=:2002", "SLIPWAY_TFTP_LISTEN=:2003", "SLIPWAY_INTERFACES=eth0, eth1"},
		Overrides: map[string]string{"tftp.listen": ":3003"}})
	if err != nil {
		t.Fatal(err)
	}
	if c.HTTPS.Listen != ":1001" || c.HTTP.Listen != ":2002" || c.TFTP.Listen != ":3003" || len(c.Interfaces) != 2 {
		t.Errorf("got %+v", c)
	}
}

func TestDataIsRelativeToTheFile(t *testing.T) {
	file := write(t, "data: state\n")
	c, err := Load(Source{File: file})
	if err != nil || c.Data != filepath.Join(filepath.Dir(file), "state") {
		t.Errorf("data %q, %v", c.Data, err)
	}
}

func TestBadConfigurationSaysWhatToDo(t *testing.T) {
	long := strings.Repeat("x", 120)
	const authoritative = "dhcp: {mode: authoritative, subnets: "
	for _, c := range []struct{ name, body, want string }{
		{"unknown key", "dat: x\n", `line 1: unknown key "dat"`},
		{"unknown nested key", "dhcp:\n  moode: proxy\n", `line 2: unknown key "dhcp.moode"`},
		{"not yaml", "data: [", "slipway.yaml: line 1: is not YAML: "},
		{"two documents", "data: a\n---\ndata: b\n", "more than one YAML document"},
		{"advertise", "advertise: my-host\n", "not an IPv4 address"},
		{"advertise to a group", "advertise: 239.1.2.3\n", "not an IPv4 address"},
		{"advertise to nobody", "advertise: 0.0.0.0\n", "not an IPv4 address"},
		{"interface", "interfaces: [eth0, 'eth0/1']\n", `interfaces: "eth0/1" cannot be the name`},
		{"long interface", "interfaces: [a-name-of-17-chars]\n", `interfaces: "a-name-of-17-chars" cannot be the name`},
		{"one port for both", "dhcp: {port: 4011}\n", "dhcp.pxe_port: must differ from dhcp.port (4011)"},
		{"TFTP by IPv6", "tftp: {listen: '[::1]:69'}\n", "tftp.listen: ::1 is not an IPv4 address"},
		{"one listener for both", "http: {listen: ':8443'}\n", "http.listen and https.listen are the same"},
		{"one port of an address", "http: {listen: '127.0.0.1:8443'}\nhttps: {listen: '0.0.0.0:8443'}\n", "http.listen and https.listen are the same"},
		{"mode", "dhcp: {mode: server}\n", `dhcp.mode: "server" is unknown`},
		{"answer", "ra: {answer: 'on'}\n", `ra.answer: "on" is unknown; use "off" or "inert"`},
		{"unknown ra key", "ra:\n  anser: off\n", `line 2: unknown key "ra.anser"`},
		{"answer without DHCP", "ra: {answer: inert}\ndhcp: {mode: 'off'}\n", "ra.answer: \"inert\" answers only machines"},
		{"no subnet", "dhcp: {mode: authoritative}\n", "dhcp.subnets: dhcp.mode \"authoritative\" needs at least one network"},
		{"subnets of a proxy", "dhcp: {subnets: [{subnet: 192.0.2.0/24, range: 192.0.2.1-192.0.2.9}]}\n", "dhcp.subnets: addresses are handed out only with"},
		{"forced proxy", "dhcp: {force: true}\n", "dhcp.force: goes with"},
		{"force", "dhcp: {force: perhaps}\n", `line 1: dhcp.force: "perhaps" is neither true nor false`},
		{"unknown subnet key", "dhcp:\n  subnets:\n    - sub: x\n", `line 3: unknown key "dhcp.subnets.sub"`},
		{"subnet", authoritative + "[{subnet: 192.0.2.0, range: 192.0.2.1-192.0.2.9}]}\n", "dhcp.subnets: 192.0.2.0: subnet: \"192.0.2.0\" is not a network"},
		{"subnet with host", authoritative + "[{subnet: 192.0.2.5/24, range: 192.0.2.1-192.0.2.9}]}\n", "dhcp.subnets: 192.0.2.5/24: is not an IPv4 network"},
		{"range", authoritative + "[{subnet: 192.0.2.0/24, range: 192.0.2.1}]}\n", "range: \"192.0.2.1\" is not of the form"},
		{"range elsewhere", authoritative + "[{subnet: 192.0.2.0/24, range: 192.0.3.1-192.0.3.9}]}\n", "is not inside this network"},
		{"router", authoritative + "[{subnet: 192.0.2.0/24, range: 192.0.2.1-192.0.2.9, router: gw}]}\n", "router: \"gw\" is not an IPv4 address"},
		{"dns", authoritative + "[{subnet: 192.0.2.0/24, range: 192.0.2.1-192.0.2.9, dns: ['::1']}]}\n", "dns: \"::1\" is not an IPv4 address"},
		{"domain", authoritative + "[{subnet: 192.0.2.0/24, range: 192.0.2.1-192.0.2.9, domain: 'a b'}]}\n", "domain: \"a b\" is not a domain name"},
		{"lease", authoritative + "[{subnet: 192.0.2.0/24, range: 192.0.2.1-192.0.2.9, lease: 3 days}]}\n", "lease: \"3 days\" is not a time"},
		{"short lease", authoritative + "[{subnet: 192.0.2.0/24, range: 192.0.2.1-192.0.2.9, lease: 10s}]}\n", "lease: 10s is not between"},
		{"reservation", authoritative + "[{subnet: 192.0.2.0/24, reservations: {pc: 192.0.2.7}}]}\n", "reservations: \"pc\" is not a hardware address"},
		{"overlap", authoritative + "[{subnet: 192.0.2.0/24, range: 192.0.2.1-192.0.2.9}, {subnet: 192.0.2.128/25, range: 192.0.2.129-192.0.2.140}]}\n", "overlaps 192.0.2.0/24"},
		{"port", "dhcp: {port: 70000}\n", "dhcp.port: 70000 is not a port"},
		{"port type", "dhcp:\n  mode: proxy\n  port: many\n", `slipway.yaml: line 3: dhcp.port: "many" is not a number`},
		{"quoted port", "dhcp: {port: '67'}\n", `dhcp.port: "67" is text: write it without quotes`},
		{"half a port", "dhcp: {port: 67.5}\n", `dhcp.port: "67.5" is not a whole number`},
		{"ports", "dhcp: {port: [67]}\n", `dhcp.port: is one value, not a list`},
		{"no list", "interfaces: eth0\n", `slipway.yaml: line 1: interfaces: is a list, e.g. [eth0]`},
		{"no list of two", "interfaces: eth0, eth1\n", `interfaces: is a list, e.g. [eth0, eth1]`},
		{"section for a list", "interfaces: {eth0: yes}\n", `interfaces: is a list, not a section`},
		{"lists in a list", "interfaces:\n- eth0\n- [eth1]\n", `line 3: interfaces: entry 2: is one value, not a list`},
		{"no section", "dhcp: hello\n", `slipway.yaml: line 1: dhcp: is a section with keys of its own (mode, port, pxe_port, subnets, force), not "hello"`},
		{"list for a section", "dhcp:\n- mode: proxy\n", `line 2: dhcp: is a section with keys of its own (mode, port, pxe_port, subnets, force), not a list`},
		{"no section by alias", "log: {format: &a text}\ndhcp: *a\n", `dhcp: is a section`},
		{"no sections", "dhcp:\n  subnets: {subnet: 192.0.2.0/24}\n", `line 2: dhcp.subnets: is a list of sections, each of which begins with "- ", not a section`},
		{"no reservations", "dhcp:\n  subnets:\n  - reservations: [a]\n", `line 3: dhcp.subnets.reservations: is a section of lines "name: value", not a list`},
		{"no text", "hello\n", `slipway.yaml: line 1: is a section with keys of its own (data, `},
		{"a key that is no field", "\"-\": 3\n", `unknown key "-"`},
		{"time", "domain_join: {timeout: soon}\n", `domain_join.timeout: "soon" is not a time such as 90s or 2m`},
		{"time without unit", "domain_join: {timeout: 120}\n", `domain_join.timeout: "120" is not a time`},
		{"twice", "data: a\nlog: {}\ndata: b\n", `line 3: data: is there twice, the first time in line 1`},
		{"list as a key", "? [a]\n: b\n", `line 1: a list cannot be a key`},
		{"long value", "dhcp: {port: " + strings.Repeat("x", 300) + "}\n", strings.Repeat("x", 40) + `..." is not a number`},
		{"listen", "https: {listen: '8443'}\n", "https.listen"},
		{"level", "log: {level: loud}\n", "log.level"},
		{"long data path", "data: /" + long + "\n", "too long for a socket"},
		{"collector", "audit: {syslog: '192.0.2.1:514'}\n", "audit.syslog: \"192.0.2.1:514\" is not a collector"},
		{"collector scheme", "audit: {syslog: 'http://h'}\n", "is not a collector"},
		{"collector path", "audit: {syslog: 'tcp://h/x'}\n", "is not a collector"},
		{"collector user", "audit: {syslog: 'tcp://u:p@h'}\n", "is not a collector"},
		{"collector port", "audit: {syslog: 'udp://h:99999'}\n", "99999 is not a port"},
		{"collector ca", "audit: {syslog: 'tcp://h', syslog_ca: x}\n", "audit.syslog_ca: goes with a collector at tls://"},
		{"unknown audit key", "audit: {sislog: x}\n", `unknown key "audit.sislog"`},
		{"empty data", "data: ''\n", "data: must name a folder"},
	} {
		_, err := Load(Source{File: write(t, c.body)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v does not say %q", c.name, err, c.want)
			continue
		}
		// One line, of the file, without the words of a library.
		for _, not := range []string{"\n", "unmarshal", "config.", "yaml: "} {
			if said := strings.ReplaceAll(err.Error(), "slipway.yaml: ", ""); strings.Contains(said, not) {
				t.Errorf("%s: %q says %q", c.name, err, not)
			}
		}
		if !strings.Contains(err.Error(), "slipway.yaml: ") {
			t.Errorf("%s: %q does not name the file", c.name, err)
		}
	}
}

func TestSubnets(t *testing.T) {
	c, err := Load(Source{Environ: []string{"SLIPWAY_DHCP_FORCE=true"}, File: write(t, `dhcp:
  mode: authoritative
  subnets:
    - subnet: 192.0.2.0/24
      range: 192.0.2.100 - 192.0.2.200
      router: 192.0.2.1
      dns: [192.0.2.3, 198.51.100.1]
      domain: lab.example
      lease: 90m
      reservations:
        52-54-00-12-34-AB: 192.0.2.7
    - subnet: 198.51.100.0/24
      range: 198.51.100.10-198.51.100.20
`)})
	if err != nil {
		t.Fatal(err)
	}
	served, err := c.DHCP.Served()
	if err != nil || len(served) != 2 || !c.DHCP.Force {
		t.Fatalf("%+v, %v", served, err)
	}
	s := served[0]
	if s.First.String() != "192.0.2.100" || s.Last.String() != "192.0.2.200" || s.Router.String() != "192.0.2.1" || len(s.DNS) != 2 ||
		s.Domain != "lab.example" || s.Lease != 90*time.Minute || s.Reservations["52:54:00:12:34:ab"].String() != "192.0.2.7" || served[1].Lease != time.Hour {
		t.Errorf("%+v", served)
	}
}

func TestAllProblemsAtOnceOnOneLine(t *testing.T) {
	file := write(t, "dhcp: {mode: x, port: 0}\nlog: {format: xml}\n")
	_, err := Load(Source{File: file})
	want := file + `: dhcp.mode: "x" is unknown; use "proxy", "authoritative" or "off"; dhcp.port: 0 is not a port (1 to 65535); log.format: "xml" is unknown; use "text" or "json"`
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	file = write(t, "dhcp: {port: many}\ninterfaces: eth0\ndat: x\n")
	_, err = Load(Source{File: file})
	want = file + `: line 1: dhcp.port: "many" is not a number; line 2: interfaces: is a list, e.g. [eth0]; line 3: unknown key "dat"`
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

// What a variable or a flag changed is not laid at the file's door.
func TestProblemsSayWhereTheyCameFrom(t *testing.T) {
	file := write(t, "")
	_, err := Load(Source{File: file, Overrides: map[string]string{"dhcp.mode": "x"}})
	if want := file + ", with variables and flags: dhcp.mode: "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	t.Chdir(t.TempDir())
	_, err = Load(Source{Environ: []string{"SLIPWAY_DHCP_MODE=x"}})
	if want := "without a file, with variables and flags: dhcp.mode: "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

// What the YAML library reads is read: nothing given, aliases, merged sections.
func TestWhatIsReadAllTheSame(t *testing.T) {
	c, err := Load(Source{File: write(t, "data:\ndhcp:\ninterfaces: ~\nhttp: &h {listen: ':1001'}\nhttps: {<<: *h, listen: ':1002'}\ntftp: *h\ncontent: {private_addresses: yes}\n")})
	if err != nil {
		t.Fatal(err)
	}
	if c.HTTPS.Listen != ":1002" || c.TFTP.Listen != ":1001" || c.DHCP.Mode != "proxy" || !c.Content.PrivateAddresses || filepath.Base(c.Data) != "data" {
		t.Errorf("%+v", c)
	}
}

// One port of two addresses is no collision.
func TestListenersOfTwoAddresses(t *testing.T) {
	if _, err := Load(Source{File: write(t, "http: {listen: '127.0.0.1:8443'}\nhttps: {listen: '127.0.0.2:8443'}\n")}); err != nil {
		t.Error(err)
	}
}

// The files that are named have to be there, for the appliance and for who checks.
func TestFilesThatAreNamed(t *testing.T) {
	file := write(t, "audit: {syslog: 'tls://192.0.2.1', syslog_ca: ca.pem}\n")
	c, err := Load(Source{File: file})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckFiles(); err == nil || !strings.Contains(err.Error(), "audit.syslog_ca") {
		t.Errorf("missing: %v", err)
	}
	if err := os.WriteFile(c.Audit.SyslogCA, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.CheckFiles(); err == nil || !strings.Contains(err.Error(), "holds no certificate") {
		t.Errorf("no certificate: %v", err)
	}
	c.Audit.SyslogCA = ""
	if err := c.CheckFiles(); err != nil {
		t.Error(err)
	}
}

func TestAMissingNamedFileIsAnError(t *testing.T) {
	if _, err := Load(Source{File: filepath.Join(t.TempDir(), "none.yaml")}); err == nil {
		t.Error("a named file that does not exist was accepted")
	}
	t.Chdir(t.TempDir())
	if _, err := Load(Source{}); err != nil {
		t.Errorf("without a file the defaults hold: %v", err)
	}
}

// A variable that is meant for the configuration and means nothing is an error, as an
// unknown key is; those of others are not ours to judge.
func TestUnknownVariablesOfASectionAreErrors(t *testing.T) {
	for variable, want := range map[string]string{
		"SLIPWAY_DHCP_MOODE=off":          "SLIPWAY_DHCP_MOODE: no key of \"dhcp\" is set by this variable; there are SLIPWAY_DHCP_FORCE, SLIPWAY_DHCP_MODE",
		"SLIPWAY_DHCP_SUBNETS=x":          "SLIPWAY_DHCP_SUBNETS: no key of \"dhcp\"",
		"SLIPWAY_HTTPS=:8443":             "there are SLIPWAY_HTTPS_LISTEN",
		"SLIPWAY_LOG_LEVELS=":             "SLIPWAY_LOG_LEVELS",
		"SLIPWAY_DOMAIN_JOIN_COMMAND=/x":  "set in the configuration file only",
		"SLIPWAY_CONFIG=":                 "",
		"SLIPWAY_IMAGE=none":              "",
		"SLIPWAY_PASSCODE=x":              "",
		"SLIPWAY_LAB_TIME_FACTOR=2":       "",
		"SLIPWAY_SOAK=1":                  "",
		"SLIPWAY_SEED=1":                  "",
		"SLIPWAY_SHOTS=1":                 "",
		"SLIPWAY_WIMBOOT=/x":              "",
		"SLIPWAY_STATE_DIR=/x":            "",
		"SLIPWAY_INTERFACE=eth1":          "",
		"SLIPWAY_DATABASE_OF_SOMEBODY=on": "",
		"SLIPWAY_HTTPS_LISTEN=:9443":      "",
	} {
		t.Chdir(t.TempDir())
		_, err := Load(Source{Environ: []string{variable}})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", variable, err)
		}
	}
}

// A variable that is spelled nearly as one of ours is told of. It is no error: it may be
// another program's.
func TestMisspelledVariablesAreToldOf(t *testing.T) {
	for variable, want := range map[string]string{
		"SLIPWAY_ADVERTIZE":    "SLIPWAY_ADVERTISE",
		"SLIPWAY_ADVERTIS":     "SLIPWAY_ADVERTISE",
		"SLIPWAY_ADEVRTISE":    "SLIPWAY_ADVERTISE",
		"SLIPWAY_INTERFACE":    "SLIPWAY_INTERFACES",
		"SLIPWAY_DATE":         "SLIPWAY_DATA",
		"SLIPWAY_DCHP_MODE":    "SLIPWAY_DHCP_MODE",
		"SLIPWAY_LOGLEVEL":     "SLIPWAY_LOG_LEVEL",
		"SLIPWAY_HTTPX_LISTEN": "SLIPWAY_HTTPS_LISTEN SLIPWAY_HTTP_LISTEN",
		"SLIPWAY_CONFG":        "SLIPWAY_CONFIG",
		"SLIPWAY_DATA":         "",
		"SLIPWAY_CONFIG":       "",
		"SLIPWAY_DATABASE":     "",
		"SLIPWAY_DOTS":         "",
		"SLIPWAY_ADVERTISING":  "",
		"SLIPWAY_":             "",
		"XLIPWAY_DATA":         "",
		"MY_SLIPWAY_ADVERTIZE": "",
	} {
		t.Chdir(t.TempDir())
		c, err := Load(Source{Environ: []string{variable + "="}})
		if variable == "SLIPWAY_DATA" {
			c, err = Load(Source{Environ: []string{variable + "=x"}})
		}
		var got []string
		for _, u := range c.Unused {
			got = append(got, u.Nearest...)
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v", variable, got, err)
		}
	}
}

// The variables of this repository's tests, scripts and units are neither refused nor
// told of. SLIPWAY_INTERFACE, which lab/provision.sh takes, is near to a key: the script
// keeps it from the commands.
func TestOwnVariablesOfTheRepository(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	names := map[string]bool{}
	found := regexp.MustCompile(`\bSLIPWAY_[A-Z_]*[A-Z]\b`)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".ci" && path != root:
			return filepath.SkipDir
		case d.IsDir() || filepath.Base(path) == "config_test.go" || !slices.Contains([]string{"Makefile", "Vagrantfile", "run"}, d.Name()) && !slices.Contains([]string{".go", ".sh", ".service"}, filepath.Ext(path)):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, name := range found.FindAllString(string(text), -1) {
			names[name] = true
		}
		return err
	})
	if err != nil || !names["SLIPWAY_SOAK"] || !names["SLIPWAY_PASSCODE"] {
		t.Fatalf("%d names, %v", len(names), err)
	}
	for _, key := range Keys() {
		delete(names, EnvironmentName(key))
	}
	delete(names, "SLIPWAY_INTERFACE")
	delete(names, "SLIPWAY_ADVERTIZE") // misspelled by a test
	t.Chdir(t.TempDir())
	for name := range names {
		if c, err := Load(Source{Environ: []string{name + "="}}); sectionOf(name) == "" && (err != nil || len(c.Unused) > 0) {
			t.Errorf("%s: %v, %v", name, err, c.Unused)
		}
	}
}

func TestBadEnvironmentNamesTheVariable(t *testing.T) {
	_, err := Load(Source{File: write(t, ""), Environ: []string{"SLIPWAY_DHCP_PORT=x"}})
	if err == nil || !strings.Contains(err.Error(), "SLIPWAY_DHCP_PORT") {
		t.Errorf("got %v", err)
	}
}

func TestCollector(t *testing.T) {
	file := write(t, "audit: {syslog: 'tls://[2001:db8::1]', syslog_ca: ca.pem}\n")
	c, err := Load(Source{File: file})
	if err != nil {
		t.Fatal(err)
	}
	if c.Audit.SyslogCA != filepath.Join(filepath.Dir(file), "ca.pem") {
		t.Errorf("the file is %s", c.Audit.SyslogCA)
	}
	for in, want := range map[string]string{
		"tls://[2001:db8::1]": "tls [2001:db8::1]:6514", "udp://logs.example": "udp logs.example:514", "tcp://192.0.2.1": "tcp 192.0.2.1:601", "tcp://h:1514": "tcp h:1514",
	} {
		transport, address, err := Audit{Syslog: in}.Collector()
		if err != nil || transport+" "+address != want {
			t.Errorf("%s: %s %s, %v", in, transport, address, err)
		}
	}
}
