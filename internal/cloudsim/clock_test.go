// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim_test

import (
	"strings"
	"testing"
	"time"

	"servicestage.dev/operator/internal/cloudsim"
)

func TestManualClock(t *testing.T) {
	clock := cloudsim.NewManualClock(start)
	var fired []string
	note := func(name string) func() {
		return func() { fired = append(fired, name+"@"+clock.Now().Sub(start).String()) }
	}
	clock.AfterFunc(3*time.Second, note("c"))
	clock.AfterFunc(time.Second, func() {
		note("a")()
		clock.AfterFunc(time.Second, note("b"))
	})
	stopped := clock.AfterFunc(2*time.Second, note("never"))
	clock.AfterFunc(time.Hour, note("later"))
	if !stopped.Stop() || stopped.Stop() {
		t.Error("a timer is stopped once")
	}
	clock.Advance(999 * time.Millisecond)
	if len(fired) != 0 {
		t.Errorf("fired early: %v", fired)
	}
	clock.Advance(4 * time.Second)
	if got := strings.Join(fired, " "); got != "a@1s b@2s c@3s" {
		t.Errorf("fired %s", got)
	}
	if got := clock.Now().Sub(start); got != 4999*time.Millisecond {
		t.Errorf("the clock stands at %s", got)
	}
	clock.BlockUntil(1)
}

func TestRealClock(t *testing.T) {
	done := make(chan struct{})
	cloudsim.RealClock{}.AfterFunc(0, func() { close(done) })
	<-done
	if cloudsim.RealClock.Now(cloudsim.RealClock{}).Before(start.AddDate(-1, 0, 0)) {
		t.Error("the real clock is not the machine's")
	}
}
