// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

// look is a call that somebody waits for.
var look = turnOf("Get", http.MethodGet)

func TestLimiterKeepsTheRate(t *testing.T) {
	clock := newFakeClock()
	limiter := NewLimiter(RateLimit{RequestsPerSecond: 10, Burst: 5}, clock)
	start := clock.Now()
	const requests = 105
	for range requests {
		if err := limiter.Wait(t.Context(), look); err != nil {
			t.Fatal(err)
		}
	}
	took := clock.Now().Sub(start)
	if want := 10 * time.Second; took < want-50*time.Millisecond || took > want+50*time.Millisecond {
		t.Errorf("%d requests took %v, want %v: a burst of 5, then 10 a second", requests, took, want)
	}
}

func TestLimiterDoesNotHoldCallersForLong(t *testing.T) {
	clock := newFakeClock()
	limiter := NewLimiter(RateLimit{RequestsPerSecond: 0.5, Burst: 1}, clock)
	if err := limiter.Wait(t.Context(), look); err != nil {
		t.Fatal(err)
	}
	// A caller that is sent away takes nothing; the next one is to come somewhat later.
	poll := turn{operation: "Get", urgency: idle}
	for _, want := range []time.Duration{2 * time.Second, 2500 * time.Millisecond, 3 * time.Second} {
		err := limiter.Wait(t.Context(), poll)
		if !clouderr.Is(err, clouderr.Throttled) || clouderr.RetryAfter(err) != want {
			t.Fatalf("Wait = %v, want Throttled for %v", err, want)
		}
	}
	if got := clock.slept(); len(got) != 0 {
		t.Errorf("slept %v, want not at all", got)
	}
	clock.advance(time.Second)
	if err := limiter.Wait(t.Context(), poll); err != nil {
		t.Errorf("Wait a second before the turn = %v, want nil", err)
	}
}

// Of the looks that somebody waits for, one is held under a limit that is so slow, unless the endpoint is left alone.
func TestLimiterHoldsOneLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := NewLimiter(RateLimit{RequestsPerSecond: 0.5, Burst: 1}, SystemClock())
		wait := func() time.Duration {
			err := limiter.Wait(t.Context(), look)
			if err != nil && !clouderr.Is(err, clouderr.Throttled) {
				t.Error(err)
			}
			return clouderr.RetryAfter(err)
		}
		wait()
		held := make(chan time.Duration, 1)
		go func() { held <- wait() }()
		synctest.Wait()
		if got := wait(); got != 4*time.Second {
			t.Errorf("the second is to come back in %v, want 4s", got)
		}
		if got := <-held; got != 0 {
			t.Errorf("the first is to come back in %v, want to be held", got)
		}
		limiter.Refused(time.Now(), look.operation, 5*time.Second, StatedLimit{})
		if got := wait(); got != 5*time.Second {
			t.Errorf("one who comes after a refusal is to come back in %v, want 5s", got)
		}
	})
}

func TestLimiterMindsTheContext(t *testing.T) {
	limiter := NewLimiter(RateLimit{RequestsPerSecond: 2, Burst: 1}, newFakeClock())
	if err := limiter.Wait(t.Context(), look); err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := limiter.Wait(soon, look); !clouderr.Is(err, clouderr.Throttled) {
		t.Errorf("Wait past the deadline = %v, want Throttled", err)
	}
	gone, cancelNow := context.WithCancel(t.Context())
	cancelNow()
	if err := limiter.Wait(gone, look); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait after a cancellation = %v, want context.Canceled", err)
	}
}

