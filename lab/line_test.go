package lab

import (
	"bytes"
	"io"
	"testing"

	"golang.org/x/sys/unix"
)

// Firmware does not wait for a reader that gets no turn on a busy machine: what it says
// meanwhile, character by character, is taken and comes later.
func TestTheSerialLineHoldsWhatNobodyReadsYet(t *testing.T) {
	line, machine, err := newLine()
	if err != nil {
		t.Fatal(err)
	}
	defer line.Close()
	port := int(machine.Fd())
	if err := unix.SetNonblock(port, true); err != nil {
		t.Fatal(err)
	}
	said := bytes.Repeat([]byte("BdsDxe: starting\r\n"), 1000)
	for i := range said {
		if n, err := unix.Write(port, said[i:i+1]); n != 1 || err != nil {
			t.Fatalf("after %d characters: %v", i, err)
		}
	}
	if err := machine.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(line); err != nil || !bytes.Equal(got, said) {
		t.Errorf("%d of %d characters came, %v", len(got), len(said), err)
	}
}
