// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/test/bench/figures"
	"servicestage.dev/operator/test/rig"
)

// step is a part of the measurement of N objects.
type step struct {
	what string
	do   func(*scaled, context.Context) error
}

// steps are all of them, resting those without what is done to single objects.
var (
	steps = []step{
		{"the API server's floor", (*scaled).floor},
		{"made together", (*scaled).burst},
		{"at rest", (*scaled).rest},
		{"a crash", (*scaled).crash},
		{"newcomers", (*scaled).newcomers},
		{"edits", (*scaled).edits},
		{"deletions", (*scaled).deletions},
		{"drift", (*scaled).drift},
	}
	resting = []step{
		{"made together", (*scaled).burst},
		{"at rest", (*scaled).rest},
		{"drift", (*scaled).drift},
	}
)

// scale measures what N objects of a kind cost: made together, at rest, beside newcomers, edits and deletions, with drift,
// and after a crash (P1 to P7, P11, P13, P14).
func (b *bench) scale(ctx context.Context, k kind, n int, steps []step) (err error) {
	w, err := newWorld(ctx, b.bin, b.seed, "--max-concurrent-reconciles="+fmt.Sprint(b.workers), "--list-interval="+b.interval.String())
	if err != nil {
		return err
	}
	defer func() { err = closing(err, w.stop) }()
	s := &scaled{bench: b, world: w, kind: k, n: n, names: names("settled", n)}
	for _, step := range steps {
		b.progress("%6d %ss: %s", n, k.name, step.what)
		if err := step.do(s, ctx); err != nil {
			return fmt.Errorf("%d %ss: %s: %w", n, k.name, step.what, err)
		}
	}
	return nil
}

// scaled is one world with N objects.
type scaled struct {
	*bench
	*world
	kind    kind
	n       int
	names   []string
	manager *rig.Manager
	// floored is how long the API server's floor took, 0 where that was not measured.
	floored time.Duration
	idle    float64
}

func (s *scaled) add(metric, what string, value float64, unit string, want figures.Limit) {
	s.record(figures.Figure{Metric: metric, What: s.kind.title + what, N: s.n, Value: value, Unit: unit, Want: want})
}

// addAbove adds a figure that has a floor.
func (s *scaled) addAbove(floor float64, metric, what string, value float64, unit string, want figures.Limit) {
	s.record(figures.Figure{Metric: metric, What: s.kind.title + what, N: s.n, Value: value, Unit: unit, Floor: &floor, Want: want})
}

// floor measures how long the API server takes for the writes of N objects alone: one create, one patch, one apply of
// status, without a manager.
func (s *scaled) floor(ctx context.Context) error {
	write := func(ctx context.Context, name string) error {
		return s.writeAsManagers(ctx, s.kind.object("default", name),
			map[string]any{"id": "5589af1c-d65a-4ec7-ad6e-e09753d9e946", "observedGeneration": 1})
	}
	// The first writes of a kind wait until a new API server is ready for it.
	first := names("first", writers)
	if err := side(ctx, len(first), func(ctx context.Context, i int) error { return write(ctx, first[i]) }); err != nil {
		return err
	}
	began := time.Now()
	err := side(ctx, s.n, func(ctx context.Context, i int) error { return write(ctx, s.names[i]) })
	if err != nil {
		return err
	}
	s.floored = time.Since(began)
	written := slices.Concat(first, s.names)
	return side(ctx, len(written), func(ctx context.Context, i int) error {
		o := s.kind.object("default", written[i])
		if err := s.api.Patch(ctx, o, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))); err != nil {
			return err
		}
		return s.api.Delete(ctx, o)
	})
}

