package disk

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// letters are those that the target's partitions get, if they are free.
var letters = map[Role]string{RoleESP: "S", RoleWindows: "W", RoleRecovery: "R"}

// Target is the root of the target's drive: of the partition for Windows that was made or
// mounted last. It is empty while there is none.
func (m *Windows) Target() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.target
}

// Mount implements Disks: the target's Windows partition has a drive letter afterwards.
func (m *Windows) Mount(ctx context.Context, l Layout) (root string, err error) {
	p, ok := l.Find(RoleWindows)
	if !ok {
		return "", errors.New("the target disk has no partition for Windows: Format disk with the layout windows makes one")
	}
	root, err = m.Device(ctx, l, p.Number)
	if err == nil {
		m.mu.Lock()
		m.target = root
		m.mu.Unlock()
	}
	return root, err
}

// Device implements Disks: the partition's drive, such as `W:\`.
func (m *Windows) Device(ctx context.Context, l Layout, number int) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := l.Partition(number)
	if !ok {
		return "", fmt.Errorf("the target disk has no partition %d", number)
	}
	d, err := m.disk(l)
	if err != nil {
		return "", err
	}
	used, err := m.Drives.Letters()
	if err != nil {
		return "", fmt.Errorf("list the drives: %w", err)
	}
	for letter, place := range used {
		if place == (Place{d.Number, number}) {
			return letter + `:\`, nil
		}
	}
	free, err := m.free()
	if err != nil {
		return "", err
	}
	letter, err := free.take(letters[p.Role], -1)
	if err != nil {
		return "", err
	}
	if err := m.diskpart(ctx, assignScript(d.Number, number, letter)); err != nil {
		return "", err
	}
	return letter + `:\`, nil
}

// freeLetters are drive letters that can be given.
type freeLetters map[string]Place

func (m *Windows) free() (freeLetters, error) {
	used, err := m.Drives.Letters()
	if err != nil {
		return nil, fmt.Errorf("list the drives: %w", err)
	}
	return freeLetters(used), nil
}

// take takes the wanted letter, or another one that is free. Letters of the disk clean
// are free too: it is about to be made anew.
func (f freeLetters) take(want string, clean int) (string, error) {
	for _, letter := range strings.Split(want+"WVUTSRQPONMLKJIHGFE", "") {
		if place, used := f[letter]; !used || clean >= 0 && place.Disk == clean {
			f[letter] = Place{-1, -1}
			return letter, nil
		}
	}
	return "", errors.New("no drive letter is left")
}
