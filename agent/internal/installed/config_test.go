package installed

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"slipway/agent/wire"
)

// golden is the file that the appliance prints.
func golden(t testing.TB) []byte {
	t.Helper()
	content, err := os.ReadFile("testdata/agent-config.json")
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// with returns the golden file with members replaced (nil: left out).
func with(t testing.TB, change map[string]any) []byte {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(golden(t), &m); err != nil {
		t.Fatal(err)
	}
	for k, v := range change {
		if v == nil {
			delete(m, k)
		} else {
			m[k] = v
		}
	}
	content, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func noFile(string) ([]byte, error) { return nil, fs.ErrNotExist }

func TestThePrintedFileIsRead(t *testing.T) {
	c, err := parse(golden(t), "/etc/slipway", noFile)
	if err != nil {
		t.Fatal(err)
	}
	if c.Server != "192.0.2.10:8443" || c.Installation != "abcdefghijklmnop" || len(c.Authorities) != 1 ||
		c.Authorities[0].Subject.CommonName != "Slipway CA" || c.Certificate != nil || c.Variables != nil || c.Passcode != "" {
		t.Errorf("%+v", c)
	}
}

func TestVariables(t *testing.T) {
	content := with(t, map[string]any{
		"Certificate": map[string]any{"file": "device.pem", "KEY": "/etc/device.key"},
		"Variables": map[string]any{"tsid": "abc:3", "PASSCODE": "correct horse", "Peering": "false",
			"Applications": []string{"a", "b"}, "AdminPassword": "hunter2"},
	})
	c, err := parse(append([]byte("\xef\xbb\xbf"), content...), "/etc/slipway", noFile)
	if err != nil {
		t.Fatal(err)
	}
	if c.Sequence != "abc:3" || c.Passcode != "correct horse" {
		t.Errorf("sequence %q, passcode %q", c.Sequence, c.Passcode)
	}
	if c.Certificate == nil || c.Certificate.CertFile != "/etc/slipway/device.pem" || c.Certificate.KeyFile != "/etc/device.key" {
		t.Errorf("certificate %+v", c.Certificate)
	}
	got := map[string]wire.Variable{}
	for _, v := range c.Variables {
		got[v.Name] = v
	}
	want := map[string]wire.Variable{
		"tsid":          {Name: "tsid", Value: json.RawMessage(`"abc:3"`)},
		"Peering":       {Name: "Peering", Value: json.RawMessage(`"false"`)},
		"Applications":  {Name: "Applications", Value: json.RawMessage(`["a","b"]`)},
		"AdminPassword": {Name: "AdminPassword", Value: json.RawMessage(`"hunter2"`), Secret: true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("variables %+v", got)
	}
}

// Each mistake is one line that names what is wrong, and never a secret's value.
func TestMistakes(t *testing.T) {
	variables := func(v any) []byte {
		return with(t, map[string]any{"Variables": v})
	}
	certificate := func(v map[string]any) []byte {
		return with(t, map[string]any{"Certificate": v})
	}
	tests := []struct {
		name    string
		content []byte
		want    string
	}{
		{"empty", nil, "line 1: it ends in the middle"},
		{"not JSON", []byte("Server: x\n"), "line 1: invalid character"},
		{"a later line", []byte("{\n \"Server\": \"x\",\n}\n"), "line 3: "},
		{"a list", []byte("[]"), "the file is to be an object"},
		{"cut", []byte(`{"Server": "x"`), "it ends in the middle"},
		{"something behind", append(golden(t), "{}"...), "something follows after the last }"},
		{"unknown key", with(t, map[string]any{"Sever": "x"}), "Sever is not known"},
		{"unknown key below", certificate(map[string]any{"Pfx": "x"}), "Certificate.Pfx is not known"},
		{"unknown key with control characters", with(t, map[string]any{"a\x1b[2J\nb": "x"}), `"a\x1b[2J\nb" is not known`},
		{"a key twice", []byte(`{"Server": "x", "server": "y"}`), "server stands there twice"},
		{"a number", with(t, map[string]any{"Server": 7}), "Server is to be a text in quotes"},
		{"null", []byte(`{"Server": null}`), "Server is to be a text in quotes"},
		{"no server", with(t, map[string]any{"Server": nil}), "Server is missing"},
		{"blank server", with(t, map[string]any{"Server": " "}), "Server is missing"},
		{"an address with a path", with(t, map[string]any{"Server": "https://x/y"}), "Server is to be an address"},
		{"no installation", with(t, map[string]any{"Installation": ""}), "Installation is missing"},
		{"odd installation", with(t, map[string]any{"Installation": "A b"}), "Installation is to be the appliance's id"},
		{"no CA", with(t, map[string]any{"CA": nil}), "CA is missing"},
		{"CA file missing", with(t, map[string]any{"CA": "ca.pem"}), "CA: file does not exist"},
		{"CA is a key", with(t, map[string]any{"CA": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}), "not \"PRIVATE KEY\""},
		{"CA is damaged", with(t, map[string]any{"CA": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}), "cannot be read"},
		{"CA is cut", with(t, map[string]any{"CA": "-----BEGIN CERTIFICATE-----\nAAAA\n"}), "CA holds no certificate"},
		{"two certificates", certificate(map[string]any{"File": "a", "PKCS12": "b"}), "Certificate names more than one certificate"},
		{"key alone", certificate(map[string]any{"Key": "a"}), "Certificate.Key is given without"},
		{"password alone", certificate(map[string]any{"PasswordFile": "a"}), "Certificate.PasswordFile is given without"},
		{"password for PEM", certificate(map[string]any{"File": "a", "PasswordFile": "a"}), "Certificate.PasswordFile is given without Certificate.PKCS12"},
		{"file and store", certificate(map[string]any{"File": "a", "Store": map[string]any{}}), "Certificate names more than one"},
		{"unknown key in the store", certificate(map[string]any{"Store": map[string]any{"Thumb": "a"}}), "Certificate.Store.Thumb is not known"},
		{"certificate is a text", with(t, map[string]any{"Certificate": "a.pem"}), "Certificate is to be an object"},
		{"a number as variable", variables(map[string]any{"Passcode": 12345678}), "Variables.Passcode is to be a text in quotes"},
		{"a truth value", variables(map[string]any{"Peering": false}), "Variables.Peering is to be a text in quotes"},
		{"null in a list", variables(map[string]any{"Apps": []any{"a", nil}}), "Variables.Apps is to be a list of texts"},
		{"an object", variables(map[string]any{"Passcode": map[string]any{"a": "secret"}}), "Variables.Passcode is to be a text"},
		{"a list as passcode", variables(map[string]any{"Passcode": []string{"secret"}}), "Variables.Passcode is to be one text"},
		{"a read-only name", variables(map[string]any{"_Environment": "linuxpe"}), "Variables._Environment: variables that begin with _"},
		{"an odd name", variables(map[string]any{"a b": "x"}), "cannot be a variable name"},
		{"an odd sequence", variables(map[string]any{"TSID": "{1234}"}), "neither an id nor id:version"},
		{"variables are a list", variables([]string{"a"}), "Variables is to be an object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(tt.content, "/etc/slipway", noFile)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if line := err.Error(); strings.ContainsAny(line, "\n\x1b") || strings.Contains(line, "secret\"") || strings.Contains(line, "12345678") {
				t.Errorf("not one harmless line: %q", line)
			}
		})
	}
}

func TestACertificateToBeFilledInIsNone(t *testing.T) {
	for _, tt := range []struct {
		member map[string]any
		want   bool
	}{
		{map[string]any{}, false}, {map[string]any{"File": "", "Key": ""}, false},
		{map[string]any{"Store": map[string]any{}}, true}, {map[string]any{"PKCS12": "a.p12", "PasswordFile": "b"}, true},
	} {
		c, err := parse(with(t, map[string]any{"Certificate": tt.member}), "/etc/slipway", noFile)
		if err != nil || (c.Certificate != nil) != tt.want {
			t.Errorf("%v: %+v, %v", tt.member, c.Certificate, err)
		}
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "none.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	name := filepath.Join(dir, "agent.json")
	write := func(path string, content []byte, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(path, content, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask is
			t.Fatal(err)
		}
	}
	write(name, []byte(`{"Sever": ""}`), 0o600)
	if _, err := Load(name); err == nil || err.Error() != "the configuration "+name+": Sever is not known" {
		t.Errorf("got %v", err)
	}
	write(name, bytes.Repeat([]byte(" "), maxFile+1), 0o600)
	if _, err := Load(name); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("large file: %v", err)
	}
	var m struct{ CA string }
	if err := json.Unmarshal(golden(t), &m); err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(dir, "ca.pem"), []byte(m.CA), 0o644)
	write(name, with(t, map[string]any{"CA": "ca.pem"}), 0o644)
	c, err := Load(name)
	if err != nil || len(c.Authorities) != 1 || c.Path != name {
		t.Fatalf("%+v, %v", c, err)
	}
	write(filepath.Join(dir, "ca.pem"), []byte(m.CA), 0o664)
	if _, err := Load(name); err == nil || !strings.Contains(err.Error(), "ca.pem can be changed by others") {
		t.Errorf("a CA that others can change: %v", err)
	}
	write(name, golden(t), 0o666)
	if _, err := Load(name); err == nil || !strings.Contains(err.Error(), "agent.json can be changed by others") {
		t.Errorf("a configuration that others can change: %v", err)
	}
	write(name, golden(t), 0o644)
	if w := c.Warnings(); len(w) != 0 {
		t.Errorf("warnings without a secret: %q", w)
	}
}

