package main

import (
	"log/slog"
	"sync"

	"slipway/agent/internal/screen"
)

// keyboard sets the layout of the video console. What the technician chose wins
// over what the image or the appliance suggest.
type keyboard struct {
	log     *slog.Logger
	display *screen.Display

	mu      sync.Mutex
	current string
	chosen  bool
}

// choose is the technician's choice. The display notes the name itself.
func (k *keyboard) choose(l screen.Layout) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := l.Apply(); err != nil {
		return err
	}
	k.chosen, k.current = true, l.Code
	return nil
}

// suggest sets a layout by its code, unless the technician chose one. Unknown
// codes are left alone.
func (k *keyboard) suggest(code string) {
	l, ok := screen.FindLayout(code)
	if !ok || !k.apply(l) {
		return
	}
	// Outside of the lock: the display calls choose with its own lock held.
	k.display.SetFacts(func(f *screen.Facts) { f.Keyboard = l.Name })
}

// apply sets a suggested layout and reports whether it is now in use.
func (k *keyboard) apply(l screen.Layout) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.chosen || k.current == l.Code {
		return false
	}
	if err := l.Apply(); err != nil {
		k.log.Warn("keyboard layout not set", "layout", l.Code, "error", err)
		return false
	}
	k.current = l.Code
	return true
}
