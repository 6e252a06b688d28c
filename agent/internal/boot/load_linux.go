package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// KernelLoader loads module files below Dir by finit_module(2).
type KernelLoader struct{ Dir string }

// moduleCompressed is MODULE_INIT_COMPRESSED_FILE of finit_module(2).
const moduleCompressed = 4

// Load implements Loader.
func (k KernelLoader) Load(file string) error {
	f, err := os.Open(filepath.Join(k.Dir, filepath.FromSlash(file)))
	if err != nil {
		return err
	}
	defer f.Close()
	flags := 0
	if !strings.HasSuffix(file, ".ko") {
		flags = moduleCompressed
	}
	err = unix.FinitModule(int(f.Fd()), "", flags)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("load %s: %w", filepath.Base(file), err)
	}
	return nil
}

// ModuleDir is the folder of the running kernel's modules.
func ModuleDir() (string, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", fmt.Errorf("ask the kernel's release: %w", err)
	}
	return "/lib/modules/" + unix.ByteSliceToString(name.Release[:]), nil
}
