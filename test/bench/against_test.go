// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"testing"

	"servicestage.dev/operator/test/bench/figures"
)

// series are the values of one figure, a run each.
func series(f figures.Figure, values ...float64) []figures.Figure {
	var runs []figures.Figure
	for i, v := range values {
		f.Run, f.Value = i+1, v
		runs = append(runs, f)
	}
	return runs
}

func TestCompare(t *testing.T) {
	var (
		calls  = figures.Figure{Metric: "P4", What: "calls", N: 100, Unit: "calls"}
		bytes  = figures.Figure{Metric: "P13", What: "memory", N: 100, Unit: "KiB", Want: figures.AtMost(25)}
		share  = figures.Figure{Metric: "P8", What: "share", Want: figures.AtLeast(0.9)}
		took   = figures.Figure{Metric: "P1", What: "latency", N: 100, Unit: "s", Want: figures.AtMost(1)}
		drift  = figures.Figure{Metric: "P14", What: "drift", N: 100, Unit: "intervals", Want: figures.AtMost(1.3)}
		none   = figures.Figure{Metric: "P6", What: "writes", N: 100, Unit: "writes", Want: figures.Counted(0)}
		few    = figures.Figure{Metric: "P8", What: "share refused", Want: figures.AtMost(0.01)}
		events = figures.Figure{Metric: "P7", What: "events", N: 100, Unit: "writes"}
	)
	for name, tt := range map[string]struct {
		then, now []figures.Figure
		worse     bool
	}{
		"as before":                           {series(calls, 1, 1), series(calls, 1, 1), false},
		"a fifth more":                        {series(calls, 10), series(calls, 12), false},
		"more than a fifth more":              {series(calls, 10), series(calls, 12.1), true},
		"the mean counts, and not one run":    {series(calls, 10), series(calls, 10, 10, 14), false},
		"the mean of the earlier runs counts": {series(calls, 9, 10, 11), series(calls, 12.1), true},
		"an earlier run reached it":           {series(calls, 2, 2, 5), series(calls, 4.5), false},
		"much less":                           {series(calls, 10), series(calls, 1), false},
		"bytes, within what they have to be":  {series(bytes, 10), series(bytes, 13), true},
		"a share that is a fifth less":        {series(share, 1), series(share, 0.8), false},
		"a share that is even less":           {series(share, 1), series(share, 0.79), true},
		"a share that was as small":           {series(share, 1, 1, 1, 0.7), series(share, 0.72), false},
		"a share that is more":                {series(share, 0.5), series(share, 1), false},
		"a time":                              {series(took, 1), series(took, 100), false},
		"a time in intervals":                 {series(drift, 0.1), series(drift, 1.2), false},
		"nothing, and now more than may be":   {series(none, 0, 0), series(none, 0, 1), true},
		"nothing, and now within the limit":   {series(few, 0), series(few, 0.005), false},
		"nothing, and now without a limit":    {series(events, 0), series(events, 3), false},
	} {
		t.Run(name, func(t *testing.T) {
			c := compare(tt.now, tt.then)
			if got := len(c.worse) > 0; got != tt.worse {
				t.Errorf("worse: %v", errors.Join(c.worse...))
			}
			if len(c.unknown) > 0 {
				t.Errorf("unknown: %v", c.unknown)
			}
		})
	}
}

func TestCompareTellsWhatIsNew(t *testing.T) {
	then := series(figures.Figure{Metric: "P4", What: "calls", N: 100, Unit: "calls"}, 1)
	now := series(figures.Figure{Metric: "P4", What: "calls", N: 1000, Unit: "calls"}, 9)
	c := compare(now, then)
	if len(c.unknown) != 1 || c.unknown[0] != "P4 with 1000 objects: calls" || c.compared != 0 || len(c.worse) != 0 {
		t.Errorf("compared %d, unknown %q, worse %v", c.compared, c.unknown, c.worse)
	}
}
