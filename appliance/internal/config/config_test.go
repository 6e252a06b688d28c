package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	c, err := Load(Source{File: write(t, "")})
	if err != nil {
		t.Fatal(err)
	}
	if c.DHCP != (DHCP{"proxy", 67, 4011}) || c.TFTP.Listen != ":69" || c.HTTP.Listen != ":8080" || c.HTTPS.Listen != ":8443" || c.Log != (Log{"text", "info"}) {
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
	for _, c := range []struct{ name, body, want string }{
		{"unknown key", "dat: x\n", `line 1: unknown key "dat"`},
		{"unknown nested key", "dhcp:\n  moode: proxy\n", `line 2: unknown key "dhcp.moode"`},
		{"not yaml", "data: [", "line 1"},
		{"two documents", "data: a\n---\ndata: b\n", "more than one YAML document"},
		{"advertise", "advertise: my-host\n", "not an IPv4 address"},
		{"mode", "dhcp: {mode: server}\n", `dhcp.mode: "server" is unknown`},
		{"future mode", "dhcp: {mode: authoritative}\n", "not in this version"},
		{"port", "dhcp: {port: 70000}\n", "dhcp.port: 70000 is not a port"},
		{"port type", "dhcp: {port: many}\n", "line 1"},
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
		}
		if c.name == "future mode" && !errors.Is(err, ErrNotInThisVersion) {
			t.Errorf("%v must be ErrNotInThisVersion", err)
		}
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, err := Load(Source{File: write(t, "dhcp: {mode: x, port: 0}\nlog: {format: xml}\n")})
	for _, want := range []string{"dhcp.mode", "dhcp.port", "log.format"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
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