func TestReadableSecretsAreWarnedOf(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, mode os.FileMode) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p, mode); err != nil {
			t.Fatal(err)
		}
		return p
	}
	open, group, closed := file("open", 0o644), file("group", 0o640), file("closed", 0o600)
	secretVariable := []wire.Variable{{Name: "AdminPassword", Secret: true}}
	tests := []struct {
		name string
		c    Config
		want int
	}{
		{"nothing secret", Config{Path: open}, 0},
		{"passcode", Config{Path: open, Passcode: "x"}, 1},
		{"passcode, for the group", Config{Path: group, Passcode: "x"}, 1},
		{"passcode, closed", Config{Path: closed, Passcode: "x"}, 0},
		{"secret variable", Config{Path: open, Variables: secretVariable}, 1},
	}
	for _, tt := range tests {
		got := tt.c.Warnings()
		if len(got) != tt.want {
			t.Errorf("%s: %q", tt.name, got)
		}
		for _, line := range got {
			if strings.Contains(line, "\n") || !strings.Contains(line, "chmod 600 "+dir) {
				t.Errorf("%s: %q", tt.name, line)
			}
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add(golden(f))
	f.Add(with(f, map[string]any{"Variables": map[string]any{"TSID": "a:1", "Passcode": "p", "Apps": []string{"a"}}}))
	f.Add(with(f, map[string]any{"Certificate": map[string]any{"PKCS12": "a.p12", "PasswordFile": "b", "Store": map[string]any{}}}))
	f.Add([]byte(`{"Server":"a","CA":"ca.pem"}`))
	f.Add([]byte(`{"a":{"b":[[[[`))
	var ca struct{ CA string }
	if err := json.Unmarshal(golden(f), &ca); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := parse(content, "/etc/slipway", func(string) ([]byte, error) { return []byte(ca.CA), nil })
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b\x00") {
				t.Errorf("not one harmless line: %q", err)
			}
			return
		}
		if c.Server == "" || c.Installation == "" || len(c.Authorities) == 0 {
			t.Errorf("accepted without what is needed: %+v", c)
		}
		for _, v := range c.Variables {
			if strings.EqualFold(v.Name, "Passcode") || strings.HasPrefix(v.Name, "_") {
				t.Errorf("%s would be sent", v.Name)
			}
		}
	})
}
