package lab

import (
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// The main thread never enters a namespace: whoever looks for the processes inside
// would find, and kill, this one.
func TestTheMainThreadStaysOutside(t *testing.T) {
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			done := make(chan int, 1)
			go onOtherThread(func() { done <- unix.Gettid() })
			if <-done == unix.Getpid() {
				t.Error("on the main thread")
			}
		})
	}
	all.Wait()
}