// burst creates all objects at once and waits until all are Ready.
func (s *scaled) burst(ctx context.Context) (err error) {
	var profiles []string
	if s.pprof != "" {
		profiles = append(profiles, "--pprof-bind-address="+s.pprof)
	}
	if s.manager, err = s.startAndAwaitAccount(ctx, profiles...); err != nil {
		return err
	}
	if err := s.makeBackground(ctx); err != nil {
		return err
	}
	idle, err := s.gauge(ctx, s.manager, "process_resident_memory_bytes")
	if err != nil {
		return err
	}
	began := time.Now()
	made, wrote, err := s.cost(ctx, func() error {
		if err := s.createAll(ctx, s.kind, namespace, s.names); err != nil {
			return err
		}
		return s.awaitReady(ctx, namespace, s.names)
	})
	if err != nil {
		return err
	}
	_, last := s.tracker.ready(namespace, s.names)
	took, n := last.Sub(began), float64(s.n)
	if s.floored > 0 {
		s.addAbove(s.floored.Seconds(), "P3", "all Ready after", took.Seconds(), "s", figures.Limit{})
		s.add("P3", "all Ready : the floor of a warm API server", took.Seconds()/s.floored.Seconds(), "", figures.AtMost(2))
	} else {
		s.add("P3", "all Ready after", took.Seconds(), "s", figures.Limit{})
	}
	perObject := float64(made.Lists+made.Looks+made.Writes+made.Refused) / n
	s.addAbove(s.kind.least, "P4", "cloud calls per created object"+s.kind.creation, perObject, "calls", figures.Counted(s.kind.most))
	s.addAbove(s.kind.writes, "P7", "API server writes per created object", wrote.Objects/n, "writes", figures.Counted(s.kind.writes))
	s.add("P7", "events per created object", wrote.Events/n, "writes", figures.Limit{})
	peak, err := s.gauge(ctx, s.manager, "process_resident_memory_bytes")
	if err != nil {
		return err
	}
	s.add("P3", "resident memory when all are Ready", peak/(1<<20), "MiB", figures.Limit{})
	cpu, err := s.gauge(ctx, s.manager, "process_cpu_seconds_total")
	s.add("P3", "CPU of the manager", cpu, "s", figures.Limit{})
	s.idle = idle
	return err
}

// makeBackground creates what objects of the kind refer to, and waits until all of that is Ready.
func (s *scaled) makeBackground(ctx context.Context) error {
	for _, o := range s.kind.background(namespace) {
		if err := s.api.Create(ctx, o); err != nil {
			return err
		}
		if _, err := s.tracker.whenReady(ctx, key(namespace, o.GetName()), 1); err != nil {
			return err
		}
	}
	return nil
}

// rest counts what goes on while nothing changes.
func (s *scaled) rest(ctx context.Context) error {
	const intervals = 2
	if err := pass(ctx, s.interval); err != nil { // a poller's first lists are behind it
		return err
	}
	c, wrote, err := s.cost(ctx, func() error { return pass(ctx, intervals*s.interval) })
	if err != nil {
		return err
	}
	log, err := s.sim.Calls(ctx)
	if err != nil {
		return err
	}
	listed, err := pagesPer(s.interval, log)
	if err != nil {
		return err
	}
	// Pages overlap by one object, and intervals are up to a tenth shorter.
	others := float64(len(s.kind.background(namespace)))
	pages, overlapping := others+float64((s.n+99)/100), others+float64(1+(max(0, s.n-100)+98)/99)
	s.addAbove(pages, "P5", "list pages per interval", listed, "calls", figures.Counted(1.12*overlapping))
	s.addAbove(0, "P5", "looks at single resources per interval", float64(c.Looks)/intervals, "calls", figures.Counted(0))
	s.addAbove(0, "P6", "cloud writes at rest", float64(c.Writes), "calls", figures.Counted(0))
	s.addAbove(0, "P6", "API server writes at rest", wrote.Objects, "writes", figures.Counted(0))
	heap, err := s.gauge(ctx, s.manager, "go_memstats_heap_alloc_bytes")
	if err != nil {
		return err
	}
	resident, err := s.gauge(ctx, s.manager, "process_resident_memory_bytes")
	if err != nil {
		return err
	}
	s.add("P13", "resident memory at rest", resident/(1<<20), "MiB", figures.Limit{})
	s.add("P13", "heap at rest", heap/(1<<20), "MiB", figures.Limit{})
	if s.n >= 1000 { // below, what the process needs anyway hides it
		s.add("P13", "resident memory per settled object", (resident-s.idle)/float64(s.n)/(1<<10), "KiB", figures.AtMost(25))
	}
	return nil
}

