// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"

	"servicestage.dev/operator/test/faults/tripwire"
)

// phase is one thing that users do with an object.
type phase struct {
	name string
	do   func(w *world, o object)
}

func phases() []phase {
	return []phase{
		{"create", func(w *world, o object) { w.create(o) }},
		{"update", func(w *world, o object) { w.edit(o, w.kind.update) }},
		{"delete", func(w *world, o object) { w.Expect(k8s.Delete(w.t.Context(), o)).To(Succeed()) }},
	}
}

// golden is what a phase comes to when nothing goes wrong.
type golden struct {
	// steps are the side effects, in order.
	steps []string
	state string
}

// R1: the manager is killed at every side effect, before and after it, and started again.
func TestCrash(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			scenarios := 0
			table.Add(t, "R1 kill -9 at every effect", k.name, &scenarios, "")
			w := newWorld(t, k)
			w.startWithBackground()
			first := k.object(w.namespace, "golden")
			for _, p := range phases() {
				without := w.golden(p, first)
				t.Logf("%s: %d effects:\n  %s", p.name, len(without.steps), strings.Join(without.steps, "\n  "))
				objects := w.prepared(p, 2*len(without.steps))
				for i, step := range without.steps {
					for j, moment := range []tripwire.Moment{tripwire.Before, tripwire.After} {
						o := objects[2*i+j]
						scenarios++
						t.Run(fmt.Sprintf("%s %s %d %s", p.name, moment, i+1, step), func(t *testing.T) {
							w.within(t).crash(p, o, i+1, moment, without)
						})
					}
				}
			}
		})
	}
}

// within returns the same world as a subtest sees it.
func (w *world) within(t *testing.T) *world {
	inner := *w
	inner.WithT, inner.t = NewWithT(t), t
	inner.SetDefaultEventuallyTimeout(patience)
	inner.SetDefaultEventuallyPollingInterval(interval)
	return &inner
}

// golden runs a phase without a fault.
func (w *world) golden(p phase, o object) golden {
	w.wire.Arm(nil)
	p.do(w, o)
	var state string
	w.Eventually(func() (err error) { state, err = w.state(w.t.Context(), o); return err }).Should(Succeed())
	steps := w.wire.Steps()
	w.Expect(steps).NotTo(BeEmpty())
	return golden{steps: steps, state: state}
}

// prepared returns objects that are ready for a phase: for all but the first one they are there, and settled.
func (w *world) prepared(p phase, n int) []object {
	objects := make([]object, n)
	for i := range objects {
		objects[i] = w.kind.object(w.namespace, fmt.Sprintf("%s-%02d", p.name, i))
	}
	if p.name != "create" {
		w.create(objects...)
		w.allSettle(objects...)
	}
	return objects
}

// crash kills the manager on one side of one effect of a phase, starts it again, and waits until the object is what it
// would have become without.
func (w *world) crash(p phase, o object, nth int, moment tripwire.Moment, without golden) {
	w.Expect(w.sim.ResetCalls(w.t.Context())).To(Succeed())
	sprung := w.wire.Arm(&tripwire.Trap{Nth: nth, When: moment, Spring: func(*http.Request) tripwire.Verdict {
		if err := w.managers.killAll(); err != nil {
			w.t.Errorf("killing the manager: %v", err)
		}
		return tripwire.Cut
	}})
	p.do(w, o)
	if !w.sprung(sprung, nth, o, without) {
		w.t.Skipf("this run took fewer effects: %v", w.wire.Steps())
	}
	w.wire.Arm(nil)
	w.start()
	w.becomes(o, p, without)
}

// sprung waits for the trap. It returns false where the object is settled without: how often a job of the cloud is asked
// about, and so how often its progress is written, depends on how fast the machine is.
func (w *world) sprung(trap <-chan struct{}, nth int, o object, without golden) bool {
	closed := false
	w.Eventually(func() bool {
		select {
		case <-trap:
			closed = true
			return true
		default:
			state, err := w.state(w.t.Context(), o)
			return err == nil && state == without.state && len(w.wire.Steps()) < nth
		}
	}).Should(BeTrue(), "the effect did not come about: %v", w.wire.Steps())
	return closed
}

// becomes waits until an object is what it would be without a fault, and checks that nothing was made twice.
func (w *world) becomes(o object, p phase, without golden) {
	w.t.Helper()
	w.settlesAs(o, without)
	w.madeOnce(p)
}

// settlesAs waits until an object is what it would be without a fault.
func (w *world) settlesAs(o object, without golden) {
	w.t.Helper()
	w.Eventually(func() error {
		state, err := w.state(w.t.Context(), o)
		if err != nil {
			return err
		}
		if diff := gocmp.Diff(without.state, state); diff != "" {
			return fmt.Errorf("settled otherwise (-without fault +with):\n%s", diff)
		}
		return nil
	}).Should(Succeed(), w.explain)
}

// madeOnce checks the cloud's log: a second resource would have been made, or made and deleted again. The faults that
// are set while it counts come after the effect, whatever they answer.
func (w *world) madeOnce(p phase) {
	w.t.Helper()
	calls, err := w.sim.Calls(w.t.Context())
	w.Expect(err).NotTo(HaveOccurred())
	made, removed := 0, 0
	for _, call := range calls {
		switch {
		case call.Fault == "" && (call.Status < 200 || call.Status > 299):
		case call.Method+" "+pathOf(call.Path) == w.kind.creates:
			made++
		case call.Method == http.MethodDelete && strings.HasPrefix(pathOf(call.Path), strings.TrimPrefix(w.kind.creates, "POST ")+"/{id}"):
			removed++
		}
	}
	wantMade := map[string]int{"create": w.kind.creations()}[p.name] // 0 for the others
	w.Expect(made).To(BeNumerically("<=", wantMade), "create calls that succeeded in the phase %s: %v", p.name, calls)
	if p.name == "create" {
		w.Expect(removed).To(BeZero(), "nothing is deleted while something is created: %v", calls)
	}
}
