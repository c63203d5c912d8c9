// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/test/faults/tripwire"
)

// loss is a way in which an answer gets lost although the server did what was asked.
type loss struct {
	name string
	// fault of the simulator; without one the tripwire answers as verdict says.
	fault   *cloudsim.Fault
	verdict tripwire.Verdict
	// cloudOnly losses cannot happen to the API server's answers; slow ones take the client's whole time for a call.
	cloudOnly, slow bool
}

func losses() []loss {
	return []loss{
		{name: "reset", fault: &cloudsim.Fault{Action: cloudsim.FaultResetAfter}, cloudOnly: true},
		{name: "500", fault: &cloudsim.Fault{Action: cloudsim.FaultStatusAfter, Status: http.StatusInternalServerError}, cloudOnly: true},
		{name: "504", fault: &cloudsim.Fault{Action: cloudsim.FaultStatusAfter, Status: http.StatusGatewayTimeout}, cloudOnly: true},
		{name: "closed", verdict: tripwire.Cut},
		{name: "timeout", verdict: tripwire.Hold, cloudOnly: true, slow: true},
	}
}

// R2: the server did what it was asked, and the answer was lost.
func TestLostReplies(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			scenarios := 0
			table.Add(t, "R2 the reply is lost", k.name, &scenarios, "")
			w := newWorld(t, k)
			w.startWithBackground()
			first := k.object(w.namespace, "golden")
			for _, p := range phases() {
				without := w.golden(p, first)
				chosen := chooseLosses(without.steps)
				objects := w.prepared(p, len(chosen))
				for i, c := range chosen {
					scenarios++
					t.Run(fmt.Sprintf("%s %s %d %s", p.name, c.loss.name, c.nth, without.steps[c.nth-1]), func(t *testing.T) {
						w.within(t).lose(p, objects[i], c, without)
					})
				}
			}
		})
	}
}

// chosenLoss is what happens to one of the steps.
type chosenLoss struct {
	loss loss
	nth  int
}

// chooseLosses combines every step with everything that can happen to its answer. A short run leaves the slow ones out.
func chooseLosses(steps []string) []chosenLoss {
	var chosen []chosenLoss
	for _, l := range losses() {
		for i, step := range steps {
			if l.cloudOnly && !strings.HasPrefix(step, "cloud: ") || l.slow && testing.Short() {
				continue
			}
			chosen = append(chosen, chosenLoss{loss: l, nth: i + 1})
		}
	}
	return chosen
}

// lose loses the answer to one step of a phase, and waits until the object is what it would have become without.
func (w *world) lose(p phase, o object, c chosenLoss, without golden) {
	w.Expect(w.sim.Faults(w.t.Context())).To(Succeed())
	w.Expect(w.sim.ResetCalls(w.t.Context())).To(Succeed())
	trap := &tripwire.Trap{Nth: c.nth, When: tripwire.After, Spring: func(*http.Request) tripwire.Verdict { return c.loss.verdict }}
	if c.loss.fault != nil {
		trap.When = tripwire.Before
		trap.Spring = func(r *http.Request) tripwire.Verdict {
			fault := *c.loss.fault
			fault.Count, fault.Match = 1, cloudsim.Match{Method: r.Method, Path: r.URL.EscapedPath()}
			if err := w.sim.Faults(w.t.Context(), fault); err != nil {
				w.t.Errorf("setting the fault: %v", err)
			}
			return tripwire.Pass
		}
	}
	sprung := w.wire.Arm(trap)
	p.do(w, o)
	// Where the client gives up by itself, the trap has acted only then.
	if !w.sprung(sprung, c.nth, o, without) {
		w.t.Skipf("this run took fewer effects: %v", w.wire.Steps())
	}
	w.becomes(o, p, without)
	w.wire.Arm(nil)
}
