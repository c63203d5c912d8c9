// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"servicestage.dev/operator/test/bench/figures"
)

// slack is by how much a figure may be worse than its mean was before, as a part of that.
const slack = 0.2

// comparison is what becomes of figures that are held against earlier ones.
type comparison struct {
	// compared is how many are counts, bytes or ratios within one run, which machines have in common.
	compared int
	// worse names those that got worse, unknown those that the earlier ones do not hold.
	worse   []error
	unknown []string
}

// compare holds figures against earlier ones. Times are left out. What is measured in another way than it was needs another name.
func compare(now, then []figures.Figure) comparison {
	var c comparison
	earlier := figures.Rows(then)
	for _, r := range figures.Rows(now) {
		if r.IsTime() {
			continue
		}
		i := slices.IndexFunc(earlier, func(e figures.Row) bool { return e.SameAs(r.Figure) })
		if i < 0 {
			c.unknown = append(c.unknown, r.Name())
			continue
		}
		c.compared++
		if worse(r, earlier[i]) {
			c.worse = append(c.worse, fmt.Errorf("%s: %.4g, and %.4g before (%.4g to %.4g, runs: %d)",
				r.Name(), r.Mean, earlier[i].Mean, earlier[i].Least, earlier[i].Most, earlier[i].Runs))
		}
	}
	return c
}

// worse says whether a figure is worse than its earlier mean by more than the slack. What one of the earlier runs
// reached is not worse: there are figures that spread by more than that. Of nothing there is no part, so what was 0 has to
// keep its limit.
func worse(r, then figures.Row) bool {
	switch {
	case then.Mean == 0:
		return !r.Want.Keeps(r.Mean)
	case r.Want.Least != nil:
		return r.Mean < then.Mean*(1-slack) && r.Mean < then.Least
	default:
		return r.Mean > then.Mean*(1+slack) && r.Mean > then.Most
	}
}

// regressed tells how the figures compare with those of the file that they are to be held against, and returns what is worse.
func (b *bench) regressed(out io.Writer) error {
	if b.earlier == nil {
		return nil
	}
	c := compare(b.result.Figures, b.earlier.Figures)
	fmt.Fprintf(out, "\nCompared with %s of %s, runs: %d; figures: %d, worse by more than %.0f %%: %d.\n",
		b.against, b.earlier.At.Format(time.DateOnly), b.earlier.Runs, c.compared, slack*100, len(c.worse))
	for _, name := range c.unknown {
		fmt.Fprintf(out, "  not in the file: %s\n", name)
	}
	if len(c.worse) == 0 {
		return nil
	}
	return fmt.Errorf("worse than in %s by more than %.0f %%:\n%w", b.against, slack*100, errors.Join(c.worse...))
}
