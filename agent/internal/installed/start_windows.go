package installed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"

	"slipway/agent/internal/bootstage"
	"slipway/agent/internal/facts"
	"slipway/agent/internal/session"
	"slipway/agent/internal/steps"
	"slipway/agent/internal/windowstarget"
	"slipway/agent/internal/winsys"
)

// Windows is what of the machine the program's main gives, because tests replace it.
type Windows struct {
	Network  session.Network
	Elevated func() bool
}

// Start carries out slipway-agent start and returns its exit code.
func Start(w Windows, args []string, version string, stdin *os.File, stdout, stderr io.Writer) int {
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
	a := w.agent(o, version, stdout, stderr)
	a.stdin = stdin
	// Closing the console window, logging off and shutting down come as SIGTERM.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return a.run(ctx)
}

func (w Windows) agent(o options, version string, stdout, stderr io.Writer) *agent {
	a := &agent{options: o, version: version, out: newLines(stdout, time.Now), errs: newLines(stderr, time.Now),
		network: w.Network, facts: facts.GatherWindows(), power: windowsPower{}, exec: steps.WindowsExec{},
		temporary: here(windowstarget.Folder + "/tmp"), unplace: unsettle, now: time.Now,
		allowed: func() error {
			if !w.Elevated() {
				return errors.New("run it as administrator (a command line opened with \"Run as administrator\"): the steps of a task sequence change the system")
			}
			return makePrivate(here(windowstarget.Folder))
		}}
	a.autostart = service{settle: a.settle, state: o.state}
	a.stage = &bootstage.Stage{Drive: facts.SystemDrive()[:2], Root: here(""), Run: runTool, Free: winsys.FreeSpace, Protect: windowstarget.Protect, UEFI: a.facts["IsUEFI"] == "True"}
	return a
}

// runTool runs one of Windows' tools as commands of steps are run.
func runTool(ctx context.Context, args ...string) (int, string, error) {
	var output strings.Builder
	add := func(line string) { output.WriteString(line + "\n") }
	code, err := steps.WindowsExec{}.Run(ctx, steps.Command{Args: args, Stdout: add, Stderr: add})
	return code, output.String(), err
}

// installService makes the agent start again with Windows.
func (a *agent) installService(ctx context.Context) error {
	a.config.Temporary = true // what is copied is removed at the end
	return a.autostart.install(ctx, nil)
}

// windowsPower is power of an installed Windows.
type windowsPower struct{ winsys.Power }

func (p windowsPower) restart(ctx context.Context) error { return p.Restart(ctx) }
func (p windowsPower) off(ctx context.Context) error     { return p.Off(ctx) }
func (p windowsPower) reseal(ctx context.Context) error  { return p.Reseal(ctx) }

// Elevated reports whether this process may change the system.
func Elevated() bool { return windows.GetCurrentProcessToken().IsElevated() }

// logFile is where the service writes, which has no console.
const logFile = `Logs\Slipway\agent.log`

// maxLog is the size in bytes from which the log is begun anew; one older one is kept.
const maxLog = 4 << 20

// openLog opens the log, below Windows' own folder.
func openLog() (*os.File, error) {
	dir, err := windows.GetSystemWindowsDirectory()
	if err != nil {
		return nil, fmt.Errorf("open the agent's log: %w", err)
	}
	name := filepath.Join(dir, logFile)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, fmt.Errorf("open the agent's log: %w", err)
	}
	if info, err := os.Stat(name); err == nil && info.Size() > maxLog {
		_ = os.Rename(name, name+".old")
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the agent's log: %w", err)
	}
	return f, nil
}

// Service is slipway-agent as Windows' services start it: it goes on with the unfinished
// deployment. Without one it removes itself.
func Service(w Windows, args []string, version string, stderr io.Writer) int {
	o, err := parseArgs(args)
	if err != nil {
		fmt.Fprintln(stderr, "slipway-agent service:", oneLine(err.Error()))
		return ExitUsage
	}
	log, err := openLog()
	if err != nil {
		fmt.Fprintln(stderr, "slipway-agent service:", err)
		return ExitUsage
	}
	defer log.Close()
	o.unattended, o.verbose = true, true
	to := stamped{log}
	code := ExitStopped
	err = svc.Run(windowstarget.Service, handler{work: func(ctx context.Context) int {
		code = w.service(ctx, o, version, to)
		return code
	}})
	if err != nil {
		fmt.Fprintln(stderr, "slipway-agent service: Windows' services start this, nobody else:", err)
		return ExitUsage
	}
	return code
}

func (w Windows) service(ctx context.Context, o options, version string, to io.Writer) int {
	a := w.agent(o, version, to, to)
	a.out.say("slipway-agent %s starts as a service", version)
	if err := winsys.AfterSetup(ctx, func() { a.out.say("Waiting for the end of Windows Setup") }); err != nil {
		return a.fail(ExitStopped, err)
	}
	text, _ := os.ReadFile(filepath.Join(o.state, deploymentName))
	if len(text) > 0 {
		return a.run(ctx)
	}
	a.out.say("No deployment is unfinished")
	st, err := openState(o.state) // what is there belongs to nothing
	if err == nil {
		err = st.wipe()
	}
	a.unstage(ctx)
	for _, err := range []error{err, os.RemoveAll(a.temporary), a.autostart.remove(ctx), unsettle()} {
		if err != nil {
			a.errs.say("slipway-agent: %v", err)
		}
	}
	return ExitSucceeded
}

// Install makes the agent that a boot image put here a service, and starts it when
// Windows Setup is over: what the answer file or SetupComplete.cmd runs.
func Install(w Windows, version string, stderr io.Writer) int {
	log, err := openLog()
	if err == nil {
		defer log.Close()
		stderr = io.MultiWriter(stderr, stamped{log})
	}
	say := newLines(stderr, time.Now).say
	if !w.Elevated() {
		say("slipway-agent install: run it as administrator")
		return ExitUsage
	}
	folder := here(windowstarget.Folder)
	if _, err := os.Stat(here(windowstarget.Config)); err != nil {
		say("slipway-agent install: no boot image put an agent here: %v", err)
		return ExitUsage
	}
	err = windowstarget.Protect(folder)
	if err == nil {
		err = registerService(here(windowstarget.Agent), here(windowstarget.Config), defaultState())
	}
	if err == nil && !winsys.InSetup() {
		err = startService()
	}
	if err != nil {
		say("slipway-agent install: %v", err)
		return ExitFailed
	}
	say("slipway-agent %s is a service of this Windows", version)
	return ExitSucceeded
}

// stamped puts the time before each line.
type stamped struct{ to io.Writer }

// Write implements io.Writer.
func (s stamped) Write(p []byte) (int, error) {
	if _, err := s.to.Write(append([]byte(time.Now().UTC().Format("2006-01-02T15:04:05Z ")), p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}
