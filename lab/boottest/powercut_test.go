//go:build lab

package boottest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/lab"
)

// applianceGuest runs the appliance on an ext4 disk. The kernel is told not to
// write dirty pages back by itself for minutes: only what was synced survives.
const applianceGuest = `
mount -t ext4 /dev/vda /mnt
for f in dirty_writeback_centisecs dirty_expire_centisecs; do echo 600000 > /proc/sys/vm/$f; done
ip link set lo up; ip link set eth0 up; ip address add 10.77.0.2/24 brd + dev eth0
mkdir -p /etc; printf 'data: /mnt/data\ndhcp:\n  mode: "off"\n' > /etc/slipway.yaml
export SLIPWAY_CONFIG=/etc/slipway.yaml
/slipway serve --config $SLIPWAY_CONFIG & serve=$!
until /slipway passcode status; do kill -0 $serve || break; sleep 1; done
/slipway passcode status --json | grep -q '"set": *true' || echo slipway-lab | /slipway passcode set
echo APPLIANCE UP
wait
`

// The plug of a machine that runs the appliance is pulled during a load of
// writes. Every write that was acknowledged is found again.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	cuts := 3
	if os.Getenv("SLIPWAY_SOAK") != "" {
		cuts = 40
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	run, net := newRun(t)
	disk := run.Path("state.ext4")
	must(t, lab.MakeExt4(disk, 1024, ""))
	guest, err := run.BuildGuest("appliance", packages(t), applianceGuest,
		map[string]string{"slipway": filepath.Join(lab.Root(), "bin", "slipway")})
	must(t, err)
	var writers []*writer
	for cut := range cuts {
		m, err := net.PowerOn(t.Context(), lab.MachineConfig{
			Name: fmt.Sprintf("appliance-%d", cut), MAC: "52:54:00:77:00:02", Firmware: lab.Direct,
			Kernel: guest.Kernel, Initrd: guest.Initrd, Cmdline: "console=ttyS0 panic=5 quiet", Disks: []lab.Disk{{Path: disk}},
		})
		must(t, err)
		expect(t, m, 2*time.Minute, "APPLIANCE UP")
		verify(t, net, writers)
		if len(writers) == 0 {
			writers = newWriters(t, net, 3)
		}
		before := total(writers)
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for _, w := range writers {
			all.Go(func() { w.write(ctx) })
		}
		load := time.Second + time.Duration(random.Int64N(int64(5*time.Second)))
		time.Sleep(load)
		m.PowerOff()
		stop()
		all.Wait()
		t.Logf("cut %d after %.1f s of load: %d writes acknowledged", cut+1, load.Seconds(), total(writers)-before)
		if total(writers) == before {
			t.Fatalf("no write was acknowledged before the cut; the console:\n%s", m.Console.Text())
		}
	}
	m, err := net.PowerOn(t.Context(), lab.MachineConfig{
		Name: "appliance-last", MAC: "52:54:00:77:00:02", Firmware: lab.Direct,
		Kernel: guest.Kernel, Initrd: guest.Initrd, Cmdline: "console=ttyS0 panic=5 quiet", Disks: []lab.Disk{{Path: disk}},
	})
	must(t, err)
	expect(t, m, 2*time.Minute, "APPLIANCE UP")
	verify(t, net, writers)
}

// writer is a device that reports one event after the other.
type writer struct {
	device
	deployment string
	epoch      int64
	sent       int64 // number of the last event sent
	acked      int64 // number of the last event acknowledged
}

func newWriters(t *testing.T, net *lab.Network, n int) []*writer {
	t.Helper()
	var out []*writer
	for i := range n {
		w := &writer{device: device{http: insecure(net), base: "https://" + lab.ApplianceAddress + ":8443",
			claim: wire.Device{UUID: fmt.Sprintf("c0ffee00-0000-4000-8000-%012d", i+1), Serial: fmt.Sprintf("CUT-%d", i+1)}}}
		must(t, w.signIn(t.Context()))
		sequence, err := w.sample(t.Context())
		must(t, err)
		var d wire.Deployment
		must(t, w.call(t.Context(), http.MethodPost, "/deployments", wire.StartDeployment{Sequence: sequence, Environment: wire.LinuxPE}, &d))
		w.deployment, w.epoch = d.ID, d.Epoch
		out = append(out, w)
	}
	return out
}

// write sends events, each after the last one's acknowledgement, until the
// appliance is gone.
func (w *writer) write(ctx context.Context) {
	for ctx.Err() == nil {
		w.sent++
		var answer wire.EventAnswer
		err := w.call(ctx, http.MethodPost, "/deployments/"+w.deployment+"/events", wire.EventBatch{Epoch: w.epoch, Events: []wire.Event{{
			Number: w.sent, Time: time.Now().UTC(), Kind: wire.EventVariables,
			Variables: []wire.Variable{{Name: "Count", Value: json.RawMessage(strconv.Quote(strconv.FormatInt(w.sent, 10)))}},
		}}}, &answer)
		if err != nil {
			return
		}
		w.acked = answer.Kept
	}
}

func total(writers []*writer) (n int64) {
	for _, w := range writers {
		n += w.acked
	}
	return n
}

// verify holds the appliance's record against what was acknowledged. The one
// event under way at the cut may be there or not.
func verify(t *testing.T, net *lab.Network, writers []*writer) {
	t.Helper()
	for _, w := range writers {
		w.http.CloseIdleConnections()
		var d wire.Deployment
		must(t, w.call(t.Context(), http.MethodGet, "/deployments/"+w.deployment, nil, &d))
		if d.Kept < w.acked || d.Kept > w.sent {
			t.Errorf("%s: event %d was acknowledged, %d sent, %d kept", w.claim.Serial, w.acked, w.sent, d.Kept)
		}
		count := ""
		for _, v := range d.Variables {
			if v.Name == "Count" {
				_ = json.Unmarshal(v.Value, &count)
			}
		}
		if w.acked > 0 && count != strconv.FormatInt(d.Kept, 10) {
			t.Errorf("%s: %d events kept, but the variable says %q", w.claim.Serial, d.Kept, count)
		}
		w.sent, w.acked = d.Kept, d.Kept
	}
}
