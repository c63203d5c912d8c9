// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"math/rand/v2"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// backoffPolicy is an interval that doubles with each repetition.
type backoffPolicy struct {
	name        string
	first, most time.Duration
}

// interval before try number n, counted from 0.
func (p *backoffPolicy) interval(n int) time.Duration {
	interval := p.first
	for ; n > 0 && interval < p.most; n-- {
		interval *= 2
	}
	return min(interval, p.most)
}

// backoffs counts repetitions per object. They start anew when the policy changes, and after a restart.
type backoffs struct {
	mu     sync.Mutex
	counts map[types.NamespacedName]repetition
}

type repetition struct {
	policy *backoffPolicy
	count  int
}

func newBackoffs() *backoffs { return &backoffs{counts: map[types.NamespacedName]repetition{}} }

// next returns the interval before the object's next try, up to a tenth longer so that tries spread.
func (b *backoffs) next(key types.NamespacedName, policy *backoffPolicy, atLeast time.Duration) time.Duration {
	b.mu.Lock()
	r := b.counts[key]
	if r.policy != policy {
		r = repetition{policy: policy}
	}
	interval := max(policy.interval(r.count), atLeast)
	r.count++
	b.counts[key] = r
	b.mu.Unlock()
	return interval + rand.N(interval/10+1) //nolint:gosec // jitter needs no secrecy
}

// tries returns how often next was asked in a row under a policy.
func (b *backoffs) tries(key types.NamespacedName, policy *backoffPolicy) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.counts[key]; r.policy == policy {
		return r.count
	}
	return 0
}

// reset forgets an object's repetitions.
func (b *backoffs) reset(key types.NamespacedName) {
	b.mu.Lock()
	delete(b.counts, key)
	b.mu.Unlock()
}
