package installed

import (
	"fmt"
	"os"
	"runtime"
)

// Warnings says what is unsafe about the configuration, one line each. The files
// of the certificate are looked at when they are read.
func (c Config) Warnings() []string {
	if !c.secrets() || !readByOthers(c.Path) {
		return nil
	}
	return []string{fmt.Sprintf("%s holds a passcode or password and can be read by others than its owner; run: chmod 600 %[1]s", c.Path)}
}

func (c Config) secrets() bool {
	for _, v := range c.Variables {
		if v.Secret {
			return true
		}
	}
	return c.Passcode != ""
}

// readByOthers looks at the mode bits. Windows has none: there it is the folder's
// access list that protects.
func readByOthers(name string) bool {
	info, err := os.Stat(name)
	return err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o044 != 0
}

// changeableByOthers looks at a file that is open: who can change it commands the agent.
func changeableByOthers(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && runtime.GOOS != "windows" && info.Mode().IsRegular() && info.Mode().Perm()&0o022 != 0
}
