package installed

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"slipway/agent/internal/certificate"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// Config is what a configuration file says.
type Config struct {
	Path         string // absolute
	Server       string // "host" or "host:port"
	Installation string
	Authorities  []*x509.Certificate
	Certificate  *certificate.Options // nil: none; paths are absolute
	Sequence     string               // TSID
	Passcode     string
	Variables    []wire.Variable // all but the passcode
	Temporary    bool            // the agent was put here for one deployment: it removes itself and this file at its end
}

// maxFile bounds the configuration file and the file of authorities, in bytes.
const maxFile = 1 << 20

// Load reads a configuration file. The error is one clear line.
func Load(name string) (Config, error) {
	name, err := filepath.Abs(name)
	if err != nil {
		return Config{}, fmt.Errorf("the configuration's path: %w", err)
	}
	text, err := readFile(name)
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	c, err := parse(text, filepath.Dir(name), readFile)
	if err != nil {
		return Config{}, fmt.Errorf("the configuration %s: %w", name, err)
	}
	c.Path = name
	return c, nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if changeableByOthers(f) {
		return nil, fmt.Errorf("%s can be changed by others than its owner, who could make this computer obey another appliance; run: %s", name, closeToChanges(name))
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, maxFile)
	}
	return text, err
}

// parse reads a configuration whose relative paths count from dir.
func parse(content []byte, dir string, read func(string) ([]byte, error)) (Config, error) {
	var c Config
	var ca string
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf")) // Windows' editors begin a file with it
	err := fields(content, "", map[string]func([]byte, string) error{
		"Server":       text(&c.Server),
		"Installation": text(&c.Installation),
		"CA":           text(&ca),
		"Certificate":  func(v []byte, where string) error { return c.certificate(v, where, dir) },
		"Variables":    c.variables,
		"Temporary":    boolean(&c.Temporary),
	})
	if err != nil {
		return Config{}, err
	}
	if err := errors.Join(c.check(), c.authorities(ca, dir, read)); err != nil {
		// One line: the first of them.
		first, _, _ := strings.Cut(err.Error(), "\n")
		return Config{}, errors.New(first)
	}
	return c, nil
}

func (c *Config) check() error {
	c.Server = strings.TrimSpace(c.Server)
	c.Installation = strings.TrimSpace(c.Installation)
	switch {
	case c.Server == "":
		return wrong("Server", `is missing: the address of the appliance, such as "192.0.2.10" or "slipway.example.org:8443"`)
	case strings.ContainsAny(c.Server, " \t\r\n/\\@?#"):
		return wrong("Server", `is to be an address such as "192.0.2.10" or "slipway.example.org:8443", without https:// and path`)
	case c.Installation == "":
		return wrong("Installation", "is missing: the appliance's id (slipway agent-config prints it)")
	case strings.Trim(c.Installation, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return wrong("Installation", "is to be the appliance's id, which has only small letters and digits (slipway agent-config prints it)")
	}
	return nil
}

// wrong is an error that begins with the key it is about.
func wrong(key, text string) error { return fmt.Errorf("%s %s", key, text) }

func (c *Config) authorities(ca, dir string, read func(string) ([]byte, error)) error {
	content := []byte(ca)
	switch {
	case strings.TrimSpace(ca) == "":
		return wrong("CA", "is missing: the appliance's authorities as PEM, or the path of a PEM file (slipway agent-config prints them)")
	case !strings.Contains(ca, "-----BEGIN"):
		var err error
		if content, err = read(absolute(dir, ca)); err != nil {
			return fmt.Errorf("CA: %w", err)
		}
	}
	for {
		var block *pem.Block
		if block, content = pem.Decode(content); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("CA is to hold certificates only, not %s", quoted(block.Type))
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("CA holds a certificate that cannot be read: %w", err)
		}
		c.Authorities = append(c.Authorities, cert)
	}
	if len(c.Authorities) == 0 {
		return wrong("CA", "holds no certificate: it is to be PEM, or the path of a PEM file")
	}
	return nil
}

// variables takes the variables apart into what the agent itself needs and what
// the task sequence gets.
func (c *Config) variables(value []byte, where string) error {
	list, err := members(value, where)
	if err != nil {
		return err
	}
	for _, m := range list {
		if err := c.variable(m, at(where, m.name)); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) variable(m member, where string) error {
	list, err := texts(m.value, where)
	if err != nil {
		return err
	}
	if err := tasksequence.CheckName(m.name); err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	if tasksequence.IsReadOnly(m.name) {
		return fmt.Errorf("%s: variables that begin with _ are the agent's own and cannot be given", where)
	}
	own := map[string]*string{"TSID": &c.Sequence, "Passcode": &c.Passcode}
	if to := lookup(own, m.name); to != nil {
		if m.value[0] != '"' {
			return fmt.Errorf("%s is to be one text", where)
		}
		*to = list[0]
	}
	if strings.EqualFold(m.name, "TSID") && c.Sequence != "" {
		if _, err := tasksequence.ParseReference(c.Sequence); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
	}
	if strings.EqualFold(m.name, "Passcode") {
		return nil
	}
	c.Variables = append(c.Variables, wire.Variable{Name: m.name, Value: m.value, Secret: secret(m.name)})
	return nil
}

// texts reads a text or a list of texts.
func texts(value []byte, where string) ([]string, error) {
	if value[0] == '"' {
		var one string
		err := json.Unmarshal(value, &one)
		return []string{one}, err
	}
	var many []*string // a pointer: null is no text
	if err := json.Unmarshal(value, &many); err != nil || many == nil {
		return nil, fmt.Errorf(`%s is to be a text in quotes ("true", "42") or a list of texts`, where)
	}
	list := make([]string, 0, len(many))
	for _, item := range many {
		if item == nil {
			return nil, fmt.Errorf("%s is to be a list of texts in quotes", where)
		}
		list = append(list, *item)
	}
	return list, nil
}

// secret tells by a variable's name that its value must not be shown.
func secret(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"password", "passcode", "secret"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

func absolute(dir, name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}