// newcomers measures how long a new object takes beside the settled ones. They come in the course of an interval, so that they
// meet the lists as often as newcomers do.
func (s *scaled) newcomers(ctx context.Context) error {
	if err := s.sim.ResetCalls(ctx); err != nil {
		return err
	}
	list := names("newcomer", s.samples)
	came, err := s.createEach(ctx, namespace, s.interval/time.Duration(s.samples), list)
	if err != nil {
		return err
	}
	log, err := s.sim.Calls(ctx)
	if err != nil {
		return err
	}
	var toCall []time.Duration
	for _, c := range log {
		var body struct{ Name string }
		if c.Method != http.MethodPost || json.Unmarshal(c.Body, &body) != nil {
			continue
		}
		if at, ok := came.created[body.Name]; ok {
			toCall = append(toCall, c.Time.Sub(at))
		}
	}
	if len(toCall) != len(list) {
		return fmt.Errorf("%d newcomers, and %d create calls of them", len(list), len(toCall))
	}
	s.add("P1", "newcomer: created -> first cloud call, p99", percentile(toCall, 99).Seconds(), "s", figures.AtMost(1))
	s.addAbove(percentile(came.bare, 50).Seconds(), "P1", newcomerReady, percentile(came.ready, 50).Seconds(), "s", figures.Limit{})
	s.add("P1", "newcomer: created -> Ready, p99", percentile(came.ready, 99).Seconds(), "s", figures.AtMost(5))
	return nil
}

// edits measures how long a change of an old object takes.
func (s *scaled) edits(ctx context.Context) error {
	took, err := s.editEach(ctx, s.kind, namespace, s.names[:s.samples])
	if err != nil {
		return err
	}
	s.add("P2", "edit of an old object -> Ready, p99", percentile(took, 99).Seconds(), "s", figures.AtMost(5))
	return nil
}

// drift changes resources behind the operator's back, and measures until each is set right.
func (s *scaled) drift(ctx context.Context) error {
	ids, err := s.recordsByName(ctx, s.kind)
	if err != nil {
		return err
	}
	if err := s.sim.ResetCalls(ctx); err != nil {
		return err
	}
	began := time.Now()
	drifted := s.names[len(s.names)-min(s.samples, 10):]
	for _, name := range drifted {
		if err := s.sim.Patch(ctx, s.kind.collection, ids[name], rig.Record{"description": "drifted"}); err != nil {
			return err
		}
	}
	var worst time.Duration
	for _, name := range drifted {
		err := until(ctx, name+" is set right", func(ctx context.Context) (bool, error) {
			r, err := s.sim.Get(ctx, s.kind.collection, ids[name])
			return r.Text("description") == made, err
		})
		if err != nil {
			return err
		}
		worst = max(worst, time.Since(began))
	}
	c, err := s.calls(ctx)
	s.add("P14", "drift repaired after", worst.Seconds()/s.interval.Seconds(), "intervals", figures.AtMost(1.3))
	s.add("P14", "looks per drifted object", float64(c.Looks)/float64(len(drifted)), "calls", figures.Limit{})
	return err
}

// crash kills the manager and counts what the next one asks of the cloud.
func (s *scaled) crash(ctx context.Context) error {
	if err := s.manager.Kill(); err != nil {
		return err
	}
	c, wrote, err := s.cost(ctx, func() (err error) {
		if s.manager, err = s.startManager(ctx); err != nil {
			return err
		}
		return pass(ctx, s.window)
	})
	if err != nil {
		return err
	}
	s.addAbove(0, "P11", "looks after a crash", float64(c.Looks), "calls", figures.Counted(0))
	s.add("P11", "list pages after a crash", float64(c.Lists), "calls", figures.Limit{})
	s.addAbove(0, "P11", "cloud writes after a crash", float64(c.Writes), "calls", figures.Counted(0))
	s.addAbove(0, "P11", "API server writes after a crash", wrote.Objects, "writes", figures.Limit{})
	return nil
}

// deletions measures how long objects take to go.
func (s *scaled) deletions(ctx context.Context) error {
	var took []time.Duration
	_, wrote, err := s.cost(ctx, func() (err error) {
		took, err = s.deleteEach(ctx, s.kind, namespace, s.names[:s.samples])
		return err
	})
	if err != nil {
		return err
	}
	s.add("P2", "delete -> gone, p99", percentile(took, 99).Seconds(), "s", figures.AtMost(5))
	s.addAbove(1, "P7", "API server writes per deleted object", wrote.Objects/float64(len(took)), "writes", figures.Counted(1))
	return nil
}

// percentile of durations, the nearest above.
func percentile(of []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[min((len(sorted)*percent+99)/100, len(sorted))-1]
}

// pass lets time go by.
func pass(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
