// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

const (
	// maxWait is how long a caller is held for its turn; most who would wait longer are told when to come back.
	maxWait = time.Second
	// maxUrgent is how long a few are held that change something, and one who looks before that: what they looked at before used up
	// the last token, and would use up the next one if they came back.
	maxUrgent = 7 * time.Second
	// maxHeld is how many looks, and how many changes, are held for longer than briefly; whoever comes then is told when to
	// come back. So a limit of one account does not hold up those who work for others.
	maxHeld = 3
	briefly = 50 * time.Millisecond
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

// urgency says whose turn comes first.
type urgency int

const (
	// urgent are calls that change something.
	urgent urgency = iota
	// ordinary are looks that somebody waits for.
	ordinary
	// beginning is who prepares a call that changes something.
	beginning
	// idle are looks that nobody waits for.
	idle
	urgencies
)

// turn is a call that waits until it may be sent.
type turn struct {
	// operation is what limits per API count by.
	operation string
	urgency   urgency
	// patient callers are held for as long as their context allows.
	patient bool
	// number orders callers of one urgency.
	number int
}

// turnOf is that of a call: what changes something comes before what looks.
func turnOf(operation, method string) turn {
	t := turn{operation: operation, urgency: urgent}
	if method == http.MethodGet {
		t.urgency = ordinary
	}
	return t
}

// before says whether another caller's turn comes first.
func (t *turn) before(other *turn) bool {
	if t.urgency != other.urgency {
		return t.urgency < other.urgency
	}
	return t.number < other.number
}

// Limiter keeps one account's calls of one endpoint inside the configured rate, inside the limits that the endpoint
// stated, each in a bucket of its own, and inside the one that was found where it states none. It is safe for
// concurrent use.
type Limiter struct {
	clock Clock
	// changed is told when a limit was stated or found that was not known, with the lock held.
	changed func()

	mu sync.Mutex
	// found bounds all calls: by what is configured, and by the limit that was found.
	found *adaptive
	// stated limits, by policy and, where the policy counts by API, operation.
	stated  map[string]*pinned
	waiting []*turn
	numbers int
}

// pinned is a bucket that keeps to a stated limit.
type pinned struct {
	bucket
	limit StatedLimit
	until time.Time
}

// NewLimiter returns a limiter with a full bucket. A limit of zero is found, from 10 requests per second on.
func NewLimiter(limit RateLimit, clock Clock) *Limiter {
	return &Limiter{clock: clock, changed: func() {}, found: newAdaptive(limit, clock.Now()), stated: map[string]*pinned{}}
}

// Wait returns nil when the caller may send one request. Where its turn is more than a second away, seven of a few, or after
// the context's deadline, or others are held already, it returns at once with an error of class Throttled whose RetryAfter
// says when to come back, and later, where so many come who go before that it would take seven seconds in all.
func (l *Limiter) Wait(ctx context.Context, t turn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	came := l.clock.Now()
	t.number = l.numbers
	l.numbers++
	l.waiting = append(l.waiting, &t)
	defer func() { l.waiting = slices.DeleteFunc(l.waiting, func(w *turn) bool { return w == &t }) }()
	for arrived := true; ; arrived = false {
		now := l.clock.Now()
		delay := l.delay(now, &t)
		if delay <= 0 {
			for _, b := range l.buckets(&t) {
				b.take(now)
			}
			return nil
		}
		deadline, bounded := ctx.Deadline()
		receded := !t.patient && now.Add(delay).Sub(came) > maxUrgent // others came who go before
		if arrived && l.full(now, &t, delay) || receded || bounded && time.Until(deadline) < delay {
			return l.away(now, &t, delay)
		}
		if err := l.sleep(ctx, delay); err != nil {
			return clouderr.New(clouderr.Transient, "waiting for the rate limit of this endpoint: %w", err)
		}
	}
}

// Vacant returns nil where a call that changes something would be sent soon, and otherwise an error of class Throttled whose
// RetryAfter says when to come back: for whoever prepares something before the call. Who begins something new gives way to
// looks that are waited for: changes go before looks, and a backlog of creations would keep an edit's look from its turn.
func (l *Limiter) Vacant(operation string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, t := l.clock.Now(), turn{operation: operation, urgency: beginning, number: l.numbers}
	delay := l.delay(now, &t)
	if delay > maxWait || delay > briefly && l.held(isChange) >= maxHeld || l.held(isLook) > 0 {
		return l.away(now, &t, delay)
	}
	return nil
}

// full says whether a caller who has come, and whose turn is as far away as this, is not to be held.
func (l *Limiter) full(now time.Time, t *turn, delay time.Duration) bool {
	switch {
	case t.patient, delay <= briefly, t.urgency == urgent && delay <= maxWait:
		return false
	case delay > maxUrgent, t.urgency == idle && delay > maxWait:
		return true
	case t.urgency == urgent:
		return l.held(isChange) > maxHeld // with itself
	case t.urgency == ordinary && delay > maxWait:
		return l.held(isLook) > 1 || l.blocked(now, t)
	case t.urgency == ordinary:
		return l.held(isLook) > maxHeld
	}
	return l.held(isAny) > maxHeld
}

// blocked says whether nothing that counts a caller's call may be sent, whatever waits.
func (l *Limiter) blocked(now time.Time, t *turn) bool {
	return slices.ContainsFunc(l.buckets(t), func(b taker) bool { return b.blocked(now) > 0 })
}

// held counts callers who wait and will not wait for ever.
func (l *Limiter) held(which func(*turn) bool) int {
	held := 0
	for _, t := range l.waiting {
		if !t.patient && which(t) {
			held++
		}
	}
	return held
}

func isChange(t *turn) bool { return t.urgency == urgent }
func isLook(t *turn) bool   { return t.urgency == ordinary }
func isAny(*turn) bool      { return true }

// away sends a caller away until its turn comes, behind those who were sent away before.
func (l *Limiter) away(now time.Time, t *turn, delay time.Duration) error {
	slowest := slices.MaxFunc(l.buckets(t), func(a, b taker) int { return cmp.Compare(a.delay(now, 0), b.delay(now, 0)) })
	return &clouderr.Error{
		Class: clouderr.Throttled, Message: "waiting for the rate limit of this endpoint",
		RetryAfter: slowest.promise(now, t.urgency, delay),
	}
}

// sleep gives up the lock meanwhile.
func (l *Limiter) sleep(ctx context.Context, d time.Duration) error {
	l.mu.Unlock()
	defer l.mu.Lock()
	return l.clock.Sleep(ctx, d)
}

// delay is how far away a caller's turn is, behind those who wait before it.
func (l *Limiter) delay(now time.Time, t *turn) time.Duration {
	var longest time.Duration
	for _, b := range l.buckets(t) {
		ahead := 0
		for _, other := range l.waiting {
			if other != t && other.before(t) && l.contends(now, t, other, b) {
				ahead++
			}
		}
		longest = max(longest, b.delay(now, ahead))
	}
	return longest
}

// contends says whether another caller takes from a bucket that this one takes from, and is kept from it by nothing else, such as a
// limit of its own. What keeps both is no such thing: this one is behind the other there, too.
func (l *Limiter) contends(now time.Time, t, other *turn, b taker) bool {
	own, takes := l.buckets(t), false
	for _, its := range l.buckets(other) {
		if its == b {
			takes = true
		} else if !slices.Contains(own, its) && its.delay(now, 0) > 0 {
			return false
		}
	}
	return takes
}

// taker is what calls take from.
type taker interface {
	// blocked is how long nothing may be taken.
	blocked(now time.Time) time.Duration
	delay(now time.Time, ahead int) time.Duration
	take(now time.Time)
	// promise says when somebody of an urgency whose turn is so far away is to come back.
	promise(now time.Time, of urgency, delay time.Duration) time.Duration
}

// buckets are those that a call takes from. What was stated long ago is forgotten.
func (l *Limiter) buckets(t *turn) []taker {
	maps.DeleteFunc(l.stated, func(_ string, p *pinned) bool { return l.clock.Now().After(p.until) })
	all := []taker{l.found}
	for _, key := range []string{"user", "ip", "api " + t.operation} {
		if p := l.stated[key]; p != nil {
			all = append(all, p)
		}
	}
	return all
}

// Refused takes note of a 429 to a call that was sent at a time. Where a limit is stated, it is kept to from then on, and
// nothing that it counts is sent until the time that the reply asks for, or the limit's window, is over. Where none is,
// one is found. It returns how long nothing is sent.
func (l *Limiter) Refused(sent time.Time, operation string, retryAfter time.Duration, stated StatedLimit) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	if stated.Requests <= 0 || stated.Window <= 0 {
		return l.found.refused(now, sent, min(retryAfter, maxHold))
	}
	key := stated.Policy
	switch key {
	case "user", "ip":
	default:
		key = "api " + operation
	}
	p := l.stated[key]
	if p == nil || p.limit != stated {
		p = &pinned{bucket: pinnedTo(stated, now), limit: stated}
		l.stated[key] = p
		defer l.changed()
	}
	p.until = now.Add(pinFor)
	hold := stated.Window
	if retryAfter > 0 {
		hold = retryAfter
	}
	hold = min(hold, maxHold)
	p.block(now.Add(hold))
	return hold
}

// Accepted takes note of a call, sent at a time, that was answered and not refused.
func (l *Limiter) Accepted(sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.found.accepted(l.clock.Now(), sent) {
		l.changed()
	}
}

// Stated returns the limits in force that the endpoint stated, sorted by policy and operation. The operation is empty
// where the limit counts all calls.
func (l *Limiter) Stated() []OperationLimit {
	l.mu.Lock()
	defer l.mu.Unlock()
	var limits []OperationLimit
	for _, key := range slices.Sorted(maps.Keys(l.stated)) {
		if p := l.stated[key]; !l.clock.Now().After(p.until) {
			_, operation, _ := strings.Cut(key, " ")
			limits = append(limits, OperationLimit{StatedLimit: p.limit, Operation: operation})
		}
	}
	return limits
}

// OperationLimit is a stated limit, with the operation whose calls it counts; "" where it counts all.
type OperationLimit struct {
	StatedLimit
	Operation string
}

// Found returns the rate in requests per second that was found where the endpoint refused calls and stated no limit. It
// changes where the limit does by about a quarter.
func (l *Limiter) Found() (requestsPerSecond float64, found bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.found.told, l.found.told > 0
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
