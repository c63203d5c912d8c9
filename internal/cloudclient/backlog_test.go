// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

// gateway counts calls in fixed windows that start with their first call, as the cloud's does.
type gateway struct {
	requests int
	window   time.Duration

	mu                sync.Mutex
	start             time.Time
	used              int
	accepted, refused int
}

func (g *gateway) call() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := time.Now(); now.Sub(g.start) >= g.window {
		g.start, g.used = now, 0
	}
	if g.used >= g.requests {
		g.refused++
		return false
	}
	g.used++
	g.accepted++
	return true
}

// since returns what was accepted and refused since it was last asked.
func (g *gateway) since() (accepted, refused int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	accepted, refused = g.accepted, g.refused
	g.accepted, g.refused = 0, 0
	return accepted, refused
}

// storm is a backlog of one account: objects that workers look at or create, as fast as the limiter lets them.
type storm struct {
	limiter *Limiter
	gateway *gateway
	// stated is what the gateway states with a refusal.
	stated StatedLimit
	// away counts how often somebody was sent away.
	away atomic.Int64
}

// against returns a storm that finds the limit of a gateway from nothing.
func against(g *gateway, stated StatedLimit) *storm {
	return &storm{limiter: NewLimiter(RateLimit{}, SystemClock()), gateway: g, stated: stated}
}

// look has workers look, each again as soon as it may.
func (s *storm) look(ctx context.Context, workers int) {
	for range workers {
		go func() {
			for ctx.Err() == nil {
				s.repeat(ctx, 0, func() error { return s.call(ctx, look) })
			}
		}()
	}
}

// create has objects created without end, by so many workers. The first ones were sent away after they had begun, and look first.
func (s *storm) create(ctx context.Context, objects, begun, workers int) {
	slots := make(chan struct{}, workers)
	create := turnOf("Create", http.MethodPost)
	for i := range objects {
		go func() {
			for ctx.Err() == nil {
				s.repeat(ctx, leastPause, func() error {
					select {
					case slots <- struct{}{}:
					case <-ctx.Done():
						return nil
					}
					defer func() { <-slots }()
					if i < begun {
						if err := s.call(ctx, look); err != nil {
							return err
						}
					}
					if err := s.limiter.Vacant(create.operation); err != nil {
						return err
					}
					_ = systemClock{}.Sleep(ctx, 5*time.Millisecond) // the claim is written
					return s.call(ctx, create)
				})
			}
		}()
	}
}

// edit has one object edited, and returns how long that took.
func (s *storm) edit(ctx context.Context) time.Duration {
	began := time.Now()
	s.repeat(ctx, leastPause, func() error {
		if err := s.call(ctx, look); err != nil {
			return err
		}
		return s.call(ctx, turnOf("Update", http.MethodPut))
	})
	return time.Since(began)
}

// call makes a call that takes twenty milliseconds.
func (s *storm) call(ctx context.Context, as turn) error {
	if err := s.limiter.Wait(ctx, as); err != nil {
		return err
	}
	sent := time.Now()
	_ = systemClock{}.Sleep(ctx, 20*time.Millisecond)
	if s.gateway.call() {
		s.limiter.Accepted(sent)
		return nil
	}
	return &clouderr.Error{Class: clouderr.Throttled, RetryAfter: s.limiter.Refused(sent, as.operation, 0, s.stated)}
}

// leastPause is when an object that was sent away comes back at the earliest.
const leastPause = time.Second

// repeat does something again as long as it is sent away, when it is told to, but not within a pause.
func (s *storm) repeat(ctx context.Context, pause time.Duration, do func() error) {
	for err := do(); err != nil && ctx.Err() == nil; err = do() {
		s.away.Add(1)
		_ = systemClock{}.Sleep(ctx, max(pause, clouderr.RetryAfter(err)))
	}
}

// A backlog uses 95 % of a limit that is stated, with one call of a hundred refused, and 90 % of one that is not, with two.
// Which limit there is, is found before that.
func TestABacklogUsesTheLimit(t *testing.T) {
	for _, limit := range []StatedLimit{
		{"user", 5, time.Second}, {"user", 10, time.Second}, {"user", 100, 5 * time.Second}, {"user", 300, 10 * time.Second},
		{"user", 10, time.Minute}, {"user", 60, time.Minute}, {"user", 1000, time.Minute},
	} {
		for says, want := range map[StatedLimit]struct{ share, refused float64 }{limit: {0.95, 0.01}, {}: {0.9, 0.02}} {
			t.Run(fmt.Sprintf("%s, states %s", limit, says), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g := &gateway{requests: limit.Requests, window: limit.Window}
					against(g, says).look(t.Context(), 10)
					time.Sleep(20 * time.Minute)
					g.since()
					for range 5 {
						time.Sleep(10 * time.Minute)
						accepted, refused := g.since()
						allowed := float64(limit.Requests) * 600 / limit.Window.Seconds()
						if used := float64(accepted) / allowed; used < want.share {
							t.Errorf("%d calls in ten minutes, %.3f of the limit; want %.2f", accepted, used, want.share)
						}
						if part := float64(refused) / float64(accepted+refused); refused > 1 && part > want.refused {
							t.Errorf("%d of %d calls refused, want %.2f at most", refused, accepted+refused, want.refused)
						}
					}
				})
			})
		}
	}
}

