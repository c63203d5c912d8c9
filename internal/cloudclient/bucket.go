// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"math"
	"math/rand/v2"
	"time"
)

// bucket is a token bucket whose tokens are taken in an order that its user decides.
type bucket struct {
	// rate is in tokens per second, burst the most that it holds.
	rate, burst float64
	tokens      float64
	// at is when tokens was counted. It lies in the future while nothing may be taken.
	at time.Time
	// promised is when the last one of an urgency who was sent away may come back.
	promised [urgencies]time.Time
}

// refill counts the tokens of now.
func (b *bucket) refill(now time.Time) {
	if now.After(b.at) {
		b.tokens = min(b.burst, b.tokens+now.Sub(b.at).Seconds()*b.rate)
		b.at = now
	}
}

// blocked is how long nothing may be taken.
func (b *bucket) blocked(now time.Time) time.Duration { return max(0, b.at.Sub(now)) }

// delay is how long it takes until there is a token beside those for the ones ahead.
func (b *bucket) delay(now time.Time, ahead int) time.Duration {
	b.refill(now)
	blocked := b.blocked(now)
	missing := float64(1+ahead) - b.tokens
	if missing <= 1e-9 { // what is left of dividing and multiplying
		return blocked
	}
	return blocked + time.Duration(math.Ceil(missing/b.rate*float64(time.Second)))
}

const (
	// overbooked is how late those who are sent away may come back, one after the other, as a part of what the rate asks for:
	// some come later than they are told, and the rate may rise. Who comes too early is sent away again, which costs little.
	overbooked = 0.5
	// horizon is the time, after its turn, in which everybody comes back.
	horizon = 30 * time.Second
)

// promise says when somebody whose turn is so far away is to come back, after those of this urgency who were told so before: an
// edit is not behind a backlog. Of a bucket that is slow, there is always somebody who is held for its next token.
func (b *bucket) promise(now time.Time, of urgency, delay time.Duration) time.Duration {
	at := now.Add(delay)
	if b.promised[of].After(at) {
		at = b.promised[of]
	}
	if at.Sub(now) > delay+horizon {
		return delay + horizon/2 + rand.N(horizon/2) //nolint:gosec // jitter needs no secrecy
	}
	b.promised[of] = at.Add(time.Duration(overbooked * float64(min(maxWait, time.Duration(float64(time.Second)/b.rate)))))
	return at.Sub(now)
}

// take takes a token.
func (b *bucket) take(now time.Time) {
	b.refill(now)
	b.tokens--
}

// block lets nothing be taken until a time, at which there is one token.
func (b *bucket) block(until time.Time) {
	if until.After(b.at) {
		b.at, b.tokens = until, min(1, b.burst)
	}
}

// pinnedTo returns a bucket that never gives more than N tokens in any window: a burst of 3 %, and the rest spread. Of
// small limits it gives 97 %.
func pinnedTo(stated StatedLimit, now time.Time) bucket {
	n := float64(stated.Requests)
	burst := max(1, math.Floor(n*3/100))
	return bucket{rate: max(n-burst, n*97/100) / stated.Window.Seconds(), burst: burst, tokens: burst, at: now}
}

const (
	// firstHold is how long an endpoint is left alone after a 429 that states nothing. Once the window that it counts in is
	// known it is a thirtieth of that, from leastHold to longHold. It doubles up to mostHold while nothing else comes. What of it
	// is left when the window ends is lost, and makes the limit look lower than it is.
	firstHold, leastHold, longHold, mostHold = 500 * time.Millisecond, 200 * time.Millisecond, 2 * time.Second, time.Minute
	// leastFound and mostFound bound the rate that is found, in requests per second.
	leastFound, mostFound = 1.0 / 60, 1000
	// least and most factors by which the rate is lowered.
	sharply, gently = 0.5, 0.93
	// climbed is the least one where nothing was refused for longAscent, and for more than a window: the rate climbs by a quarter in
	// each at most, so that the mean of the window in which the limit was met is no lower. That of the whole climb is.
	climbed    = 0.89
	longAscent = 10 * time.Second
	// unmet is the time in which the rate is doubled, or so, while no limit was met.
	unmet = 10 * time.Second
	// atRest is how long nothing is sent where the calls before say nothing of the limit.
	atRest = 10 * time.Second
	// probing is by how much the rate rises above the last limit before it is taken for gone.
	probing = 1.1
)

