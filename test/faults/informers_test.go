// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/test/faults/tripwire"
)

// calm is how long nothing more may happen where nothing is to happen.
const calm = time.Second

// distorted is the object that the distortions are about.
const distorted = "distorted"

// distortion is what happens to the events on objects of a kind while it is switched on.
type distortion struct {
	name string
	// distort makes of an event what is passed on; held is for what it keeps from one event to the next.
	distort func(s *stream, event []byte) [][]byte
	// looksAgain is set where what a pass takes for settled by old news is looked at again only when it is due: the
	// interval is then short.
	looksAgain func(readsOwnWrites bool) bool
}

// stream is what a distortion remembers of one watch.
type stream struct {
	*distorter
	held []byte
}

// distorter switches a distortion on and off.
type distorter struct {
	distortion
	mu   sync.Mutex
	on   bool
	thaw chan struct{} // closed when it is switched off
}

func (d *distorter) set(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.on && !on {
		close(d.thaw)
	}
	if on && !d.on {
		d.thaw = make(chan struct{})
	}
	d.on = on
}

func (d *distorter) state() (bool, chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.on, d.thaw
}

// filter distorts the events of one watch.
func (d *distorter) filter() tripwire.Filter {
	s := &stream{distorter: d}
	return func(event []byte) [][]byte {
		on, _ := d.state()
		switch {
		case !on || initialEventsEnd(event):
			return [][]byte{event}
		case is(event, "BOOKMARK"): // it would say that nothing before it was kept back: no new watch could mend that
			return nil
		}
		return d.distort(s, event)
	}
}

// is says whether an event is of a type.
func is(event []byte, kind string) bool {
	return bytes.Contains(event[:min(len(event), 40)], []byte(`"`+kind+`"`))
}

func added(event []byte) bool { return is(event, "ADDED") }

// initialEventsEnd says whether an event ends the list that a watch begins with, which the manager waits for.
func initialEventsEnd(event []byte) bool {
	return is(event, "BOOKMARK") && bytes.Contains(event, []byte(`"`+metav1.InitialEventsAnnotationKey+`"`))
}

func distortions() []distortion {
	return []distortion{
		// The manager hears of a new object, and then of nothing more until the thaw. A late word of another object must not
		// hold up the first of this.
		{name: "frozen", distort: func(s *stream, event []byte) [][]byte {
			if !added(event) && bytes.Contains(event, []byte(`"name":"`+distorted+`"`)) {
				_, thaw := s.state()
				<-thaw
			}
			return [][]byte{event}
		}},
		// It never hears of the thaw either: only a new watch tells what was missed.
		{name: "dropped", distort: func(_ *stream, event []byte) [][]byte {
			if added(event) {
				return [][]byte{event}
			}
			return nil
		}},
		{name: "repeated", distort: func(_ *stream, event []byte) [][]byte { return [][]byte{event, event, event} }},
		// Every event waits for the next one, while those of other kinds go on.
		{name: "late", looksAgain: func(readsOwnWrites bool) bool { return !readsOwnWrites }, distort: func(s *stream, event []byte) [][]byte {
			if added(event) {
				return [][]byte{event}
			}
			late := s.held
			s.held = event
			if late == nil {
				return nil
			}
			return [][]byte{late}
		}},
		// Every event arrives after the one that follows it: what the manager knows goes back in time, as it can when it
		// connects to an API server that lags behind.
		{name: "reordered", looksAgain: func(bool) bool { return true }, distort: func(s *stream, event []byte) [][]byte {
			if added(event) {
				return [][]byte{event}
			}
			if s.held == nil {
				s.held = event
				return nil
			}
			late := s.held
			s.held = nil
			return [][]byte{event, late}
		}},
	}
}

