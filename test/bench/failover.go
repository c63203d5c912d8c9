// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"servicestage.dev/operator/test/bench/figures"
	"servicestage.dev/operator/test/rig"
)

// failover measures how long an edit waits whose leader goes, in good order and killed (P15).
func (b *bench) failover(ctx context.Context) (err error) {
	b.progress("two managers, and the leader goes")
	w, err := newWorld(ctx, b.bin, b.seed, "--leader-elect", "--leader-election-namespace="+rig.OperatorNamespace)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, w.stop) }()
	leader, err := w.startAndAwaitAccount(ctx)
	if err != nil {
		return err
	}
	watched := names("watched", 1)
	if err := w.createAll(ctx, environments, namespace, watched); err != nil {
		return err
	}
	if err := w.awaitReady(ctx, namespace, watched); err != nil {
		return err
	}
	for i, way := range []struct {
		name string
		end  func(*rig.Manager) error
		want figures.Limit
	}{
		{"graceful", func(m *rig.Manager) error { return m.Stop() }, figures.AtMost(3)},
		{"killed", func(m *rig.Manager) error { return m.Kill() }, figures.AtMost(17)},
	} {
		follower, err := w.startManager(ctx)
		if err != nil {
			return err
		}
		began := time.Now()
		if err := way.end(leader); err != nil {
			return err
		}
		generation, err := w.edit(ctx, environments, namespace, watched[0], fmt.Sprintf("edit %d", i))
		if err != nil {
			return err
		}
		ready, err := w.tracker.whenReady(ctx, key(namespace, watched[0]), generation)
		if err != nil {
			return err
		}
		b.record(figures.Figure{Metric: "P15", What: "leader gone, " + way.name + ": an edit is Ready after", Value: ready.Sub(began).Seconds(), Unit: "s", Want: way.want})
		leader = follower
	}
	return nil
}
