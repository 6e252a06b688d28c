package disk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// nvmeDisk is one namespace and what its controller says.
type nvmeDisk struct {
	device nvmeDevice
	can    nvmeAbilities
	id     uint32
	now    nvmeFormatting
	others []uint32 // other namespaces of the controller or its subsystem
}

func lookAtNVMe(n nvmeDevice) (nvmeDisk, error) {
	d := nvmeDisk{device: n}
	var err error
	if d.id, err = n.Namespace(); err != nil {
		return d, fmt.Errorf("ask for the namespace: %w", err)
	}
	data := make([]byte, identifyBytes)
	identify := func(cns, namespace uint32) error {
		clear(data)
		return n.Admin(nvmeCommand{opcode: nvmeIdentify, namespace: namespace, cdw10: cns, timeout: nvmeShort}, data)
	}
	err = identify(cnsController, 0)
	if err == nil {
		d.can, err = parseController(data)
	}
	if err == nil {
		err = identify(cnsNamespace, d.id)
	}
	if err == nil {
		d.now, err = parseNamespace(data)
	}
	if err == nil {
		err = identify(cnsActive, 0)
		d.others = namespaceIDs(data)
	}
	if err == nil && d.can.ManagesSpaces {
		var refused nvmeStatus
		if err = identify(cnsAllocated, 0); err == nil {
			d.others = append(d.others, namespaceIDs(data)...)
		} else if errors.As(err, &refused) { // an optional list
			err = nil
		}
	}
	d.others = slices.DeleteFunc(d.others, func(id uint32) bool { return id == d.id })
	slices.Sort(d.others)
	d.others = slices.Compact(d.others)
	if err != nil {
		return d, fmt.Errorf("ask the NVMe controller what it is: %w", err)
	}
	return d, nil
}

// refuses says why the disk's Format NVM is not used, or nil.
func (d nvmeDisk) refuses(erase uint32) error {
	switch {
	case !d.can.Format:
		return fmt.Errorf("%w: its controller has no Format command (it has: %s)", ErrUnverified, d.can)
	case erase == eraseCrypto && !d.can.Crypto:
		return fmt.Errorf("%w: its controller has no cryptographic erase (it has: %s)", ErrUnverified, d.can)
	case len(d.others) > 0 && (d.can.FormatAll || d.can.EraseAll):
		return fmt.Errorf("%w: its controller erases all namespaces at once, and there are others: %v. Wipe them by the method overwrite, or delete them first", ErrRefused, d.others)
	}
	return nil
}

// format erases the namespace. The controller is asked beforehand whether it can.
func (d nvmeDisk) format(ctx context.Context, erase uint32, progress Progress) error {
	c := nvmeCommand{opcode: nvmeFormat, namespace: d.id, cdw10: d.now.command(erase), timeout: nvmeFormatTime}
	err := await(ctx, progress, "The disk erases itself", func() error { return d.device.Admin(c, nil) })
	if err != nil {
		return fmt.Errorf("NVMe Format: %w", err)
	}
	after, err := lookAtNVMe(d.device)
	if err == nil && after.now != d.now {
		err = errors.New("the disk is formatted otherwise than before")
	}
	return err
}

// awaitTick is how often somebody is told that a command still runs.
const awaitTick = 10 * time.Second

// await waits for a command that the disk carries out on its own: it cannot be called
// back, whatever ctx says.
func await(ctx context.Context, progress Progress, text string, command func() error) error {
	begin, done := time.Now(), make(chan error, 1)
	progress(-1, text)
	go func() { done <- command() }()
	tick := time.NewTicker(awaitTick)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return errors.Join(err, context.Cause(ctx))
		case <-tick.C:
			progress(-1, fmt.Sprintf("%s (for %s; it cannot be interrupted)", text, time.Since(begin).Round(time.Second)))
		}
	}
}
