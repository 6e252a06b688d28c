package lab

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// namePrefix begins every name the lab makes. The owner's process id and start
// time follow: a process id alone may be somebody else's by now.
const namePrefix = "slwlab"

func ownName() (string, error) {
	start, err := startTime(os.Getpid())
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s-%d-%d", namePrefix, os.Getpid(), start), nil
}

// startTime returns when a process started, in clock ticks since boot
// (proc(5), /proc/[pid]/stat field 22).
func startTime(pid int) (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The command name may hold spaces and brackets; fields are counted after it.
	_, rest, ok := strings.Cut(string(b[strings.LastIndexByte(string(b), ')'):]), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return 0, fmt.Errorf("/proc/%d/stat is not understood", pid)
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

// orphaned says whether a name was made by a lab process that is gone.
func orphaned(name string) bool {
	parts := strings.SplitN(name, "-", 4)
	if len(parts) < 4 || parts[0] != namePrefix {
		return false
	}
	pid, err1 := strconv.Atoi(parts[1])
	start, err2 := strconv.ParseUint(parts[2], 10, 64)
	if err1 != nil || err2 != nil {
		return false
	}
	now, err := startTime(pid)
	return err != nil || now != start
}

// Reap removes the namespaces, processes and folders of labs whose process is
// gone. Labs that still run are left alone.
func Reap(log *slog.Logger) error {
	var errs []error
	names, _ := os.ReadDir("/run/netns")
	for _, n := range names {
		if !orphaned(n.Name()) {
			continue
		}
		log.Info("removing a namespace of a lab that is gone", "namespace", n.Name())
		killInside(n.Name())
		errs = append(errs, command("ip", "netns", "del", n.Name()))
	}
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), namePrefix+"-*"))
	for _, d := range dirs {
		if orphaned(filepath.Base(d)) {
			errs = append(errs, os.RemoveAll(d))
		}
	}
	return errors.Join(errs...)
}

// killInside ends the processes of a namespace that the lab made; nobody else
// has processes there.
func killInside(namespace string) {
	out, err := exec.Command("ip", "netns", "pids", namespace).Output()
	if err != nil {
		return
	}
	for _, f := range strings.Fields(string(out)) {
		if pid, err := strconv.Atoi(f); err == nil && pid > 1 && pid != os.Getpid() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// command runs a tool and puts what it said into the error.
func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
