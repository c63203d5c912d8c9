// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie

import "time"

// Clock is the engine's source of time: tokens, lockouts and long polls run on it. The simulated cloud's clocks fit.
type Clock interface {
	// Now returns the current time.
	Now() time.Time
	// AfterFunc calls f once d has passed, on a goroutine that holds no lock of the clock.
	AfterFunc(d time.Duration, f func()) interface{ Stop() bool }
}

// machineClock is the machine's clock.
type machineClock struct{}

func (machineClock) Now() time.Time { return time.Now() }

func (machineClock) AfterFunc(d time.Duration, f func()) interface{ Stop() bool } {
	return time.AfterFunc(d, f)
}
