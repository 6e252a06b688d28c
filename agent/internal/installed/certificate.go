package installed

import (
	"fmt"

	"slipway/agent/internal/certificate"
)

// certificate takes the member Certificate. Relative paths count from dir. A
// member that names nothing, as in a file to be filled in, is no certificate.
func (c *Config) certificate(value []byte, where, dir string) error {
	var to certificate.Options
	err := fields(value, where, map[string]func([]byte, string) error{
		"File":         text(&to.CertFile),
		"Key":          text(&to.KeyFile),
		"PKCS12":       text(&to.PKCS12File),
		"PasswordFile": text(&to.PasswordFile),
		"Store": func(v []byte, where string) error {
			to.Store = true
			return fields(v, where, map[string]func([]byte, string) error{
				"Subject": text(&to.StoreSubject),
				"Issuer":  text(&to.StoreIssuer),
			})
		},
	})
	if err != nil {
		return err
	}
	ways := 0
	for _, given := range []bool{to.CertFile != "", to.PKCS12File != "", to.Store} {
		if given {
			ways++
		}
	}
	switch {
	case ways > 1:
		return fmt.Errorf("%s names more than one certificate: give one of File, PKCS12 and Store", where)
	case to.KeyFile != "" && to.CertFile == "":
		return fmt.Errorf("%s.Key is given without %[1]s.File", where)
	case to.PasswordFile != "" && to.PKCS12File == "":
		return fmt.Errorf("%s.PasswordFile is given without %[1]s.PKCS12, which it opens", where)
	case ways == 0:
		return nil
	}
	for _, p := range []*string{&to.CertFile, &to.KeyFile, &to.PKCS12File, &to.PasswordFile} {
		*p = absolute(dir, *p)
	}
	c.Certificate = &to
	return nil
}
