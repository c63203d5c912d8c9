// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

func TestBackoffIntervalDoublesUpToTheMost(t *testing.T) {
	for _, tc := range []struct {
		policy *backoffPolicy
		want   []time.Duration
	}{
		{transientBackoff, []time.Duration{
			time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second,
			64 * time.Second, 128 * time.Second, 256 * time.Second, 5 * time.Minute, 5 * time.Minute,
		}},
		{busyBackoff, []time.Duration{15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 2 * time.Minute}},
		{pollBackoff, []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 15 * time.Second, 15 * time.Second}},
	} {
		for n, want := range tc.want {
			if got := tc.policy.interval(n); got != want {
				t.Errorf("%s: interval(%d) = %s, want %s", tc.policy.name, n, got, want)
			}
		}
	}
}

func TestBackoffsCountPerObjectAndPolicy(t *testing.T) {
	one, other := types.NamespacedName{Name: "one"}, types.NamespacedName{Name: "other"}
	type step struct {
		key     types.NamespacedName
		policy  *backoffPolicy
		atLeast time.Duration
		reset   bool
		want    time.Duration
	}
	b := newBackoffs()
	for i, s := range []step{
		{key: one, policy: transientBackoff, want: time.Second},
		{key: one, policy: transientBackoff, want: 2 * time.Second},
		{key: other, policy: transientBackoff, want: time.Second},
		{key: one, policy: transientBackoff, want: 4 * time.Second},
		{key: one, policy: transientBackoff, atLeast: time.Minute, want: time.Minute},
		{key: one, policy: transientBackoff, atLeast: time.Second, want: 16 * time.Second},
		{key: one, policy: busyBackoff, want: 15 * time.Second},
		{key: one, policy: transientBackoff, want: time.Second},
		{key: other, policy: transientBackoff, want: 2 * time.Second},
		{key: other, reset: true},
		{key: other, policy: transientBackoff, want: time.Second},
		{key: one, policy: transientBackoff, want: 2 * time.Second},
	} {
		if s.reset {
			b.reset(s.key)
			continue
		}
		if got := b.next(s.key, s.policy, s.atLeast); got < s.want || got > s.want+s.want/10 {
			t.Errorf("step %d: next = %s, want %s or up to a tenth more", i, got, s.want)
		}
	}
}

func TestBackoffsForgetObjectsThatAreReset(t *testing.T) {
	b := newBackoffs()
	key := types.NamespacedName{Name: "one"}
	b.next(key, pollBackoff, 0)
	b.reset(key)
	if len(b.counts) != 0 {
		t.Errorf("%d objects are still counted after the reset", len(b.counts))
	}
}
