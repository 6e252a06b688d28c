package installed

import "fmt"

// Warnings says what is unsafe about the configuration, one line each. The files
// of the certificate are looked at when they are read.
func (c Config) Warnings() []string {
	if !c.secrets() || !readByOthers(c.Path) {
		return nil
	}
	return []string{fmt.Sprintf("%s holds a passcode or password and can be read by others than its owner; run: %s", c.Path, closeToOthers(c.Path))}
}

func (c Config) secrets() bool {
	for _, v := range c.Variables {
		if v.Secret {
			return true
		}
	}
	return c.Passcode != ""
}