// A limit per a few seconds is found within the first twenty, and one of a hundred calls a second within a hundred, so well
// that 90 % of it are used from then on.
func TestALimitIsFoundSoon(t *testing.T) {
	for limit, within := range map[StatedLimit]time.Duration{
		{"user", 100, 5 * time.Second}: 20 * time.Second, {"user", 300, 10 * time.Second}: 20 * time.Second,
		{"user", 100, 20 * time.Second}: 20 * time.Second, {"user", 100, time.Second}: 100 * time.Second,
	} {
		t.Run(limit.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &gateway{requests: limit.Requests, window: limit.Window}
				against(g, StatedLimit{}).look(t.Context(), 10)
				time.Sleep(within)
				g.since()
				time.Sleep(time.Minute)
				accepted, _ := g.since()
				if used := float64(accepted) * limit.Window.Minutes() / float64(limit.Requests); used < 0.9 {
					t.Errorf("%d calls in the minute after that, %.3f of the limit", accepted, used)
				}
			})
		})
	}
}

// A limit that is raised is found again, and one that is lowered is kept to.
func TestALimitThatChangesIsFoundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{requests: 10, window: time.Second}
		against(g, StatedLimit{}).look(t.Context(), 10)
		for _, requests := range []int{10, 40, 5} {
			g.mu.Lock()
			g.requests = requests
			g.mu.Unlock()
			time.Sleep(10 * time.Minute)
			g.since()
			time.Sleep(10 * time.Minute)
			accepted, refused := g.since()
			if used := float64(accepted) / float64(requests*600); used < 0.9 || refused > accepted/100 {
				t.Errorf("of %d per second %d calls in ten minutes (%.3f), %d refused", requests, accepted, used, refused)
			}
		}
	})
}

// What is found in a burst after a rest is what the endpoint allows, and not what was used of it before.
func TestARestSaysNothingOfTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{requests: 10, window: time.Second}
		s := against(g, StatedLimit{})
		if err := s.call(t.Context(), look); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Hour)
		s.look(t.Context(), 10)
		time.Sleep(time.Minute)
		if accepted, _ := g.since(); accepted < 500 {
			t.Errorf("%d calls in the first minute after a rest, of 600", accepted)
		}
	})
}

func TestWhatIsConfiguredIsNotExceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{requests: 1000, window: time.Second}
		s := &storm{limiter: NewLimiter(RateLimit{RequestsPerSecond: 7, Burst: 1}, SystemClock()), gateway: g}
		s.look(t.Context(), 10)
		time.Sleep(10 * time.Minute)
		if accepted, _ := g.since(); accepted < 4190 || accepted > 4201 {
			t.Errorf("%d calls in ten minutes, want 7 a second", accepted)
		}
	})
}

// Thousands who are sent away come back one after the other, and hold nobody up meanwhile.
func TestThoseWhoAreSentAwayComeBackInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{requests: 100, window: 5 * time.Second}
		s := against(g, StatedLimit{Policy: "user", Requests: 100, Window: 5 * time.Second})
		s.look(t.Context(), 2000)
		time.Sleep(10 * time.Minute)
		g.since()
		s.away.Store(0)
		time.Sleep(10 * time.Minute)
		accepted, refused := g.since()
		if accepted < 11400 || refused > accepted/100 {
			t.Errorf("%d calls accepted and %d refused in ten minutes, want 95 %% of 12000", accepted, refused)
		}
		if got := int(s.away.Load()); got > 6*accepted {
			t.Errorf("%d times somebody was sent away for %d calls", got, accepted)
		}
		s.limiter.mu.Lock()
		defer s.limiter.mu.Unlock()
		if got := len(s.limiter.waiting); got > maxHeld {
			t.Errorf("%d are held, want %d at most", got, maxHeld)
		}
	})
}

