// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/test/bench/figures"
	"servicestage.dev/operator/test/rig"
)

// The limit of the simulated cloud while limits are measured: so many calls of an account in each window.
const (
	windowCalls = 100
	windowTime  = 5 * time.Second
)

func cloudLimit(unstated bool) cloudsim.Limit {
	return cloudsim.Limit{Scope: cloudsim.LimitUser, Limit: windowCalls, Period: cloudsim.Duration(windowTime), Unstated: unstated}
}

// team is the namespace of the account whose limit is used up, teamKeys are those of that account.
const team = "limited"

var teamKeys = rig.Keys{AccessKey: "TEAMACCESSKEY", SecretKey: "team-secret-key"}

// besideTeam starts a manager without lists, in a world that has the team's account as well.
func (b *bench) besideTeam(ctx context.Context, do func(context.Context, *world) error) (err error) {
	w, err := newWorld(ctx, b.bin, b.seed, "--list-interval=0")
	if err != nil {
		return err
	}
	defer func() { err = closing(err, w.stop) }()
	if err := w.sim.Accounts(ctx, cloudsim.Account{AccessKey: keys.AccessKey, SecretKey: keys.SecretKey},
		cloudsim.Account{AccessKey: teamKeys.AccessKey, SecretKey: teamKeys.SecretKey}); err != nil {
		return err
	}
	if err := w.addAccount(ctx, team, teamKeys.AccessKey, teamKeys.SecretKey, nil); err != nil {
		return err
	}
	if _, err := w.startAndAwaitAccount(ctx); err != nil {
		return err
	}
	return do(ctx, w)
}

// limits measures how much of the cloud's rate limit a backlog uses, and how many calls are refused (P8).
func (b *bench) limits(ctx context.Context, unstated bool) error {
	kind, share := "stated", 0.95
	if unstated {
		kind, share = "unstated", 0.9
	}
	b.progress("a backlog under a limit that is %s", kind)
	return b.besideTeam(ctx, func(ctx context.Context, w *world) error {
		return b.backlog(ctx, w, unstated, kind, share)
	})
}

// backlog has the calls of a backlog counted, once the limit is found.
func (b *bench) backlog(ctx context.Context, w *world, unstated bool, kind string, share float64) error {
	if err := w.sim.Limits(ctx, cloudLimit(unstated)); err != nil {
		return err
	}
	if err := w.sim.ResetCalls(ctx); err != nil {
		return err
	}
	// The limit is found in the first windows; what is counted comes after.
	list := names("backlog", windowCalls*(b.windows+b.warmup+1))
	if err := w.createAll(ctx, environments, team, list); err != nil {
		return err
	}
	err := until(ctx, "the backlog is nearly done", func(context.Context) (bool, error) {
		n, _ := w.tracker.ready(team, list)
		return n >= windowCalls*(b.windows+b.warmup), nil
	})
	if err != nil {
		return err
	}
	log, err := w.sim.Calls(ctx)
	if err != nil {
		return err
	}
	used := perWindow(log)
	b.curve("P8 "+kind, used)
	if len(used) < b.warmup+2 {
		return fmt.Errorf("a backlog of %d calls took %d windows only", len(list), len(used))
	}
	accepted, refused := 0, 0
	for _, u := range used[b.warmup : len(used)-1] { // the last window may be cut short
		accepted, refused = accepted+u.accepted, refused+u.refused
	}
	b.record(figures.Figure{Metric: "P8", What: "share of a limit that is " + kind, N: len(list), Unit: "",
		Value: float64(accepted) / float64(windowCalls*(len(used)-1-b.warmup)), Want: figures.AtLeast(share)})
	b.record(figures.Figure{Metric: "P8", What: "share of calls refused, limit " + kind, N: len(list), Unit: "",
		Value: float64(refused) / float64(max(1, accepted+refused)), Want: figures.AtMost(map[bool]float64{false: 0.01, true: 0.1}[unstated])})
	return nil
}

// use is what became of the calls of one window.
type use struct{ accepted, refused int }

// perWindow cuts a call log into the windows that the cloud counts in: each starts with the first call after the last one.
func perWindow(log []rig.Call) []use {
	var (
		windows []use
		started time.Time
	)
	for _, c := range log {
		if len(windows) == 0 || c.Time.Sub(started) >= windowTime {
			windows, started = append(windows, use{}), c.Time
		}
		last := &windows[len(windows)-1]
		if isRefused(c) {
			last.refused++
		} else {
			last.accepted++
		}
	}
	return windows
}

// isRefused says whether a call met the limit.
func isRefused(c rig.Call) bool { return c.Status == http.StatusTooManyRequests }

// neighbours measures whether one account's storm of refused calls leaves another's latency alone (P9).
func (b *bench) neighbours(ctx context.Context) error {
	b.progress("two accounts, one of them throttled")
	return b.besideTeam(ctx, b.beside)
}

