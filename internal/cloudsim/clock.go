// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"sync"
	"time"
)

// Clock is the simulator's time: signatures, tokens, lockouts, rate windows, latencies and asynchronous jobs all run
// on it, so that a test can move hours in no time.
type Clock interface {
	// Now returns the current time.
	Now() time.Time
	// AfterFunc calls f once d has passed, on a goroutine that holds no lock of the clock.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is a call that has not happened yet.
type Timer = interface {
	// Stop prevents the call; false says that it has already happened or been stopped.
	Stop() bool
}

// RealClock is the machine's clock.
type RealClock struct{}

// Now implements Clock.
func (RealClock) Now() time.Time { return time.Now() }

// AfterFunc implements Clock.
func (RealClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }

// ManualClock moves only when Advance is called.
type ManualClock struct {
	mu     sync.Mutex
	cond   *sync.Cond
	now    time.Time
	seq    uint64
	timers map[uint64]*manualTimer
}

type manualTimer struct {
	clock *ManualClock
	seq   uint64
	due   time.Time
	call  func()
}

// NewManualClock returns a clock that stands at now.
func NewManualClock(now time.Time) *ManualClock {
	c := &ManualClock{now: now, timers: map[uint64]*manualTimer{}}
	c.cond = sync.NewCond(&c.mu)
	return c
}

// Now implements Clock.
func (c *ManualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// AfterFunc implements Clock. A duration of zero or less is due at the next Advance, which may be Advance(0).
func (c *ManualClock) AfterFunc(d time.Duration, f func()) Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	t := &manualTimer{clock: c, seq: c.seq, due: c.now.Add(d), call: f}
	c.timers[t.seq] = t
	c.cond.Broadcast()
	return t
}

// Stop implements Timer.
func (t *manualTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	_, pending := t.clock.timers[t.seq]
	delete(t.clock.timers, t.seq)
	return pending
}

// Advance moves the clock by d and runs, in order of their due times and on the caller's goroutine, every call that
// falls due, including the calls that those calls schedule.
func (c *ManualClock) Advance(d time.Duration) {
	c.mu.Lock()
	end := c.now.Add(d)
	for {
		next := c.nextDue(end)
		if next == nil {
			break
		}
		delete(c.timers, next.seq)
		if next.due.After(c.now) {
			c.now = next.due
		}
		c.mu.Unlock()
		next.call()
		c.mu.Lock()
	}
	if end.After(c.now) {
		c.now = end
	}
	c.mu.Unlock()
}

func (c *ManualClock) nextDue(end time.Time) *manualTimer {
	var next *manualTimer
	for _, t := range c.timers {
		if t.due.After(end) {
			continue
		}
		if next == nil || t.due.Before(next.due) || (t.due.Equal(next.due) && t.seq < next.seq) {
			next = t
		}
	}
	return next
}

// BlockUntil returns once at least n calls are scheduled: the way to know, without sleeping, that a request has
// reached its delay.
func (c *ManualClock) BlockUntil(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.timers) < n {
		c.cond.Wait()
	}
}
