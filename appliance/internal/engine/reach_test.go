package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

func TestATokenIsBoundToItsDeployment(t *testing.T) {
	b := newBench(t)
	first := b.begin()
	b.report(first.ID, 1, ended(1, "succeeded"))
	second := b.begin()
	bound := b.kept(b.token)
	b.expect("bound to", bound.Deployment, second.ID)

	_, err := b.engine.Start(t.Context(), bound, wire.StartDeployment{Sequence: "two"})
	b.expectError("another start", err, ErrUnfinished)
	_, err = b.engine.Get(bound, first.ID)
	b.expectError("a look at another deployment of the device", err, ErrNotFound)
	_, err = b.engine.Resume(t.Context(), bound, first.ID, "")
	b.expectError("resuming another one", err, ErrNotFound)
	_, err = b.engine.Events(t.Context(), bound, first.ID, wire.EventBatch{Epoch: 1})
	b.expectError("events of another one", err, ErrNotFound)
	_, err = b.engine.Logs(t.Context(), bound, first.ID, wire.LogBatch{Epoch: 1})
	b.expectError("logs of another one", err, ErrNotFound)
	_, err = b.engine.Get(bound, second.ID)
	b.check(err)
	list, err := b.library.Choices(bound)
	b.check(err)
	b.expect("choices", words(len(list.TaskSequences), list.Assigned == "", list.Unfinished), words(0, true, second.ID))

	// The deployment is gone, and the token was not told: it starts nothing else.
	b.check(b.store.Update(t.Context(), func(tx *state.Tx) error { return tx.Deployments().Delete(second.ID) }))
	_, err = b.engine.Start(t.Context(), bound, wire.StartDeployment{Sequence: "two"})
	b.expectError("a start with a token of another deployment", err, ErrForbidden)
}

func TestResumeBindsTheToken(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	old := b.token
	again := b.signIn("device-1")
	list, err := b.library.Choices(again)
	b.check(err)
	b.expect("offered", words(list.Unfinished, len(list.TaskSequences)), words(d.ID, 1))
	_, err = b.engine.Resume(t.Context(), again, d.ID, "")
	b.check(err)
	b.expect("bound", b.kept(again).Deployment, d.ID)
	_, err = b.engine.Resume(t.Context(), b.kept(again), d.ID, "")
	b.check(err)

	b.token = again
	b.report(d.ID, 3, ended(1, "succeeded"))
	b.expect("both have ended", words(b.kept(old).Ended, b.kept(again).Ended), "true true")
	fresh := b.signIn("device-1")
	ended, err := b.engine.Resume(t.Context(), fresh, d.ID, "")
	b.check(err)
	b.expect("an ended one", words(ended.Status, b.kept(fresh).Deployment == ""), "succeeded true")
}

// Two calls at the same moment bind a token to one deployment.
func TestATokenThatWasBoundMeanwhile(t *testing.T) {
	b := newBench(t)
	b.load(twoSteps)
	stale := b.token // as two requests saw it when they were let in
	d, err := b.engine.Start(t.Context(), stale, wire.StartDeployment{Sequence: "two", Key: "k"})
	b.check(err)
	again, err := b.engine.Start(t.Context(), stale, wire.StartDeployment{Sequence: "two", Key: "k"})
	b.check(err)
	b.expect("the same call again", again.ID, d.ID)

	b.check(b.store.Update(t.Context(), func(tx *state.Tx) error {
		return tx.Deployments().Put(fleet.Deployment{ID: "other", DeviceID: "device-1", SequenceID: "two", Status: fleet.DeploymentRunning})
	}))
	_, err = b.engine.Resume(t.Context(), stale, "other", "")
	b.expectError("resuming another one", err, ErrForbidden)

	b.check(b.store.Update(t.Context(), func(tx *state.Tx) error { return tx.Tokens().Delete(stale.Hash) }))
	_, err = b.engine.Resume(t.Context(), stale, d.ID, "")
	b.expectError("a resume after the token was revoked", err, ErrSignedOut)
	_, err = b.engine.Start(t.Context(), stale, wire.StartDeployment{Sequence: "two", Key: "k"})
	b.expectError("a start after the token was revoked", err, ErrSignedOut)
}

