// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inventory

import "time"

const (
	// freely is how many wakes in a row are immediate: a person who edits is answered at once.
	freely = 3
	// firstDelay doubles with each further wake, up to mostDelay: two owners who fight over an item do not make a hot loop.
	firstDelay, mostDelay = time.Second, time.Minute
	// quiet ends a row, or twice the last delay where that is longer.
	quiet = 10 * time.Second
)

// pace slows down the wakes of one object.
type pace struct {
	count int
	last  time.Time
}

// next returns how long a wake at this time has to wait.
func (p *pace) next(now time.Time) time.Duration {
	if now.Sub(p.last) > max(quiet, 2*delay(p.count-1)) {
		p.count = 0
	}
	after := delay(p.count)
	p.count++
	p.last = now.Add(after)
	return after
}

// delay of the wake number n of a row, counted from 0.
func delay(n int) time.Duration {
	if n < freely {
		return 0
	}
	after := firstDelay
	for ; n > freely && after < mostDelay; n-- {
		after *= 2
	}
	return min(after, mostDelay)
}
