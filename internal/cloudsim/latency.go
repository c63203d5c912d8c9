// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Latency delays the requests that match: by Min, or by anything from Min to Max, evenly spread. The first rule that
// matches counts. The wait comes before the effect, and a client that gives up meanwhile does not undo it.
type Latency struct {
	Match Match    `json:"match,omitzero"`
	Min   Duration `json:"min"`
	Max   Duration `json:"max,omitempty"`
}

type latencies struct {
	mu    sync.Mutex
	rules []latencyRule
}

type latencyRule struct {
	latency Latency
	match   matcher
}

func (l *latencies) set(list []Latency) error {
	rules := make([]latencyRule, 0, len(list))
	for i, latency := range list {
		if latency.Max != 0 && latency.Max < latency.Min {
			return fmt.Errorf("latency[%d].max: is less than min", i)
		}
		match, err := latency.Match.compile()
		if err != nil {
			return fmt.Errorf("latency[%d].match.%w", i, err)
		}
		rules = append(rules, latencyRule{latency, match})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rules = rules
	return nil
}

func (l *latencies) list() []Latency {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Latency, len(l.rules))
	for i, rule := range l.rules {
		list[i] = rule.latency
	}
	return list
}

func (l *latencies) of(method, path string, rng *random) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, rule := range l.rules {
		if rule.match.matches(method, path) {
			return rng.between(time.Duration(rule.latency.Min), time.Duration(rule.latency.Max))
		}
	}
	return 0
}

// wait returns when d has passed on the clock or the client is gone.
func wait(ctx context.Context, clock Clock, d time.Duration) {
	if d <= 0 {
		return
	}
	done := make(chan struct{})
	timer := clock.AfterFunc(d, func() { close(done) })
	select {
	case <-done:
	case <-ctx.Done():
		timer.Stop()
	}
}