// Changes come before looks, and looks that somebody waits for before others, whoever came first.
func TestTheUrgentComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := NewLimiter(RateLimit{RequestsPerSecond: 10, Burst: 1}, SystemClock())
		var mu sync.Mutex
		var order []string
		call := func(name string, as turn) {
			go func() {
				if err := limiter.Wait(t.Context(), as); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, name)
			}()
			synctest.Wait()
		}
		call("first", look)
		call("list", turn{operation: "List", urgency: idle, patient: true})
		call("poll", turn{operation: "Get", urgency: idle})
		call("look", look)
		call("change", turnOf("Update", http.MethodPut))
		call("another change", turnOf("Update", http.MethodPut))
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if want := []string{"first", "change", "another change", "look", "list", "poll"}; !slices.Equal(order, want) {
			t.Errorf("order %q, want %q", order, want)
		}
	})
}

// A pass that looks before it changes something gets through a limit that is slower than a worker is held for a look.
func TestAChangeFollowsALookUnderASlowLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := NewLimiter(RateLimit{}, SystemClock())
		limiter.Refused(time.Now(), look.operation, 0, StatedLimit{"user", 10, time.Minute})
		time.Sleep(2 * time.Minute)
		if err := limiter.Wait(t.Context(), look); err != nil {
			t.Fatal(err)
		}
		if err := limiter.Wait(t.Context(), turnOf("Create", http.MethodPost)); err != nil {
			t.Errorf("the change after the look: %v", err)
		}
	})
}

// A limit that counts one API leaves the others alone; those of user and address are kept to together.
func TestEachPolicyHasABucketOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := NewLimiter(RateLimit{RequestsPerSecond: 100, Burst: 100}, SystemClock())
		slow, quick := turnOf("CreateEngine", http.MethodPost), turnOf("CreateEnvironment", http.MethodPost)
		limiter.Refused(time.Now(), slow.operation, 0, StatedLimit{"api", 10, time.Minute})
		if err := limiter.Wait(t.Context(), slow); clouderr.RetryAfter(err) != time.Minute {
			t.Errorf("Wait of the API that was refused = %v, want Throttled for a minute", err)
		}
		if err := limiter.Wait(t.Context(), quick); err != nil {
			t.Errorf("Wait of another API = %v", err)
		}
		limiter.Refused(time.Now(), quick.operation, 0, StatedLimit{"user", 100, 10 * time.Second})
		if err := limiter.Wait(t.Context(), quick); clouderr.RetryAfter(err) != 10*time.Second {
			t.Errorf("Wait after a refusal of the user = %v, want Throttled for 10s", err)
		}
		want := []OperationLimit{{StatedLimit{"api", 10, time.Minute}, slow.operation}, {StatedLimit{"user", 100, 10 * time.Second}, ""}}
		if got := limiter.Stated(); !slices.Equal(got, want) {
			t.Errorf("Stated = %v, want %v", got, want)
		}
	})
}

// A backlog of creations, which go before looks, does not keep a look from its turn that an edit begins with: those who begin
// something new give way.
func TestALookGetsThroughABacklogOfChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &storm{limiter: NewLimiter(RateLimit{RequestsPerSecond: 10, Burst: 1}, SystemClock()), gateway: &gateway{requests: 1000, window: time.Second}}
		s.create(t.Context(), 10, 0, 10)
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if err := s.limiter.Wait(ctx, look); err != nil {
			t.Errorf("a look amid the backlog: %v", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("the look took %s", took)
		}
	})
}

// Edits, which look before they change something, take seconds at most amid thousands who create something, or look whether they
// did, be the limit slow or quick.
func TestAnEditGetsThroughABacklog(t *testing.T) {
	for limit, most := range map[StatedLimit]time.Duration{
		{"user", 10, 5 * time.Second}: 20 * time.Second, {"user", 100, 5 * time.Second}: 5 * time.Second, {"user", 1000, 5 * time.Second}: 10 * time.Second,
	} {
		t.Run(limit.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := against(&gateway{requests: limit.Requests, window: limit.Window}, limit)
				s.create(t.Context(), 10*limit.Requests, 10*limit.Requests/4, 10)
				time.Sleep(time.Minute) // the limit is found and stated
				for range 50 {
					if took := s.edit(t.Context()); took > most {
						t.Errorf("an edit took %s, want %s at most", took, most)
					}
				}
			})
		})
	}
}

func TestVacantTellsOfFullQueues(t *testing.T) {
	clock := newFakeClock()
	limiter := NewLimiter(RateLimit{RequestsPerSecond: 0.1, Burst: 1}, clock)
	if err := limiter.Vacant("Create"); err != nil {
		t.Errorf("Vacant = %v, want nil while there is a token", err)
	}
	if err := limiter.Wait(t.Context(), look); err != nil {
		t.Fatal(err)
	}
	if err := limiter.Vacant("Create"); !clouderr.Is(err, clouderr.Throttled) || clouderr.RetryAfter(err) != 10*time.Second {
		t.Errorf("Vacant = %v, want Throttled for 10s", err)
	}
}