// R3, R4: the manager's view of the API server is frozen, lacks events, gets them twice, or in the wrong order, with and
// without a client that waits to see its own writes (with several namespaces it does not).
func TestDistortedEvents(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		for _, d := range distortions() {
			for _, readsOwnWrites := range []bool{true, false} {
				if testing.Short() && (k.slow || readsOwnWrites != (d.name == "frozen")) {
					continue
				}
				name := map[bool]string{true: "one namespace", false: "several namespaces"}[readsOwnWrites]
				t.Run(fmt.Sprintf("%s %s %s", k.name, d.name, name), func(t *testing.T) {
					t.Parallel()
					scenarios := 0
					table.Add(t, "R3-R4 events "+d.name+", "+name, k.name, &scenarios, "")
					w := newWorld(t, k)
					if d.looksAgain != nil && d.looksAgain(readsOwnWrites) {
						w.args = append(w.args, "--resync-interval=5s")
					}
					if !readsOwnWrites {
						w.args = append(w.args, "--watch-namespaces=default")
					}
					dist := &distorter{distortion: d}
					w.api.FilterStreams(func(r *http.Request) tripwire.Filter {
						if !r.URL.Query().Has("watch") || !strings.HasSuffix(r.URL.Path, w.namespace+"/"+k.plural) {
							return nil
						}
						return dist.filter()
					})
					t.Cleanup(func() { dist.set(false) })
					w.startWithBackground()
					first, second := k.object(w.namespace, "golden"), k.object(w.namespace, distorted)
					for _, p := range phases() {
						without := w.golden(p, first)
						scenarios++
						t.Run(p.name, func(t *testing.T) { w.within(t).distorted(dist, p, second, without) })
					}
				})
			}
		}
	}
}

// distorted goes through a phase while events are distorted, with passes that know only the past, and then heals.
func (w *world) distorted(d *distorter, p phase, o object, without golden) {
	w.Expect(w.sim.ResetCalls(w.t.Context())).To(Succeed())
	w.wire.Arm(nil)
	d.set(true)
	p.do(w, o)
	if p.name == "create" {
		w.Eventually(w.made).Should(Equal(w.kind.creations()))
	}
	for range 2 {
		w.wakeAll()
	}
	w.Consistently(w.made).WithTimeout(calm).Should(BeNumerically("<=", w.kind.creations()), "create calls that succeeded")
	d.set(false)
	w.api.DropConnections()
	w.becomes(o, p, without)
}

// made counts the create calls of the kind that succeeded.
func (w *world) made() (int, error) {
	calls, err := w.sim.Calls(w.t.Context())
	n := 0
	for _, call := range calls {
		if call.Method+" "+pathOf(call.Path) == w.kind.creates && call.Status >= 200 && call.Status < 300 {
			n++
		}
	}
	return n, err
}

// wakeAll makes the manager look at every object of the namespace once more, by way of the account: its events are not
// distorted.
func (w *world) wakeAll() {
	account := &v1alpha1.CloudAccount{}
	key := client.ObjectKey{Namespace: w.namespace, Name: "default"}
	w.Expect(k8s.Get(w.t.Context(), key, account)).To(Succeed())
	before := account.DeepCopy()
	account.Spec.RateLimit.RequestsPerSecond++
	w.Expect(k8s.Patch(w.t.Context(), account, client.MergeFrom(before))).To(Succeed())
	w.Eventually(func() int64 {
		w.Expect(k8s.Get(w.t.Context(), key, account)).To(Succeed())
		return account.Status.ObservedGeneration
	}).Should(Equal(account.Generation))
}

// R5: two managers that both believe they lead.
func TestTwoLeaders(t *testing.T) {
	t.Parallel()
	const n = 8
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			scenarios := 0
			table.Add(t, "R5 two leaders", k.name, &scenarios, "")
			w := newWorld(t, k)
			w.startWithBackground()
			first := k.object(w.namespace, "golden")
			var without []golden
			for _, p := range phases() {
				without = append(without, w.golden(p, first))
			}
			w.start()
			var objects []object
			for i := range n {
				objects = append(objects, k.object(w.namespace, fmt.Sprintf("shared-%d", i)))
			}
			for i, p := range phases() {
				w.Expect(w.sim.ResetCalls(t.Context())).To(Succeed())
				for _, o := range objects {
					p.do(w, o)
				}
				for _, o := range objects {
					scenarios++
					w.settlesAs(o, without[i])
				}
				if p.name != "create" && k.makes > 1 {
					continue // who still sees the old spec makes a part again that the other has just removed
				}
				w.Expect(w.made()).To(Equal(map[string]int{"create": n * k.creations()}[p.name]), "create calls that succeeded in the phase %s", p.name)
			}
		})
	}
}