// adaptive is a bucket that finds the limit of an endpoint that states none: calls that are answered raise the rate
// additively, and a refusal lowers it by a factor.
//
// Gateways count in windows, which are as long as a second or a minute. From the first call after a rest, or after a
// row of refusals, to the end of the next row are whole windows: what was accepted in that time is what the limit
// allows, and the shortest such time is about the window.
type adaptive struct {
	bucket
	// most is what is configured; room the burst of that.
	most, room float64
	// ceiling is the rate that was found; 0 where no call was refused. sure is set where it was found twice.
	ceiling float64
	sure    bool
	// told is the ceiling as users are told it, who need not know each small change.
	told float64
	// window is about the one that the endpoint counts in, 0 while that is not known.
	window time.Duration
	// since is when the windows began of which calls were counted, answered how many of them were accepted, and taken when
	// the last one was sent.
	since    time.Time
	answered int
	taken    time.Time
	// refusals in a row, and when the last of them came: calls that were sent before say nothing of what is now.
	refusals int
	last     time.Time
	// scarce is set while calls wait for the bucket: a rate that nobody uses shows nothing.
	scarce bool
}

func newAdaptive(limit RateLimit, now time.Time) *adaptive {
	a := &adaptive{most: limit.RequestsPerSecond, room: float64(limit.Burst), since: now}
	a.rate = a.most
	if a.most == 0 {
		a.rate, a.most = defaultRequestsPerSecond, mostFound
	}
	if a.room == 0 {
		a.room = defaultBurst
	}
	a.burst, a.tokens, a.at = a.room, a.room, now
	return a
}

func (a *adaptive) delay(now time.Time, ahead int) time.Duration {
	delay := a.bucket.delay(now, ahead)
	a.scarce = a.scarce || delay > 0
	return delay
}

func (a *adaptive) take(now time.Time) {
	a.refill(now)
	if rest := now.Sub(a.taken); a.refusals == 0 && rest > max(2*a.window, atRest) {
		a.since, a.answered = now, 0
	}
	a.taken = now
	a.tokens--
}

// refused holds calls back, and returns for how long.
func (a *adaptive) refused(now, sent time.Time, retryAfter time.Duration) time.Duration {
	if a.refusals == 0 || !sent.Before(a.last) {
		a.refusals++
		a.last = now
	}
	hold := retryAfter
	if hold <= 0 {
		hold = firstHold
		if a.window > 0 {
			hold = min(max(a.window/30, leastHold), longHold)
		}
		hold = min(hold<<min(a.refusals-1, 10), mostHold)
	}
	a.block(now.Add(hold))
	return a.at.Sub(now)
}

// accepted raises the rate, or ends a row of refusals. It says whether another limit was found thereby.
func (a *adaptive) accepted(now, sent time.Time) bool {
	switch {
	case a.refusals > 0 && sent.Before(a.last):
		a.answered++
	case a.refusals > 0:
		a.lower(now, sent)
		if a.ceiling > a.told*5/4 || a.ceiling < a.told*4/5 {
			a.told = a.ceiling
			return true
		}
	default:
		a.answered++
		a.raise(now)
	}
	return false
}

// lower sets the rate to what the endpoint accepted.
func (a *adaptive) lower(now, sent time.Time) {
	took := sent.Sub(a.since)
	least := sharply
	if a.window > 0 && took > max(a.window*3/2, longAscent) {
		least = climbed
	}
	if a.window == 0 || took < a.window {
		a.window = took
	}
	found := float64(a.answered) / took.Seconds()
	found = max(leastFound, a.rate*least, min(a.rate*gently, found))
	a.sure = a.ceiling > 0 && found > a.ceiling/probing && found < a.ceiling*probing
	a.ceiling = found / gently
	a.since, a.answered, a.refusals = sent, 1, 0
	a.set(now, found)
}

// raise raises the rate, quickly where no limit was met or it is gone.
func (a *adaptive) raise(now time.Time) {
	if !a.scarce || a.rate >= a.most {
		return
	}
	a.scarce = false
	perSecond := a.rate / unmet.Seconds()
	switch {
	case a.ceiling == 0:
	case a.sure && a.rate < a.ceiling*probing:
		perSecond = a.ceiling * (1 - gently) / max(10*a.window.Seconds(), 60)
	default:
		perSecond = a.rate / max(4*a.window.Seconds(), unmet.Seconds())
	}
	a.set(now, min(a.most, a.rate+perSecond/a.rate))
}

// set changes the rate. The burst is what the rate gives in half a second, so that it does not use up a window by itself.
func (a *adaptive) set(now time.Time, rate float64) {
	a.refill(now)
	a.rate = rate
	if a.ceiling > 0 {
		a.burst = min(a.room, max(1, math.Floor(rate/2)))
		a.tokens = min(a.tokens, a.burst)
	}
}
