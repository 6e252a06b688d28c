//go:build lab

package boottest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"slipway/lab"
)

// combination is one cell of the long matrix.
type combination struct {
	firmware lab.Firmware
	nic      string
	memory   int // MiB
}

func (c combination) String() string { return fmt.Sprintf("%s-%s-%dMiB", c.firmware, c.nic, c.memory) }

func combinations() (out []combination) {
	for _, firmware := range []lab.Firmware{lab.BIOS, lab.UEFI, lab.UEFIHTTP} {
		for _, nic := range []string{"virtio-net-pci", "e1000", "e1000e", "rtl8139", "vmxnet3"} {
			if firmware == lab.UEFIHTTP && nic != "virtio-net-pci" {
				continue // EDK2's HTTP client has no driver for them
			}
			for _, memory := range []int{768, 2048} {
				out = append(out, combination{firmware, nic, memory})
			}
		}
	}
	return out
}

// Other network cards, less and more memory, and a reset at a random moment of
// the boot: the machine gets to its challenge all the same. The short form
// tries one combination, the long form all of them.
func TestMatrix(t *testing.T) {
	t.Parallel()
	seed := uint64(5) // the short form is the same each time; the long one looks for surprises
	if os.Getenv("SLIPWAY_SOAK") != "" {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	all := combinations()
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if os.Getenv("SLIPWAY_SOAK") == "" {
		all = all[:1]
	}
	for _, c := range all {
		resetAfter := time.Second + time.Duration(random.Int64N(int64(15*time.Second)))
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "", nil)
			m, err := s.net.PowerOn(t.Context(), lab.MachineConfig{Name: "matrix", Firmware: c.firmware, NIC: c.nic, Memory: c.memory})
			must(t, err)
			time.Sleep(resetAfter) // the random moment
			must(t, m.Reset(t.Context()))
			m.Console.Skip()
			expect(t, m, 4*time.Minute, "Passcode")
			t.Logf("reset after %.1f s; then: %v, prompt %.1f", resetAfter.Seconds(), s.milestones(t, m), time.Since(m.Started).Seconds())
		})
	}
}
