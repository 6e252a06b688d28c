package installed

import (
	"fmt"
	"os"
	"runtime"
)

// Warnings says what is unsafe about the files of a configuration, one line each.
func (c Config) Warnings() []string {
	var list []string
	warn := func(name, holds string) {
		if name != "" && readByOthers(name) {
			list = append(list, fmt.Sprintf("%s holds %s and can be read by others than its owner; run: chmod 600 %[1]s", name, holds))
		}
	}
	if c.Passcode != "" || c.secrets() {
		warn(c.Path, "a passcode or password")
	}
	key := c.Certificate.Key
	if key == "" {
		key = c.Certificate.File
	}
	warn(key, "a private key")
	warn(c.Certificate.PKCS12, "a private key")
	warn(c.Certificate.PasswordFile, "the password of a private key")
	return list
}

func (c Config) secrets() bool {
	for _, v := range c.Variables {
		if v.Secret {
			return true
		}
	}
	return false
}

// readByOthers looks at the mode bits. Windows has none: there it is the folder's
// access list that protects.
func readByOthers(name string) bool {
	info, err := os.Stat(name)
	return err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o044 != 0
}
