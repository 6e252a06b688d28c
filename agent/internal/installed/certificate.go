package installed

import (
	"crypto/tls"
	"errors"
	"fmt"
)

// Certificate says where the machine's own certificate is. Paths are absolute.
type Certificate struct {
	File, Key    string // PEM; without Key it stands in File
	PKCS12       string
	PasswordFile string // first line: what opens Key or PKCS12
	Store        Store  // Windows' machine store
}

// Store names a certificate in Windows' machine store.
type Store struct {
	Subject, Issuer string // texts that are part of the names
}

// Given reports whether the configuration names a certificate.
func (c Certificate) Given() bool { return c.File != "" || c.PKCS12 != "" || c.Store != Store{} }

// certificate takes the member Certificate. Relative paths count from dir.
func (c *Config) certificate(value []byte, where, dir string) error {
	to := &c.Certificate
	err := fields(value, where, map[string]func([]byte, string) error{
		"File":         text(&to.File),
		"Key":          text(&to.Key),
		"PKCS12":       text(&to.PKCS12),
		"PasswordFile": text(&to.PasswordFile),
		"Store": func(v []byte, where string) error {
			return fields(v, where, map[string]func([]byte, string) error{
				"Subject": text(&to.Store.Subject),
				"Issuer":  text(&to.Store.Issuer),
			})
		},
	})
	if err != nil {
		return err
	}
	ways := 0
	for _, given := range []bool{to.File != "", to.PKCS12 != "", to.Store != Store{}} {
		if given {
			ways++
		}
	}
	switch {
	case ways > 1:
		return fmt.Errorf("%s names more than one certificate: give one of File, PKCS12 and Store", where)
	case to.Key != "" && to.File == "":
		return fmt.Errorf("%s.Key is given without %s.File", where, where)
	case to.PasswordFile != "" && to.File == "" && to.PKCS12 == "":
		return fmt.Errorf("%s.PasswordFile is given without a file that it opens", where)
	}
	for _, p := range []*string{&to.File, &to.Key, &to.PKCS12, &to.PasswordFile} {
		*p = absolute(dir, *p)
	}
	return nil
}

// load reads the certificate with its key.
func (c Certificate) load() (tls.Certificate, error) {
	if c.File == "" {
		return tls.Certificate{}, errors.New("only PEM files are read in this version")
	}
	key := c.Key
	if key == "" {
		key = c.File
	}
	return tls.LoadX509KeyPair(c.File, key)
}
