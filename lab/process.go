package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// starter starts processes from one operating-system thread that lives as long
// as the run: the kernel's parent-death signal is tied to the thread that forked,
// and threads of the Go runtime come and go.
type starter struct {
	jobs chan func()
	done chan struct{}
}

func newStarter() *starter {
	s := &starter{jobs: make(chan func()), done: make(chan struct{})}
	go func() {
		runtime.LockOSThread()
		defer close(s.done)
		for f := range s.jobs {
			f()
		}
	}()
	return s
}

func (s *starter) start(c *exec.Cmd) error {
	result := make(chan error)
	s.jobs <- func() { result <- c.Start() }
	return <-result
}

func (s *starter) stop() {
	close(s.jobs)
	<-s.done
}

// Process is a program that runs inside the lab. It dies with the lab, also when
// the lab itself is killed.
type Process struct {
	Name string
	Log  string // path of what it wrote
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start runs a program in a namespace (nil is the host's) and writes what it says
// to <run>/<name>.log.
func (r *Run) Start(name string, ns *Namespace, argv ...string) (*Process, error) {
	return r.startWith(nil, name, ns, argv...)
}

// startWith hands files to the program, as its descriptors 3 and on.
func (r *Run) startWith(files []*os.File, name string, ns *Namespace, argv ...string) (*Process, error) {
	if ns != nil {
		argv = append([]string{"ip", "netns", "exec", ns.Name}, argv...)
	}
	log, err := os.OpenFile(r.Path(name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &Process{Name: name, Log: log.Name(), cmd: exec.Command(argv[0], argv[1:]...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.ExtraFiles = log, log, files
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := r.make(func() error { return r.starter.start(p.cmd) }, func() error { p.Stop(); return nil }); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Signal sends the process a signal, e.g. SIGSTOP: it does not go on until SIGCONT. One
// that has ended gets none: its number may be another's by now.
func (p *Process) Signal(s syscall.Signal) error {
	select {
	case <-p.done:
		return os.ErrProcessDone
	default:
		return syscall.Kill(-p.cmd.Process.Pid, s)
	}
}

// Kill ends the process at once (SIGKILL) and waits for its end.
func (p *Process) Kill() {
	_ = p.Signal(syscall.SIGKILL)
	<-p.done
}

// Stop asks the process to end and kills it after some seconds.
func (p *Process) Stop() {
	_ = p.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(Timeout(8 * time.Second)):
		p.Kill()
	}
}

// Err returns nil while the process runs, and afterwards an error that holds the
// end of its log.
func (p *Process) Err() error {
	select {
	case <-p.done:
	default:
		return nil
	}
	tail := tailOf(p.Log, 1500)
	if p.err == nil {
		return fmt.Errorf("%s has ended: %s", p.Name, tail)
	}
	return fmt.Errorf("%s has ended: %w: %s", p.Name, p.err, tail)
}

var errTimeout = errors.New("took too long")

// WaitFor polls until ok answers true, the process ends, or the time is over.
func (p *Process) WaitFor(limit time.Duration, what string, ok func() bool) error {
	deadline := time.NewTimer(Timeout(limit))
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok() {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("waiting for %s: %w", what, p.Err())
		case <-deadline.C:
			return fmt.Errorf("waiting for %s: %w (%v): %s", what, errTimeout, Timeout(limit), tailOf(p.Log, 1500))
		case <-tick.C:
		}
	}
}

// tailOf returns the last n bytes of a file, for messages.
func tailOf(path string, n int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	if len(b) > n {
		b = b[len(b)-n:]
	}
	return string(b)
}