// A pinned bucket never sends more than the stated number in any window.
func TestLimiterPinsStatedLimits(t *testing.T) {
	for _, stated := range []StatedLimit{
		{"user", 1, time.Second}, {"user", 10, time.Minute}, {"ip", 100, time.Minute}, {"api", 5, time.Second},
	} {
		t.Run(stated.String(), func(t *testing.T) {
			clock := newFakeClock()
			limiter := NewLimiter(RateLimit{RequestsPerSecond: 50, Burst: 50}, clock)
			if got := limiter.Refused(clock.Now(), "Get", 0, stated); got != stated.Window {
				t.Errorf("hold = %v, want %v", got, stated.Window)
			}
			var sent []time.Time
			for end := clock.Now().Add(10 * stated.Window); clock.Now().Before(end); {
				err := limiter.Wait(t.Context(), look)
				if err == nil {
					sent = append(sent, clock.Now())
					continue
				}
				clock.advance(clouderr.RetryAfter(err))
			}
			for i := range sent {
				inWindow := 0
				for _, at := range sent[i:] {
					if at.Sub(sent[i]) < stated.Window-time.Millisecond {
						inWindow++
					}
				}
				if inWindow > stated.Requests {
					t.Fatalf("%d requests within %v from %v on", inWindow, stated.Window, sent[i].Sub(sent[0]))
				}
			}
			if least := 6 * stated.Requests; len(sent) < least {
				t.Errorf("%d requests in 9 windows, want %d or more: a limit is there to be used", len(sent), least)
			}
		})
	}
}

func TestLimiterForgetsWhatIsNotStatedAgain(t *testing.T) {
	clock := newFakeClock()
	limiter := NewLimiter(RateLimit{RequestsPerSecond: 50, Burst: 50}, clock)
	stated := StatedLimit{"user", 10, time.Minute}
	limiter.Refused(clock.Now(), "Get", 0, stated)
	if got := limiter.Stated(); !slices.Equal(got, []OperationLimit{{StatedLimit: stated}}) {
		t.Errorf("Stated = %v; want %v", got, stated)
	}
	clock.advance(pinFor + time.Second)
	if got := limiter.Stated(); len(got) > 0 {
		t.Errorf("Stated an hour later = %v, want none", got)
	}
	for range 50 {
		if err := limiter.Wait(t.Context(), look); err != nil {
			t.Fatalf("Wait = %v, want nil", err)
		}
	}
	for _, pause := range clock.slept() {
		if pause > 20*time.Millisecond {
			t.Errorf("slept %v, want 20ms at most: 50 a second as configured, and not 10 a minute", pause)
		}
	}
}

func TestHoldIsBounded(t *testing.T) {
	clock := newFakeClock()
	limiter := NewLimiter(RateLimit{RequestsPerSecond: 1, Burst: 1}, clock)
	if got := limiter.Refused(clock.Now(), "Get", 0, StatedLimit{"user", 10, 24 * time.Hour}); got != maxHold {
		t.Errorf("hold = %v, want %v", got, maxHold)
	}
}

func TestParseStated(t *testing.T) {
	tests := map[string]StatedLimit{
		"The throttling threshold has been reached: policy user over ratelimit,limit:100,time:1 minute": {"user", 100, time.Minute},
		"policy ip over ratelimit,limit:5,time:1 second":                                                {"ip", 5, time.Second},
		"policy api over ratelimit, limit: 3, time: 2 hours":                                            {"api", 3, 2 * time.Hour},
		"Policy User over ratelimit,limit:7,time:1 Day":                                                 {"user", 7, 24 * time.Hour},
		"policy user over ratelimit,limit:many,time:1 minute":                                           {},
		"policy user over ratelimit,limit:99999999999999999999,time:1 minute":                           {},
		"too many requests": {},
		"":                  {},
	}
	for message, want := range tests {
		if got := parseStated(message); got != want {
			t.Errorf("parseStated(%q) = %v, want %v", message, got, want)
		}
	}
}

// A worker that looks is not held for as long as others come who go before.
func TestALookIsNotHeldThroughAStormOfChanges(t *testing.T) {
	for name, as := range map[string]turn{"look": look, "poll": {operation: "Get", urgency: idle}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limiter := NewLimiter(RateLimit{RequestsPerSecond: 10, Burst: 1}, SystemClock())
				for range maxHeld - 1 {
					go func() {
						for limiter.Wait(t.Context(), turnOf("Delete", http.MethodDelete)) == nil {
						}
					}()
				}
				time.Sleep(time.Second)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				began := time.Now()
				err := limiter.Wait(ctx, as)
				if took := time.Since(began); !clouderr.Is(err, clouderr.Throttled) || took < maxWait || took > maxUrgent {
					t.Errorf("Wait = %v after %s, want Throttled after %s at most", err, took, maxUrgent)
				}
			})
		})
	}
}
