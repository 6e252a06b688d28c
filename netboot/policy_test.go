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

func (p *fakePolicy) answer(c Client) (*Boot, error) {
	if p.boot == nil {
		return &Boot{Target: TargetImage, Kernel: "abc/vmlinuz", Initrds: []string{"abc/initrd.img"}, Cmdline: []string{"quiet"}}, nil
	}
	return p.boot(c)
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

func (p *fakePolicy) asked() (peeks, decides int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.peeks), len(p.decides)
}
