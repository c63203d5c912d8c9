// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"testing"
	"time"
)

func TestBackoffIntervalStaysWithinItsBoundsForEver(t *testing.T) {
	for _, policy := range []*backoffPolicy{transientBackoff, busyBackoff, pollBackoff} {
		before := time.Duration(0)
		for n := range 1000 {
			got := policy.interval(n)
			if got < before || got < policy.first || got > policy.most {
				t.Errorf("%s: interval(%d) = %s after %s, want between %s and %s and never less than before",
					policy.name, n, got, before, policy.first, policy.most)
			}
			before = got
		}
	}
}