// beside compares what newcomers of the one account take before and while the other is throttled.
func (b *bench) beside(ctx context.Context, w *world) error {
	// Both may make so few calls that the noisy one is always refused some, and the other never.
	const pace = windowTime / (windowCalls / 4)
	before, err := w.createEach(ctx, namespace, pace, names("quiet", 2*b.samples))
	if err != nil {
		return err
	}
	if err := w.sim.Limits(ctx, cloudLimit(false)); err != nil {
		return err
	}
	storm := names("storm", windowCalls*8)
	if err := w.createAll(ctx, environments, team, storm); err != nil {
		return err
	}
	if err := pass(ctx, windowTime); err != nil { // what the API server has to do for the storm's objects is behind it
		return err
	}
	during, err := w.createEach(ctx, namespace, pace, names("beside", 2*b.samples))
	if err != nil {
		return err
	}
	alone, bareAlone := percentile(before.ready, 50).Seconds(), percentile(before.bare, 50).Seconds()
	throttled, bareThrottled := percentile(during.ready, 50).Seconds(), percentile(during.bare, 50).Seconds()
	floor := bareThrottled / bareAlone
	ratio := figures.Figure{Metric: "P9", What: "throttled neighbour : alone, p50", N: len(storm), Value: throttled / alone, Floor: &floor, Want: figures.AtMost(1.1)}
	done, _ := w.tracker.ready(team, storm)
	if err := shows(ratio, len(storm)-done); err != nil {
		return err
	}
	b.record(figures.Figure{Metric: "P9", What: "another account's newcomer -> Ready, p50, alone", Value: alone, Floor: &bareAlone, Unit: "s"})
	b.record(figures.Figure{Metric: "P9", What: "the same while one is throttled", Value: throttled, Floor: &bareThrottled, Unit: "s"})
	b.record(ratio)
	return nil
}

// storm measures how long edits and deletions of old objects take while a backlog of the same account has the cloud's limit
// used up (P2).
func (b *bench) storm(ctx context.Context) error {
	b.progress("edits and deletions beside a backlog that is throttled")
	return b.besideTeam(ctx, b.amid)
}

// amid edits and deletes old objects while a backlog is throttled.
func (b *bench) amid(ctx context.Context, w *world) error {
	edited, doomed := names("edited", b.samples/2), names("doomed", b.samples/2)
	old := slices.Concat(edited, doomed)
	if err := w.createAll(ctx, environments, team, old); err != nil {
		return err
	}
	if err := w.awaitReady(ctx, team, old); err != nil {
		return err
	}
	if err := w.sim.Limits(ctx, cloudLimit(false)); err != nil {
		return err
	}
	if err := w.sim.ResetCalls(ctx); err != nil {
		return err
	}
	// It lasts where each sample takes half a window, which is half of what one may take.
	backlog := names("backlog", windowCalls*len(old)/2)
	if err := w.createAll(ctx, environments, team, backlog); err != nil {
		return err
	}
	// A refusal states the limit and costs the rest of its window, whatever the operator does.
	err := until(ctx, "calls are answered after one was refused", func(ctx context.Context) (bool, error) {
		log, err := w.sim.Calls(ctx)
		return resumed(log), err
	})
	if err != nil {
		return err
	}
	for _, sampled := range []struct {
		what  string
		names []string
		each  func(ctx context.Context, k kind, namespace string, names []string) ([]time.Duration, error)
	}{
		{"delete -> gone", doomed, w.deleteEach},
		{"edit of an old object -> Ready", edited, w.editEach},
	} {
		took, err := sampled.each(ctx, environments, team, sampled.names)
		if err != nil {
			return err
		}
		done, _ := w.tracker.ready(team, backlog)
		f := figures.Figure{Metric: "P2", What: "in a storm: " + sampled.what + ", p99", N: len(backlog), Value: percentile(took, 99).Seconds(), Unit: "s", Want: figures.AtMost(5)}
		if err := shows(f, len(backlog)-done); err != nil {
			return err
		}
		b.record(f)
	}
	c, err := w.calls(ctx)
	b.record(figures.Figure{Metric: "P2", What: "in a storm: calls refused", N: len(backlog), Value: float64(c.Refused), Unit: "calls"})
	return err
}

// resumed says whether a call was refused and a later one was answered.
func resumed(log []rig.Call) bool {
	first := slices.IndexFunc(log, isRefused)
	return first >= 0 && !isRefused(log[len(log)-1])
}

// shows returns an error where a figure that is within its limit says nothing, because the storm was over before the last
// sample ended. One that is not is at least as bad as it says.
func shows(f figures.Figure, left int) error {
	if left > 0 || !f.Want.Keeps(f.Value) {
		return nil
	}
	return fmt.Errorf("the backlog of %d was done before the last sample ended: %s would be of no storm", f.N, f.What)
}
