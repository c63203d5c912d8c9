// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

const (
	// maxWait is how long a caller is held for its turn; whoever would wait longer is told when to come back.
	maxWait = time.Second
	// defaultHold is how long an endpoint is left alone after a 429 that states nothing.
	defaultHold = 5 * time.Second
	// maxHold bounds what a reply may ask for.
	maxHold = time.Hour
	// pinFor is how long a stated limit is kept to after it was last stated.
	pinFor = time.Hour
)

// StatedLimit is a limit as a 429 states it: N requests per window, counted per user, address or API.
type StatedLimit struct {
	// Policy is what is counted by: "user", "ip" or "api".
	Policy   string
	Requests int
	Window   time.Duration
}

// String reads like "10 per 1m0s (user)".
func (s StatedLimit) String() string {
	return fmt.Sprintf("%d per %s (%s)", s.Requests, s.Window, s.Policy)
}

// Limiter keeps one account's calls of one endpoint inside the configured rate and inside the limit that the
// endpoint stated. It is safe for concurrent use.
type Limiter struct {
	clock      Clock
	configured RateLimit

	mu          sync.Mutex
	bucket      *rate.Limiter
	blocked     time.Time
	stated      StatedLimit
	pinnedUntil time.Time
}

// NewLimiter returns a full bucket.
func NewLimiter(limit RateLimit, clock Clock) *Limiter {
	return &Limiter{clock: clock, configured: limit, bucket: rate.NewLimiter(rate.Limit(limit.RequestsPerSecond), limit.Burst)}
}

// Wait returns nil when the caller may send one request. Where its turn is more than a second away, or after the
// context's deadline, it returns at once with an error of class Throttled whose RetryAfter says when.
func (l *Limiter) Wait(ctx context.Context) error {
	delay, cancel := l.reserve()
	deadline, bounded := ctx.Deadline()
	if delay > maxWait || bounded && time.Until(deadline) < delay {
		cancel()
		return &clouderr.Error{
			Class: clouderr.Throttled, Message: "waiting for the rate limit of this endpoint", RetryAfter: delay,
		}
	}
	if delay <= 0 {
		return nil
	}
	if err := l.clock.Sleep(ctx, delay); err != nil {
		cancel()
		return clouderr.New(clouderr.Transient, "waiting for the rate limit of this endpoint: %w", err)
	}
	return nil
}

// reserve takes a token and says how far away it is.
func (l *Limiter) reserve() (delay time.Duration, cancel func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	if !l.pinnedUntil.IsZero() && now.After(l.pinnedUntil) {
		l.stated, l.pinnedUntil = StatedLimit{}, time.Time{}
		l.setBucket(now, rate.Limit(l.configured.RequestsPerSecond), l.configured.Burst)
	}
	start := now
	if l.blocked.After(now) {
		start = l.blocked
	}
	reservation := l.bucket.ReserveN(start, 1)
	return reservation.DelayFrom(now), func() { reservation.CancelAt(now) }
}

// Throttled takes note of a 429: nothing is sent until the time that it asks for is over, and a stated limit is kept
// to from then on. It returns how long that is.
func (l *Limiter) Throttled(retryAfter time.Duration, stated StatedLimit) time.Duration {
	hold := min(cmp.Or(retryAfter, stated.Window, defaultHold), maxHold)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	if until := now.Add(hold); until.After(l.blocked) {
		l.blocked = until
	}
	if stated.Requests > 0 && stated.Window > 0 {
		l.stated = stated
		l.pinnedUntil = now.Add(pinFor)
		limit, burst := pinned(stated, l.configured)
		l.setBucket(now, limit, burst)
	}
	return hold
}

// Stated returns the limit in force that the endpoint stated, if there is one.
func (l *Limiter) Stated() (StatedLimit, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stated, l.stated.Requests > 0 && !l.clock.Now().After(l.pinnedUntil)
}

func (l *Limiter) setBucket(now time.Time, limit rate.Limit, burst int) {
	l.bucket.SetLimitAt(now, limit)
	l.bucket.SetBurstAt(now, burst)
}

// pinned turns N per window into a bucket that never sends more than N in any window: a burst of a tenth, and the
// rest spread. It never exceeds what is configured.
func pinned(stated StatedLimit, configured RateLimit) (rate.Limit, int) {
	burst := max(1, min(configured.Burst, stated.Requests/10))
	spread := max(1, stated.Requests-burst)
	limit := min(float64(spread)/stated.Window.Seconds(), configured.RequestsPerSecond)
	return rate.Limit(limit), burst
}

var statedPattern = regexp.MustCompile(
	`(?i)policy\s+(\w{1,16})\s+over\s+ratelimit,\s*limit:\s*(\d{1,9}),\s*time:\s*(\d{1,6})\s*(second|minute|hour|day)`)

// parseStated reads a limit out of a 429's message, "policy user over ratelimit,limit:10,time:1 minute".
func parseStated(message string) StatedLimit {
	match := statedPattern.FindStringSubmatch(message)
	if match == nil {
		return StatedLimit{}
	}
	requests, err := strconv.Atoi(match[2])
	if err != nil {
		return StatedLimit{}
	}
	count, err := strconv.Atoi(match[3])
	if err != nil {
		return StatedLimit{}
	}
	units := map[string]time.Duration{"second": time.Second, "minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}
	return StatedLimit{Policy: lower(match[1]), Requests: requests, Window: time.Duration(count) * units[lower(match[4])]}
}
