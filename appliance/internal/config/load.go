package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// DefaultFile is read when neither a flag nor SLIPWAY_CONFIG names a file.
const DefaultFile = "slipway.yaml"

// maxFile bounds the configuration file, in bytes.
const maxFile = 1 << 20

// Source is where a configuration comes from.
type Source struct {
	File      string            // from --config; empty: SLIPWAY_CONFIG, else ./slipway.yaml when it exists
	Environ   []string          // os.Environ()
	Overrides map[string]string // key ("dhcp.mode") to value, from flags
}

// Load reads, merges and validates. A missing file is an error only when it was named.
func Load(s Source) (Config, error) {
	c := Default()
	file, named := s.file()
	body, err := readFile(file)
	where := file
	switch {
	case err == nil:
		if err := decode(body, &c); err != nil {
			return c, fmt.Errorf("%s: %w", file, err)
		}
	case errors.Is(err, fs.ErrNotExist) && !named:
		where = "without a file"
	default:
		return c, fmt.Errorf("configuration: %w", err)
	}
	read := c
	if err := c.fromEnvironment(s.Environ); err != nil {
		return c, err
	}
	for _, key := range sortedKeys(s.Overrides) {
		if err := c.set(key, s.Overrides[key]); err != nil {
			return c, fmt.Errorf("flag for %s: %w", key, err)
		}
	}
	if !reflect.DeepEqual(read, c) {
		where += ", with variables and flags"
	}
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("%s: %w", where, onOneLine{err})
	}
	if err := c.resolve(file); err != nil {
		return c, fmt.Errorf("%s: %w", where, err)
	}
	return c, nil
}

// resolve makes folders and files absolute: relative to the configuration file, so
// that every command finds the same from wherever it is called.
func (c *Config) resolve(file string) error {
	if !filepath.IsAbs(c.Data) {
		c.Data = filepath.Join(filepath.Dir(file), c.Data)
	}
	abs, err := filepath.Abs(c.Data)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	c.Data = abs
	if c.Audit.SyslogCA != "" && !filepath.IsAbs(c.Audit.SyslogCA) {
		if c.Audit.SyslogCA, err = filepath.Abs(filepath.Join(filepath.Dir(file), c.Audit.SyslogCA)); err != nil {
			return fmt.Errorf("audit.syslog_ca: %w", err)
		}
	}
	_, err = c.SocketPath()
	return err
}

func (s Source) file() (name string, named bool) {
	if s.File != "" {
		return s.File, true
	}
	for _, kv := range s.Environ {
		if v, ok := strings.CutPrefix(kv, namesFile+"="); ok && v != "" {
			return v, true
		}
	}
	return DefaultFile, false
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(body) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxFile)
	}
	return body, err
}

// decode reads one YAML document; an unknown key is an error that names it.
func decode(body []byte, c *Config) error {
	d := yaml.NewDecoder(bytes.NewReader(body))
	d.KnownFields(true)
	err := d.Decode(c)
	if errors.Is(err, io.EOF) {
		return nil // an empty file
	}
	var te *yaml.TypeError
	if err != nil && !errors.As(err, &te) {
		return readable(err)
	}
	if problems := lookThrough(body); problems != nil {
		return problems
	}
	if err != nil {
		return readable(err)
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return errors.New("holds more than one YAML document; keep one")
	}
	return nil
}

// lookThrough says what is wrong with a document that is YAML.
func lookThrough(body []byte) error {
	var document yaml.Node
	if err := yaml.Unmarshal(body, &document); err != nil {
		return readable(err)
	}
	var p problems
	for _, n := range document.Content {
		p.look(n, "", reflect.TypeFor[Config]())
	}
	return p.err()
}

// Keys are the keys that a SLIPWAY_ variable or a flag can set.
func Keys() []string {
	return sortedKeys((&Config{}).fields())
}

// prefix is that of all our variables; namesFile is the one that names the file.
const (
	prefix    = "SLIPWAY_"
	namesFile = prefix + "CONFIG"
)

// EnvironmentName is the variable of a key: dhcp.pxe_port is SLIPWAY_DHCP_PXE_PORT.
func EnvironmentName(key string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func (c *Config) fields() map[string]any {
	return map[string]any{
		"data": &c.Data, "advertise": &c.Advertise, "interfaces": &c.Interfaces,
		"dhcp.mode": &c.DHCP.Mode, "dhcp.port": &c.DHCP.Port, "dhcp.pxe_port": &c.DHCP.PXEPort,
		"dhcp.force":  &c.DHCP.Force,
		"ra.answer":   &c.RA.Answer,
		"boot.uefi":   &c.Boot.UEFI,
		"tftp.listen": &c.TFTP.Listen, "http.listen": &c.HTTP.Listen, "https.listen": &c.HTTPS.Listen,
		"log.format": &c.Log.Format, "log.level": &c.Log.Level,
		"audit.syslog": &c.Audit.Syslog, "audit.syslog_ca": &c.Audit.SyslogCA,
		"content.private_addresses": &c.Content.PrivateAddresses,
	}
}

func (c *Config) fromEnvironment(environ []string) error {
	names := map[string]string{}
	for _, key := range Keys() {
		names[EnvironmentName(key)] = key
	}
	known := append(sortedKeys(names), namesFile)
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		key, ok := names[name]
		if !ok {
			if section := sectionOf(name); section != "" {
				return unknownVariable(name, section)
			}
			if near := nearest(name, known); len(near) > 0 {
				c.Unused = append(c.Unused, Unused{name, near})
			}
			continue
		}
		if err := c.set(key, value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// sectionOf is the section of the configuration that a variable seems to be meant for,
// else "": tests, scripts and programs have SLIPWAY_ variables of their own.
func sectionOf(name string) string {
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		if t.Field(i).Type.Kind() != reflect.Struct {
			continue
		}
		section := t.Field(i).Tag.Get("yaml")
		if prefix := EnvironmentName(section); name == prefix || strings.HasPrefix(name, prefix+"_") {
			return section
		}
	}
	return ""
}

// unknownVariable names the variables that there are.
func unknownVariable(name, section string) error {
	var known []string
	for _, key := range Keys() {
		if strings.HasPrefix(key, section+".") {
			known = append(known, EnvironmentName(key))
		}
	}
	if len(known) == 0 {
		return fmt.Errorf("%s: what stands under %q is set in the configuration file only", name, section)
	}
	return fmt.Errorf("%s: no key of %q is set by this variable; there are %s", name, section, strings.Join(known, ", "))
}

func (c *Config) set(key, value string) error {
	switch p := c.fields()[key].(type) {
	case *string:
		*p = value
	case *int:
		n, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("%q is not a number", value)
		}
		*p = n
	case *bool:
		v, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", value)
		}
		*p = v
	case *[]string:
		*p = nil
		for _, v := range strings.Split(value, ",") {
			if v = strings.TrimSpace(v); v != "" {
				*p = append(*p, v)
			}
		}
	default:
		return fmt.Errorf("unknown key %q", key)
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
