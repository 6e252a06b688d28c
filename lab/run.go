package lab

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options say how a Run is made. The zero value works.
type Options struct {
	Logger  *slog.Logger
	Results string // where Keep puts logs, captures and screens; default .lab/results below the checkout
	Label   string // names the folder in Results, e.g. the test's name
}

// Run is one lab: its folder, its namespaces and its processes. Everything that
// is made registers how it is unmade; Close unmakes it in reverse order.
type Run struct {
	Name    string // prefix of the namespaces' names
	Dir     string // short-lived files: sockets, disks, logs. Short, for unix sockets
	Results string
	log     *slog.Logger
	starter *starter

	mu       sync.Mutex
	cleanups []func() error
	closed   bool
	closing  sync.Once
	closeErr error
}

// NewRun reaps what dead runs left and makes an empty run.
func NewRun(o Options) (*Run, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("the lab makes network namespaces: run it as root")
	}
	if interrupted.Load() {
		return nil, errors.New("this process was asked to end: it makes no lab any more")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if err := Reap(o.Logger); err != nil {
		o.Logger.Warn("could not remove what an earlier lab left", "err", err)
	}
	self, err := ownName()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", self+"-")
	if err != nil {
		return nil, fmt.Errorf("make the lab's folder: %w", err)
	}
	if o.Results == "" {
		o.Results = filepath.Join(Root(), ".lab", "results")
	}
	r := &Run{
		Name: filepath.Base(dir), Dir: dir, log: o.Logger, starter: newStarter(),
		Results: filepath.Join(o.Results, time.Now().UTC().Format("20060102-150405")+"-"+safeName(o.Label)),
	}
	r.OnClose(func() error { r.starter.stop(); return nil })
	r.OnClose(func() error { return os.RemoveAll(dir) })
	return r, nil
}

// OnClose registers f to be called by Close, last registered first. A run that is closed
// calls it at once.
func (r *Run) OnClose(f func() error) {
	r.mu.Lock()
	closed := r.closed
	if !closed {
		r.cleanups = append(r.cleanups, f)
	}
	r.mu.Unlock()
	if closed {
		_ = f() // nobody is told: the run ends because of something else
	}
}

// errClosed ends the making of a lab that a signal has closed meanwhile.
var errClosed = errors.New("the lab is closed")

// make makes something and registers how it is unmade, both or neither: a signal may
// close the run at any time.
func (r *Run) make(made, unmake func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errClosed
	}
	if err := made(); err != nil {
		return err
	}
	r.cleanups = append(r.cleanups, unmake)
	return nil
}

// Close stops and removes everything. It may be called from several places at
// once (a test's end, a signal); all callers wait for the one that does the work.
func (r *Run) Close() error {
	r.closing.Do(func() {
		r.mu.Lock()
		todo := r.cleanups
		r.cleanups, r.closed = nil, true
		r.mu.Unlock()
		var errs []error
		for i := len(todo) - 1; i >= 0; i-- {
			errs = append(errs, todo[i]())
		}
		r.closeErr = errors.Join(errs...)
	})
	return r.closeErr
}

// Path returns the path of a file in the run's folder.
func (r *Run) Path(name string) string { return filepath.Join(r.Dir, name) }

// Keep copies the run's logs, captures and screens to Results and returns that folder.
func (r *Run) Keep() (string, error) {
	if err := os.MkdirAll(r.Results, 0o755); err != nil {
		return "", fmt.Errorf("keep the lab's results: %w", err)
	}
	var errs []error
	for _, pattern := range []string{"*.log", "*.pcap", "*.png", "*.yaml", "*.conf"} {
		names, _ := filepath.Glob(filepath.Join(r.Dir, pattern))
		for _, n := range names {
			errs = append(errs, copyFile(n, filepath.Join(r.Results, filepath.Base(n))))
		}
	}
	return r.Results, errors.Join(errs...)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// safeName makes a label usable as one path element.
func safeName(s string) string {
	out := []rune(s)
	for i, c := range out {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.':
		default:
			out[i] = '-'
		}
	}
	if len(out) == 0 {
		return "lab"
	}
	return string(out)
}

// Root returns the checkout's folder: the nearest one above the working folder
// that holds go.mod.
func Root() string {
	dir, err := os.Getwd()
	if err != nil {
		return "."
	}
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			return d
		}
		if d == filepath.Dir(d) {
			return dir
		}
	}
}
