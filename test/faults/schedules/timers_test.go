// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package schedules

import (
	"slices"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"servicestage.dev/operator/internal/cloudsim"
)

// Who waits for all pollers to rest waits for those, too, that fall due at the same time: they must have been told.
func TestPollersThatFallDueAtOnceAreAllTold(t *testing.T) {
	now := virtual{ManualClock: cloudsim.NewManualClock(time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)), still: new(false)}
	var pollers [2]clock.Timer
	var told []int
	ts := timers{virtual: now, quiet: func() { told = append(told, len(pollers[0].C())+len(pollers[1].C())) }}
	for i := range pollers {
		pollers[i] = ts.NewTimer(time.Second)
	}
	now.Advance(time.Minute)
	if want := []int{2, 2}; !slices.Equal(told, want) {
		t.Errorf("pollers that were told when the time stood still: %v, want %v", told, want)
	}
}
