package installed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"slipway/agent/internal/durable"
	"slipway/agent/internal/steps"
	"slipway/agent/internal/targetstate"
)

// defaultConfig is empty: there is none on Linux.
func defaultConfig() string { return "" }

// defaultState is where an unfinished deployment keeps what it needs to go on.
func defaultState() string { return targetstate.Folder }

// Start carries out slipway-agent start and returns its exit code.
func Start(args []string, version string, stdin *os.File, stdout, stderr io.Writer) int {
	o, err := parseArgs(args)
	if errors.Is(err, errHelp) {
		fmt.Fprint(stdout, Usage())
		return ExitSucceeded
	}
	if err != nil {
		fmt.Fprintln(stderr, "slipway-agent start:", oneLine(err.Error()))
		return ExitUsage
	}
	o.unattended = o.unattended || !isTerminal(stdin)
	a := &agent{options: o, version: version, stdin: stdin, out: newLines(stdout, time.Now), errs: newLines(stderr, time.Now),
		network: newRunning(os.DirFS("/")), facts: gather(os.DirFS("/"), runtime.GOARCH),
		power: initPower{}, autostart: newSystemd(o.state), exec: steps.LinuxExec{Env: environment()},
		temporary: "/run/slipway-agent", unplace: func() error { return unplace("/") }, now: time.Now, toDisk: toDisk, allowed: isRoot}
	signals := []os.Signal{syscall.SIGTERM}
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGHUP} {
		if !signal.Ignored(s) { // nohup, a job in the background
			signals = append(signals, s)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	return a.run(ctx)
}

// toDisk writes the system's own file system to the disk. Others are left out: one over the
// network may never answer.
func toDisk() error {
	if err := durable.FileSystem(os.Open("/")); err != nil {
		return fmt.Errorf("write the system to the disk: %w", err)
	}
	return nil
}

func isRoot() error {
	if os.Geteuid() != 0 {
		return errors.New("run it as root: the steps of a task sequence change the system")
	}
	return nil
}

// environment is what commands of steps find, as in a root login shell.
func environment() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=dumb", "LANG=C.UTF-8"}
}

func (a *agent) installService(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("the agent's own path: %w", err)
	}
	if inMemory(self) || inMemory(a.config.Path) {
		return fmt.Errorf("%s or %s lies in memory", self, a.config.Path)
	}
	return a.autostart.install(ctx, []string{self, "start", "--unattended", "--config", a.config.Path, "--state", a.state.dir})
}
