package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

// TestCutsAnywhere ends the agent at random calls to the appliance, before the
// appliance has taken them or after, and starts it again each time: the deployment
// ends in success, steps keep their order, and no step runs again once its result
// stands in the record or in the journal.
func TestCutsAnywhere(t *testing.T) {
	for range 3 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) { cutAnywhere(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

const cutSteps = 6

func cutAnywhere(t *testing.T, random *rand.Rand) {
	effects := filepath.Join(t.TempDir(), "effects")
	var nodes []tasksequence.Node
	for i := range cutSteps {
		nodes = append(nodes, run(fmt.Sprint("s", i), fmt.Sprintf(`echo %d >> %s; echo "V%d=done" >> "$SLIPWAY_VARIABLES"`, i, effects, i), func(n *tasksequence.Node) {
			n.Settings["AfterInterruption"] = json.RawMessage(`"run-again"`)
		}))
	}
	b := newBench(t, nodes...)
	b.runner.Journal = JournalFile{filepath.Join(t.TempDir(), "reports.json")}
	d := b.start(t)
	cuts := 0
	for try := 0; ; try++ {
		if try > 40 {
			t.Fatalf("no end after %d cuts", cuts)
		}
		known := b.known(t, d)
		before := lines(t, effects)
		ctx, cut := context.WithTimeout(t.Context(), 2*time.Minute)
		if cuts < 12 {
			b.cutAt(random.IntN(6), random.IntN(2) == 0, cut)
		} else {
			b.Do(func() { b.Answer = nil })
		}
		out, err := b.runner.Run(ctx, d)
		cut()
		for _, line := range lines(t, effects)[len(before):] {
			if known["s"+line] {
				t.Fatalf("step s%s ran again although its end was known", line)
			}
		}
		if err == nil {
			if out.Status != Succeeded {
				t.Fatalf("got %+v after %d cuts", out, cuts)
			}
			break
		}
		cuts++
		over := false
		b.Do(func() {
			b.Answer = nil
			over = b.Deployment.Status == Succeeded // cut after the end was taken: the token has ended with it
		})
		if over {
			break
		}
		if d, err = b.client.Resume(t.Context(), d.ID, wire.LinuxPE); err != nil {
			t.Fatal(err)
		}
	}
	all := lines(t, effects)
	seen := map[string]bool{}
	for i, line := range all {
		seen[line] = true
		if i > 0 && line < all[i-1] {
			t.Errorf("the steps ran out of order: %q", all)
		}
	}
	if len(seen) != cutSteps || len(all) > cutSteps+cuts {
		t.Errorf("effects %q after %d cuts", all, cuts)
	}
	b.Do(func() {
		set := map[string]bool{}
		for _, v := range b.Deployment.Variables {
			set[v.Name] = true
		}
		for _, e := range b.Events {
			for _, v := range e.Variables {
				set[v.Name] = true
			}
		}
		for i := range cutSteps {
			if !set[fmt.Sprint("V", i)] {
				t.Errorf("the variable of step %d never reached the appliance", i)
			}
		}
	})
}

// cutAt ends the agent at the nth report from now: before the appliance sees it, or
// once it has taken it.
func (b *bench) cutAt(n int, before bool, cut context.CancelFunc) {
	b.Do(func() {
		b.Answer = func(r *http.Request) *wire.Problem {
			if !strings.HasSuffix(r.URL.Path, "/events") {
				return nil
			}
			if n--; n >= 0 {
				return nil
			}
			cut()
			if before {
				return &wire.Problem{Title: "Service Unavailable", Status: http.StatusServiceUnavailable}
			}
			return nil
		}
	})
}

// known are the steps whose end stands in the record or in the journal.
func (b *bench) known(t *testing.T, d wire.Deployment) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for _, r := range d.Results {
		known[r.Path] = r.Status == tasksequence.Succeeded
	}
	kept, err := b.runner.Journal.Kept()
	if err != nil {
		t.Fatal(err)
	}
	if kept.Epoch < d.Epoch {
		for _, e := range kept.Events {
			known[e.Path] = true
		}
	}
	return known
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Fields(string(text))
}
