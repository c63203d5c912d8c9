// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/test/faults/tripwire"
)

// lie is what the cloud answers although everything is there.
type lie struct {
	name  string
	fault cloudsim.Fault
	// details says that it is about single resources, too.
	details bool
}

func lies(k kind) []lie {
	all := []lie{
		{name: "empty lists", fault: cloudsim.Fault{Action: cloudsim.FaultEmptyList}},
		{name: "truncated lists", fault: cloudsim.Fault{Action: cloudsim.FaultTruncatedList, Keep: 1}},
	}
	for _, d := range k.denials {
		all = append(all, lie{
			name: fmt.Sprintf("%d and empty lists", d.status), details: true,
			fault: cloudsim.Fault{Action: cloudsim.FaultStatus, Status: d.status, Body: json.RawMessage(d.body)},
		})
	}
	return all
}

// faults returns what makes the cloud tell a lie of the kind's resources, so often each.
func (l lie) faults(k kind, count int) []cloudsim.Fault {
	var faults []cloudsim.Fault
	for _, path := range k.lists {
		list := l.fault
		list.Name, list.Count, list.Match = "list", count, cloudsim.Match{Method: http.MethodGet, Path: path}
		if l.details {
			list.Action = cloudsim.FaultEmptyList
		}
		faults = append(faults, list)
	}
	if l.details {
		single := l.fault
		single.Name, single.Count, single.Match = "single", count, cloudsim.Match{Method: http.MethodGet, Path: k.single}
		faults = append(faults, single)
	}
	return faults
}

// R6: the cloud denies what it holds, right after it was made and later, for one object and for many.
func TestLists(t *testing.T) {
	t.Parallel()
	const many = 20
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			scenarios := 0
			table.Add(t, "R6 the cloud denies, truncates", k.name, &scenarios, "")
			w := newWorld(t, k)
			w.startWithBackground()
			reconcile := phase{"reconcile", func(w *world, o object) { w.askForReconciliation(o) }}
			first := k.object(w.namespace, "golden")
			w.golden(phases()[0], first)
			w.askForReconciliation(first)
			w.handled(first)
			var without golden
			w.Eventually(func() error {
				var err error
				without.state, err = w.state(t.Context(), first)
				return err
			}).Should(Succeed())
			var objects []object
			for i := range many {
				objects = append(objects, k.object(w.namespace, fmt.Sprintf("listed-%02d", i)))
			}
			w.create(objects...)
			w.allSettle(objects...)

			for _, l := range lies(k) {
				scenarios++
				t.Run("many objects, "+l.name, func(t *testing.T) {
					w := w.within(t)
					w.Expect(w.sim.ResetCalls(t.Context())).To(Succeed())
					w.Expect(w.sim.Faults(t.Context(), l.faults(k, many)...)).To(Succeed())
					for _, o := range objects {
						reconcile.do(w, o)
					}
					for _, o := range objects {
						w.handled(o)
						w.settlesAs(o, without)
					}
					w.Expect(w.made()).To(BeZero(), "nothing is made again")
					if !l.details && k.single != "" {
						w.Expect(w.creates()).To(BeZero(), "nothing is even tried")
					}
					w.Expect(w.sim.Faults(t.Context())).To(Succeed())
				})
				scenarios++
				t.Run("right after create, "+l.name, func(t *testing.T) {
					w := w.within(t)
					o := k.object(w.namespace, "new-"+strings.ReplaceAll(l.name, " ", "-"))
					w.Expect(w.sim.ResetCalls(t.Context())).To(Succeed())
					steps := k.upToCreation()
					sprung := w.wire.Arm(&tripwire.Trap{Nth: len(steps), When: tripwire.After, Spring: func(*http.Request) tripwire.Verdict {
						if err := w.sim.Faults(t.Context(), l.faults(k, 2)...); err != nil {
							t.Errorf("setting the faults: %v", err)
						}
						return tripwire.Cut // the reply is lost as well: the manager has to look
					}})
					w.create(o)
					w.Eventually(sprung).Should(BeClosed())
					w.Expect(w.wire.Steps()[:len(steps)]).To(HaveExactElements(steps...))
					w.wire.Arm(nil)
					w.allSettle(o)
					w.Expect(w.sim.Faults(t.Context())).To(Succeed())
					w.askForReconciliation(o)
					w.handled(o)
					w.settlesAs(o, without)
					w.Expect(w.made()).To(Equal(k.creations()))
				})
			}
		})
	}
}

// handled waits until the manager has looked at an object as it was asked to.
func (w *world) handled(o object) {
	w.t.Helper()
	w.Eventually(func() string {
		w.read(o)
		return o.CommonStatus().LastHandledReconcileAt
	}).Should(Equal(o.GetAnnotations()[v1alpha1.ReconcileRequestedAtAnnotation]))
}

// creates counts the create calls of the kind, whatever came of them.
func (w *world) creates() (int, error) {
	calls, err := w.sim.Calls(w.t.Context())
	n := 0
	for _, call := range calls {
		if call.Method+" "+pathOf(call.Path) == w.kind.creates {
			n++
		}
	}
	return n, err
}

// R6: records go while a list is read, so that the later ones move to earlier pages.
func TestShiftingPages(t *testing.T) {
	t.Parallel()
	const before = 230
	for _, k := range kinds() {
		if k.foreign == nil {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			scenarios := 1
			table.Add(t, "R6 pages that shift", k.name, &scenarios, "")
			w := newWorld(t, k)
			w.startWithBackground()
			w.Expect(w.sim.ResetCalls(t.Context())).To(Succeed())
			for i := range before {
				name := fmt.Sprintf("foreign-%03d", i)
				w.Expect(w.sim.Put(t.Context(), k.collections[0], name, k.foreign(w, name))).To(Succeed())
			}
			first := k.object(w.namespace, "golden")
			without := w.golden(phases()[0], first)

			o := k.object(w.namespace, "shifted")
			w.Expect(w.sim.ResetCalls(t.Context())).To(Succeed())
			killed := w.wire.Arm(&tripwire.Trap{Nth: 2, When: tripwire.After, Spring: func(*http.Request) tripwire.Verdict {
				w.Expect(w.managers.killAll()).To(Succeed())
				return tripwire.Cut
			}})
			w.create(o)
			w.Eventually(killed).Should(BeClosed())

			w.countPages.Store(true)
			shifted := w.wire.Arm(&tripwire.Trap{Nth: 2, When: tripwire.Before, Spring: func(*http.Request) tripwire.Verdict {
				for i := range 60 {
					w.Expect(w.sim.Delete(t.Context(), k.collections[0], fmt.Sprintf("foreign-%03d", i))).To(Succeed())
				}
				return tripwire.Pass
			}})
			w.start()
			w.Eventually(shifted).Should(BeClosed(), "the list has one page")
			w.settlesAs(o, without)
			w.Expect(w.creates()).To(Equal(1), "found by its claim, not by a name that is in the way")
		})
	}
}
