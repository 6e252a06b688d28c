package lab

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
)

// interrupted is set once this process was asked to end.
var interrupted atomic.Bool

// watched are the runs that a signal closes.
var watched struct {
	mu   sync.Mutex
	runs map[*Run]bool
	ch   chan os.Signal // nil while no run is watched
}

// CloseOnSignal closes the run on SIGINT, SIGTERM or SIGHUP. When all watched runs of
// the process are closed the signal has its usual effect; meanwhile no new one is
// made. The returned function ends the watch.
func (r *Run) CloseOnSignal() (stop func()) {
	watched.mu.Lock()
	defer watched.mu.Unlock()
	if watched.ch == nil {
		watched.ch, watched.runs = make(chan os.Signal, 1), map[*Run]bool{}
		signal.Notify(watched.ch, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
		go awaitSignal(watched.ch)
	}
	watched.runs[r] = true
	return func() { unwatch(r) }
}

func unwatch(r *Run) {
	watched.mu.Lock()
	defer watched.mu.Unlock()
	delete(watched.runs, r)
	if len(watched.runs) == 0 && watched.ch != nil {
		signal.Stop(watched.ch)
		close(watched.ch)
		watched.ch = nil
	}
}

// awaitSignal ends with the watch: its channel is closed.
func awaitSignal(ch <-chan os.Signal) {
	s, ok := <-ch
	if !ok {
		return
	}
	interrupted.Store(true)
	// Whoever read our output may have been interrupted too; that must not end us.
	signal.Ignore(syscall.SIGPIPE)
	fmt.Fprintf(os.Stderr, "\nlab: %v: cleaning up\n", s)
	watched.mu.Lock()
	var closing sync.WaitGroup
	for r := range watched.runs {
		closing.Go(func() {
			if err := r.Close(); err != nil {
				fmt.Fprintln(os.Stderr, "lab:", err)
			}
		})
	}
	watched.mu.Unlock()
	closing.Wait()
	signal.Reset(s)
	_ = syscall.Kill(os.Getpid(), s.(syscall.Signal))
}
