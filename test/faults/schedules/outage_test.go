// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package schedules

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"servicestage.dev/operator/internal/cloudsim"
)

// R8: the cloud is out for ten minutes of virtual time. While it is, and once it is back, calls come no faster than the
// objects' own back-off spreads them, and everything is settled within two intervals.
func TestOutage(t *testing.T) {
	const outage = 10 * time.Minute
	faults := map[string]cloudsim.Fault{
		"no connection": {Action: cloudsim.FaultResetBefore},
		"503":           {Action: cloudsim.FaultStatus, Status: http.StatusServiceUnavailable},
	}
	for _, of := range []struct {
		kind, name string
		objects    int
	}{
		{"Environment", "no connection", 200}, {"Environment", "503", 200},
		// Each look at an engine lists them all.
		{"MicroserviceEngine", "no connection", 40}, {"MicroserviceEngine", "503", 40},
		{"KieConfig", "no connection", 20}, {"KieConfig", "503", 20},
	} {
		t.Run(of.kind+"/"+of.name, func(t *testing.T) {
			if testing.Short() && of.name != "503" {
				t.Skip("the short run has one outage of each kind")
			}
			fault, objects, scenarios := faults[of.name], of.objects, 1
			table.Add(t, "R8 ten minutes of outage", of.kind, &scenarios, of.name)
			w, err := newWorld(1)
			if err != nil {
				t.Fatal(err)
			}
			defer w.close()
			w.exact, *w.clock.still = true, true
			u := &users{world: w, rng: rand.New(rand.NewPCG(1, 0)), uids: map[string]int{}}
			if of.kind == "KieConfig" {
				if err := u.create("MicroserviceEngine", "eng1"); err != nil {
					t.Fatal(err)
				}
			}
			for i := range objects {
				if err := u.create(of.kind, fmt.Sprintf("e%03d", i)); err != nil {
					t.Fatal(err)
				}
			}
			advance := func(d time.Duration) {
				if err := w.until(w.clock.Now().Add(d)); err != nil {
					t.Fatal(err)
				}
			}
			advance(2 * resync) // looked at at least once, and so spread
			if err := w.settled(); err != nil {
				t.Fatal(err)
			}
			began := w.clock.Now()
			advance(2 * resync)
			rest := w.busiest(time.Minute, began, w.clock.Now())

			w.outage = &fault
			began = w.clock.Now()
			advance(outage)
			out := w.busiest(outage, began, w.clock.Now())
			w.outage = nil
			healed := w.clock.Now()
			advance(2 * resync)
			back := w.busiest(time.Minute, healed, w.clock.Now())
			second := w.busiest(time.Second, healed, w.clock.Now())
			if err := w.settled(); err != nil {
				t.Errorf("two intervals after the outage: %v", err)
			}
			t.Logf("%d objects, calls in the busiest minute: %d at rest, %d once healed, there %d in the busiest second; in the outage %d in all",
				objects, rest, back, second, out)
			// A look at either kind takes two calls: healing costs no object more than one look, and they do not come at once.
			if back > 2*objects || second > objects/5 {
				t.Errorf("a storm: %d calls in a minute and %d in a second for %d objects", back, second, objects)
			}
			// Back-off from one second, doubled, is ten tries in ten minutes, and a GET that fails is repeated twice.
			if out > 30*objects {
				t.Errorf("a storm in the outage: %d calls for %d objects", out, objects)
			}
		})
	}
}

// busiest returns the most calls in any such span of a time.
func (w *world) busiest(span time.Duration, from, to time.Time) int {
	spans := map[time.Duration]int{}
	for at, n := range w.calls {
		if !at.Before(from) && at.Before(to) {
			spans[at.Sub(from)/span] += n
		}
	}
	most := 0
	for _, n := range spans {
		most = max(most, n)
	}
	return most
}
