// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
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

// compare holds figures against earlier ones. Times are left out.
func compare(now, then []figure) comparison {
	var c comparison
	earlier := rowsOf(then)
	for _, r := range rowsOf(now) {
		if r.isTime() {
			continue
		}
		i := slices.IndexFunc(earlier, func(e row) bool { return e.sameAs(r.figure) })
		if i < 0 {
			c.unknown = append(c.unknown, r.name())
			continue
		}
		c.compared++
		if r.worseThan(earlier[i]) {
			c.worse = append(c.worse, fmt.Errorf("%s: %.4g, and %.4g before (%.4g to %.4g, runs: %d)",
				r.name(), r.mean, earlier[i].mean, earlier[i].least, earlier[i].most, earlier[i].runs))
		}
	}
	return c
}

// worseThan says whether a figure is worse than its earlier mean by more than the slack. What one of the earlier runs
// reached is not worse: there are figures that spread by more than that. Of nothing there is no part, so what was 0 has to
// keep its limit.
func (r row) worseThan(then row) bool {
	switch {
	case then.mean == 0:
		return !r.Want.keeps(r.mean)
	case r.Want.Least != nil:
		return r.mean < then.mean*(1-slack) && r.mean < then.least
	default:
		return r.mean > then.mean*(1+slack) && r.mean > then.most
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
