// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"servicestage.dev/operator/test/rig"
)

const (
	// stepTimeout bounds how long a step may take until what it promises is observed.
	stepTimeout = 45 * time.Second
	// lookInterval is the time between two looks.
	lookInterval = 100 * time.Millisecond
)

// step is one scene: something is done, then it is watched until its effect is seen, then it is shown.
type step struct {
	name string
	// act does it. Optional.
	act func(context.Context, *world) error
	// observe returns nil once the effect is there; until then an error that says what is still missing. Optional.
	observe func(context.Context, *world) error
	// show prints what is to be seen. Optional.
	show func(context.Context, *world) error
}

// result is what the summary says about a step.
type result struct {
	name  string
	took  time.Duration
	calls int
}

// play runs the steps in order, and the summary after the last.
func play(ctx context.Context, w *world, steps []step) error {
	var results []result
	for i, s := range steps {
		before, err := w.calls(ctx)
		if err != nil {
			return err
		}
		started := time.Now()
		w.screen.begin(i+1, len(steps), s.name)
		err = s.run(ctx, w)
		w.screen.end(err)
		if err != nil {
			return errors.Join(fmt.Errorf("step %d (%s): %w", i+1, s.name, err), w.evidence())
		}
		after, err := w.calls(ctx)
		if err != nil {
			return err
		}
		results = append(results, result{name: s.name, took: time.Since(started), calls: len(after) - len(before)})
		if s.show != nil {
			if err := s.show(ctx, w); err != nil {
				return fmt.Errorf("showing step %d: %w", i+1, err)
			}
		}
	}
	w.screen.summary(results)
	return nil
}

func (s step) run(ctx context.Context, w *world) error {
	ctx, cancel := context.WithTimeoutCause(ctx, stepTimeout, fmt.Errorf("not seen within %v", stepTimeout))
	defer cancel()
	if s.act != nil {
		if err := s.act(ctx, w); err != nil {
			return err
		}
	}
	if s.observe == nil {
		return nil
	}
	return until(ctx, w.screen, func() error { return s.observe(ctx, w) })
}

// until looks again and again until look returns nil, showing what is missing meanwhile.
func until(ctx context.Context, screen *screen, look func() error) error {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		missing := look()
		if missing == nil {
			return nil
		}
		if ctx.Err() == nil {
			screen.waiting(missing.Error())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last seen: %w", context.Cause(ctx), missing)
		case <-ticker.C:
		}
	}
}

// calls returns the calls that the cloud has answered so far.
func (w *world) calls(ctx context.Context) ([]rig.Call, error) {
	if w.sim == nil {
		return nil, nil
	}
	return w.sim.Calls(ctx)
}