// By whatever way a deployment ends, its tokens have two minutes for their last
// reports.
func TestTheEndOfADeploymentEndsItsTokens(t *testing.T) {
	for way, end := range map[string]func(b *bench, id string){
		"succeeded": func(b *bench, id string) { b.report(id, 1, ended(1, "succeeded")) },
		"failed":    func(b *bench, id string) { b.report(id, 1, ended(1, "failed")) },
		"obeyed": func(b *bench, id string) {
			b.check(b.engine.Order(t.Context(), boss, id, "cancel"))
			b.report(id, 1, ended(1, "cancelled"))
		},
		"cancelled while silent": func(b *bench, id string) {
			b.clock.add(time.Minute)
			b.check(b.engine.Order(t.Context(), boss, id, "cancel"))
		},
		"fell silent after the order": func(b *bench, id string) {
			b.check(b.engine.Order(t.Context(), boss, id, "cancel"))
			b.clock.add(time.Minute)
			b.engine.sweep(t.Context())
		},
	} {
		b := newBench(t)
		other := b.signIn("device-1")
		d := b.begin()
		before := b.kept(b.token)
		if before.Ended || before.ExpiresAt.Sub(b.clock.Now()) < time.Hour {
			t.Errorf("%s: running, and its token is %+v", way, before)
		}
		end(b, d.ID)
		after := b.kept(b.token)
		b.expect(way, words(after.Ended, after.ExpiresAt.Sub(b.clock.Now())), words(true, 2*time.Minute))
		if k := b.kept(other); k.Ended {
			t.Errorf("%s: a token of no deployment has ended, too", way)
		}
		if b.record(d.ID).Status != fleet.DeploymentCancelled {
			answer, err := b.engine.Logs(t.Context(), after, d.ID, wire.LogBatch{Epoch: 1, Lines: logLines(1, 2, "the rest")})
			b.check(err)
			b.expect(way+": last lines", answer.Kept, 2)
		}
		_, err := b.engine.Get(after, d.ID)
		b.check(err)
		_, err = b.engine.Start(t.Context(), after, wire.StartDeployment{Sequence: "two"})
		b.expectError(way+": another start", err, ErrSignedOut)
	}
}

// An end never makes a token last longer.
func TestTheEndDoesNotProlongAToken(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	k := b.kept(b.token)
	k.ExpiresAt = b.clock.Now().Add(time.Minute)
	b.keepToken(k)
	b.report(d.ID, 1, ended(1, "succeeded"))
	b.expect("good for", b.kept(k).ExpiresAt.Sub(b.clock.Now()), time.Minute)
}

func TestTheScopeOfAPasscodeLimitsItsToken(t *testing.T) {
	b := newBench(t)
	for _, id := range []string{"inside", "outside"} {
		for version := range 2 {
			b.load(fmt.Sprintf(`{"id":%q,"version":%d,"name":%q,"steps":[{"id":"a","name":"a","definition":"reboot"}]}`, id, version+1, strings.ToUpper(id)))
		}
	}
	scoped := func() fleet.Token {
		k := b.signIn("device-1")
		k.Scope.Sequences = []string{"other", "inside"}
		b.keepToken(k)
		return k
	}
	choices := func(k fleet.Token) string {
		t.Helper()
		c, err := b.library.Choices(k)
		b.check(err)
		var ids []string
		for _, s := range c.TaskSequences {
			ids = append(ids, fmt.Sprintf("%s:%d", s.ID, s.Version))
		}
		return strings.Join(ids, " ") + " assigned=" + c.Assigned + " unfinished=" + c.Unfinished
	}
	k := scoped()
	b.expect("without a scope", choices(b.token), "inside:2 outside:2 assigned= unfinished=")
	b.expect("choices", choices(k), "inside:2 assigned= unfinished=")
	for assigned, want := range map[string]string{"inside": "inside:2", "inside:1": "inside:1", "outside": "", "outside:1": ""} {
		b.assign(assigned)
		b.expect("choices with "+assigned, choices(k), "inside:2 assigned="+want+" unfinished=")
	}
	b.assign("") // the order of a map is random: none of them may stay
	for _, ref := range []string{"outside", "outside:1", "outside:2", "none", "none:1"} {
		_, err := b.engine.Start(t.Context(), k, wire.StartDeployment{Sequence: ref})
		b.expectError("start of "+ref, err, ErrForbidden)
	}
	d, err := b.engine.Start(t.Context(), k, wire.StartDeployment{Sequence: "inside:1"})
	b.check(err)
	b.token = k
	b.report(d.ID, 1, ended(1, "succeeded"))

	// What somebody else began is out of reach, and stands in the way.
	open, err := b.engine.Start(t.Context(), b.signIn("device-1"), wire.StartDeployment{Sequence: "outside"})
	b.check(err)
	k = scoped()
	b.expect("choices", choices(k), "inside:2 assigned= unfinished=")
	_, ok, err := b.engine.Current(k)
	b.check(err)
	b.expect("current", ok, false)
	_, err = b.engine.Get(k, open.ID)
	b.expectError("a look", err, ErrNotFound)
	_, err = b.engine.Resume(t.Context(), k, open.ID, "")
	b.expectError("a resume", err, ErrNotFound)
	_, err = b.engine.Events(t.Context(), k, open.ID, wire.EventBatch{Epoch: 1, Events: []wire.Event{ended(1, "cancelled")}})
	b.expectError("giving it up", err, ErrNotFound)
	_, err = b.engine.Start(t.Context(), k, wire.StartDeployment{Sequence: "inside"})
	b.expectError("a start beside it", err, ErrUnfinished)
}
