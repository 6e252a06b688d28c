package netboot

import (
	"context"
	"sync"
)

// fakePolicy answers what it is told and notes what it is asked.
type fakePolicy struct {
	boot func(Client) (*Boot, error)

	mu             sync.Mutex
	peeks, decides []Client
}

// set changes the answer while a server runs.
func (p *fakePolicy) set(f func(Client) (*Boot, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.boot = f
}

func (p *fakePolicy) answer(c Client) (*Boot, error) {
	p.mu.Lock()
	boot := p.boot
	p.mu.Unlock()
	if boot == nil {
		return &Boot{Target: TargetImage, Kernel: "abc/vmlinuz", Initrds: []string{"abc/initrd.img"}, Cmdline: []string{"quiet"}}, nil
	}
	return boot(c)
}

func (p *fakePolicy) Peek(_ context.Context, c Client) (*Boot, error) {
	p.mu.Lock()
	p.peeks = append(p.peeks, c)
	p.mu.Unlock()
	return p.answer(c)
}

func (p *fakePolicy) Decide(_ context.Context, c Client) (*Boot, error) {
	p.mu.Lock()
	p.decides = append(p.decides, c)
	p.mu.Unlock()
	return p.answer(c)
}

// first returns the first clients asked about.
func (p *fakePolicy) first() (peek, decide Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.peeks) > 0 {
		peek = p.peeks[0]
	}
	if len(p.decides) > 0 {
		decide = p.decides[0]
	}
	return peek, decide
}

func (p *fakePolicy) asked() (peeks, decides int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.peeks), len(p.decides)
}
