// Command init is a stand-in for the agent in tests: it prints what it sees and
// powers the machine off.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"
)

func main() {
	_ = syscall.Mount("proc", "/proc", "proc", 0, "")
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	id, _ := os.ReadFile("/etc/slipway/installation")
	dep, _ := os.ReadFile("/lib/modules/" + strings.TrimSpace(string(release)) + "/modules.dep")
	fmt.Printf("INIT installation=%s modules=%d\n", strings.TrimSpace(string(id)), strings.Count(string(dep), "\n"))
	firmware, _ := filepath.Glob("/lib/firmware/*/*")
	fmt.Printf("INIT firmware=%v\n", firmware)
	target, err := os.Readlink("/bin/sh")
	fmt.Printf("INIT sh=%s %v\n", target, err)
	load("virtio_net", strings.TrimSpace(string(release)), string(dep))
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
}

// load loads a module with what it needs, from the end of its modules.dep line.
func load(name, release, dep string) {
	for line := range strings.Lines(dep) {
		path, needs, _ := strings.Cut(strings.TrimSpace(line), ":")
		if filepath.Base(path) != name+".ko" {
			continue
		}
		files := append([]string{path}, strings.Fields(needs)...)
		for i := len(files) - 1; i >= 0; i-- {
			fmt.Printf("INIT load %s: %v\n", filepath.Base(files[i]), finit("/lib/modules/"+release+"/"+files[i]))
		}
	}
}

func finit(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	empty := []byte{0}
	const sysFinitModule = 313 // amd64
	_, _, e := syscall.Syscall(sysFinitModule, f.Fd(), uintptr(unsafe.Pointer(&empty[0])), 0)
	if e != 0 {
		return e
	}
	return nil
}
