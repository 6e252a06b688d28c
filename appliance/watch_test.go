package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/api"
)

// With --json the same is printed once.
func TestWatchPrintsChangesOnly(t *testing.T) {
	var out bytes.Buffer
	w := changes{app: &app{streams: streams{out: &out}, json: true}}
	for _, n := range []int{1, 1, 2, 2, 1} {
		if err := w.json(n); err != nil {
			t.Fatal(err)
		}
	}
	if out.String() != "1\n2\n1\n" {
		t.Errorf("%q", &out)
	}
}

// --watch with --json ends with the deployment.
func TestWatchWithJSON(t *testing.T) {
	r := start(t, t.TempDir())
	r.must("slipway-lab\n", "passcode", "set")
	r.must(`{"id":"wait","name":"Wait","status":"active","steps":[{"id":"run","name":"Run","definition":"run-command-line","settings":{"Command":"true"}}]}`, "sequence", "import", "-")
	b := r.boot(wire.Device{Serial: "PC-1"})
	if code := b.signIn("slipway-lab"); code != http.StatusOK {
		t.Fatalf("sign-in answers %d", code)
	}
	d := b.start("wait")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, said, ended := &lockedBuffer{}, &lockedBuffer{}, make(chan int, 2)
	follow := func(args ...string) {
		ended <- run(ctx, append(args, "--watch", "--json", "--config", r.config), streams{in: strings.NewReader(""), out: out, err: said})
	}
	go follow("deployment", "show", d.ID)
	documents := func() (all []api.DeploymentDetail) {
		for j := json.NewDecoder(strings.NewReader(out.String())); j.More(); {
			var one api.DeploymentDetail
			if j.Decode(&one) != nil {
				return nil
			}
			all = append(all, one)
		}
		return all
	}
	for deadline := time.Now().Add(30 * time.Second); len(documents()) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("nothing is printed: %s", said)
		}
	}
	if code := b.call("POST", "/deployments/"+d.ID+"/events", finishedEvent(d), nil); code != http.StatusOK {
		t.Fatalf("the end is answered with %d", code)
	}
	select {
	case code := <-ended:
		if all := documents(); code != 0 || len(all) == 0 || all[len(all)-1].Deployment.Status != "succeeded" {
			t.Errorf("exit %d, %s%s", code, out, said)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it follows a deployment that has ended")
	}

	// Interrupted while it asks, it ends as between two questions.
	var errs bytes.Buffer
	cancel()
	if code := run(ctx, []string{"device", "list", "--watch", "--config", r.config}, streams{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &errs}); code != 0 || errs.Len() > 0 {
		t.Errorf("interrupted: exit %d, %s", code, &errs)
	}
}
