// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package inventory observes many cloud resources by lists that all objects of a connection share. Per connection there
// is one Feed: one poller, which runs while objects subscribe, and one snapshot of small fingerprints. A change wakes
// the objects that watch what changed, and no others.
//
// The package knows nothing of any service: what is listed, and what a fingerprint is, is up to the kind that uses it.
package inventory

import (
	"context"
	"io"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Object names what subscribes.
type Object = types.NamespacedName

// Fingerprint is what is kept of one listed thing.
type Fingerprint[F any] interface {
	// Same says whether other shows the same content: a difference that it does not tell wakes nobody.
	Same(other F) bool
}

// Support says whether a lister can wait for changes.
type Support string

const (
	// SupportUnknown: it has not shown yet.
	SupportUnknown Support = ""
	// Supported: it waits.
	Supported Support = "Supported"
	// Unsupported: it answers at once.
	Unsupported Support = "Unsupported"
)

// Listing is the answer of a Lister.
type Listing[F any] struct {
	// Items by their identity.
	Items map[string]F
	// Revision of the collection, which every write raises; 0 where there is none.
	Revision int64
	// Unchanged says that nothing changed since the revision that was asked about. There are no items then.
	Unchanged bool
	// Waits is what the answer showed about waiting.
	Waits Support
}

// Lister lists a collection.
type Lister[F any] interface {
	// List returns everything, or Unchanged where nothing changed since the revision; 0 is no revision. With wait it
	// answers when something changes, or after that time. Its errors are of the classes of package clouderr.
	List(ctx context.Context, since int64, wait time.Duration) (Listing[F], error)
}

// Options of an Inventory.
type Options struct {
	// Clock is the system's where nil.
	Clock clock.Clock
	// Wait is how long one long poll waits; 1 minute where zero.
	Wait time.Duration
	// Spread varies an interval so that pollers do not beat together: by up to a tenth either way where nil, and where
	// Polled is set by up to a tenth less, so that what moves is found within the interval.
	Spread func(time.Duration) time.Duration
	// Polled is set where lists cannot wait for changes and objects watch without reading: see Watch. The lists are made
	// at the interval, and that one failed concerns nobody but the poller.
	Polled bool
	// InStep makes those who subscribe, read or have written wait until the poller rests, so that what comes of it never depends
	// on which of the two is faster. It is for tests in virtual time.
	InStep bool
	// Stagger is the time between two wakes by lists of one feed, but for the first of a row; 0 wakes all at once.
	Stagger time.Duration
}

// crowd is how many objects lists wake at once where wakes are staggered.
const crowd = 20

// Inventory holds the feeds of one sort of collection. It is a Runnable of the manager: the pollers run under its
// context, and it ends when all of them have.
type Inventory[F Fingerprint[F], L Lister[F]] struct {
	clock  clock.Clock
	wait   time.Duration
	spread func(time.Duration) time.Duration
	polled bool
	inStep bool
	// stagger is the rate of wakes, rate.Inf where they are not staggered.
	stagger rate.Limit

	mu sync.Mutex
	// rested is told whenever a poller rests, and whenever there is one less to wait for.
	rested *sync.Cond
	// ctx is set while the manager runs.
	ctx     context.Context
	pollers sync.WaitGroup
	feeds   map[string]*Feed[F, L]
	objects map[Object]*subscription[F, L]
	wake    func(object Object, after time.Duration)
}

// subscription is an object's part in a feed.
type subscription[F Fingerprint[F], L Lister[F]] struct {
	feed     *Feed[F, L]
	interval time.Duration
	// watched identities, with what the object saw of each where it watches without reading; nil until it has read or
	// watches.
	watched map[string]*F
	// moved is set from a change until the object reads, or begins to look.
	moved bool
	// owed is set while the object looks because something moved.
	owed bool
	// failed is set where the object was told an error: it is woken when the feed recovers.
	failed bool
	pace   pace
}

// New returns an inventory without feeds.
func New[F Fingerprint[F], L Lister[F]](o Options) *Inventory[F, L] {
	inv := &Inventory[F, L]{
		clock: o.Clock, wait: o.Wait, spread: o.Spread, polled: o.Polled, inStep: o.InStep, stagger: rate.Every(o.Stagger),
		feeds: map[string]*Feed[F, L]{}, objects: map[Object]*subscription[F, L]{}, wake: func(Object, time.Duration) {},
	}
	inv.rested = sync.NewCond(&inv.mu)
	if inv.clock == nil {
		inv.clock = clock.RealClock{}
	}
	if inv.wait == 0 {
		inv.wait = time.Minute
	}
	if inv.spread == nil {
		inv.spread = func(d time.Duration) time.Duration {
			least, most := float64(d)*9/10, float64(d)*11/10
			if inv.polled {
				most = float64(d)
			}
			return time.Duration(least + mathrand.Float64()*(most-least)) //nolint:gosec // jitter needs no secrecy
		}
	}
	return inv
}

// Source wakes objects in the controller that it is added to, behind those that users changed.
func (inv *Inventory[F, L]) Source() source.Source {
	return source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		inv.WakeBy(func(object Object, after time.Duration) {
			request := reconcile.Request{NamespacedName: object}
			if ordered, ok := queue.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
				ordered.AddWithOpts(priorityqueue.AddOpts{After: after, Priority: new(handler.LowPriority)}, request)
				return
			}
			queue.AddAfter(request, after)
		})
		return nil
	})
}

// WakeBy sets how objects are woken. The function must not block.
func (inv *Inventory[F, L]) WakeBy(wake func(object Object, after time.Duration)) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.wake = wake
}

// NeedLeaderElection says that only the leader polls.
func (inv *Inventory[F, L]) NeedLeaderElection() bool { return true }

// Start runs the pollers until ctx ends, and returns when all of them have ended.
func (inv *Inventory[F, L]) Start(ctx context.Context) error {
	inv.mu.Lock()
	inv.ctx = ctx
	for _, f := range inv.feeds {
		inv.run(f)
	}
	inv.mu.Unlock()
	<-ctx.Done()
	inv.mu.Lock()
	inv.ctx = nil
	inv.rested.Broadcast()
	inv.mu.Unlock()
	inv.pollers.Wait()
	return nil
}

// run starts a feed's poller where the inventory runs. Called with the lock.
func (inv *Inventory[F, L]) run(f *Feed[F, L]) {
	if inv.ctx == nil || f.cancel != nil {
		return
	}
	var ctx context.Context
	ctx, f.cancel = context.WithCancel(inv.ctx) //nolint:gosec // called by leave, when the last subscriber is gone
	inv.pollers.Go(func() { f.poll(ctx) })
}

// Connection says what a feed is of.
type Connection struct {
	// Key is the same for objects that can share a feed: addresses, credentials and all that a call depends on.
	Key string
	// Label names the feed in metrics.
	Label string
	// Interval between two looks where the lister cannot wait.
	Interval time.Duration
}

// Subscribe makes the object a subscriber of the connection's feed, and of no other. The feed is opened where it is the
// first; open must not do I/O.
func (inv *Inventory[F, L]) Subscribe(object Object, c Connection, open func() (L, error)) (*Feed[F, L], error) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if s := inv.objects[object]; s != nil && s.feed.key == c.Key {
		s.interval = c.Interval
		return s.feed, nil
	}
	f := inv.feeds[c.Key]
	if f == nil {
		access, err := open()
		if err != nil {
			return nil, err
		}
		f = &Feed[F, L]{
			inv: inv, key: c.Key, label: c.Label, access: access, wakes: rate.NewLimiter(inv.stagger, crowd),
			subscribers: map[Object]*subscription[F, L]{}, items: map[string]F{}, changed: make(chan struct{}),
		}
		inv.feeds[c.Key] = f
		inv.run(f)
	}
	inv.leave(object)
	s := &subscription[F, L]{feed: f, interval: c.Interval}
	inv.objects[object], f.subscribers[object] = s, s
	f.keepStep()
	return f, nil
}

// Subscribed returns the feed that the object subscribes to, if any.
func (inv *Inventory[F, L]) Subscribed(object Object) (*Feed[F, L], bool) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	s := inv.objects[object]
	if s == nil {
		return nil, false
	}
	return s.feed, true
}

// Forget ends the object's subscription, and with the last one its feed.
func (inv *Inventory[F, L]) Forget(object Object) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.leave(object)
}

func (inv *Inventory[F, L]) leave(object Object) {
	s := inv.objects[object]
	if s == nil {
		return
	}
	delete(inv.objects, object)
	f := s.feed
	delete(f.subscribers, object)
	if len(f.subscribers) > 0 {
		return
	}
	delete(inv.feeds, f.key)
	inv.rested.Broadcast()
	if f.cancel != nil {
		f.cancel()
	}
	if closer, ok := any(f.access).(io.Closer); ok {
		_ = closer.Close() // it only drops idle connections
	}
}

// Moved says whether something that the object watches changed since it read, or it never read.
func (inv *Inventory[F, L]) Moved(object Object) bool {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	s := inv.objects[object]
	return s == nil || s.watched == nil || s.moved
}

// Begin says, at the beginning of a pass over an object that watches without reading, whether something moved that it has
// not looked at. What moves from now on is for the next pass. Watch ends the pass.
func (inv *Inventory[F, L]) Begin(object Object) bool {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	s := inv.objects[object]
	if s == nil {
		return false
	}
	s.owed = s.owed || s.moved
	s.moved = false
	return s.owed
}

// Touch makes the object one for which something has moved. It does not wake it.
func (inv *Inventory[F, L]) Touch(object Object) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if s := inv.objects[object]; s != nil {
		s.moved = true
	}
}

// Quiet waits until every poller rests: no list is under way, and none is to be made before the time goes on or something
// changes. It is for those who move the clock. Under a list that waits for changes, it waits as long.
func (inv *Inventory[F, L]) Quiet() {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	for inv.busy() {
		inv.rested.Wait()
	}
}

// busy says whether a poller has something to do. Called with the lock.
func (inv *Inventory[F, L]) busy() bool {
	if inv.ctx == nil {
		return false
	}
	for _, f := range inv.feeds {
		if f.busy() {
			return true
		}
	}
	return false
}

// keepStep waits until the poller rests, where that is wanted. Called with the lock.
func (f *Feed[F, L]) keepStep() {
	for f.inv.inStep && f.inv.ctx != nil && f.busy() {
		f.inv.rested.Wait()
	}
}

// busy says whether the poller has something to do. Called with the lock.
func (f *Feed[F, L]) busy() bool {
	due, _ := f.next()
	return due != nil || f.rests != f.changed
}

// Ages returns how old what is known is, by the feeds' labels: of feeds of one label, the oldest.
func (inv *Inventory[F, L]) Ages() map[string]time.Duration {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	ages := map[string]time.Duration{}
	for _, f := range inv.feeds {
		if f.known {
			ages[f.label] = max(ages[f.label], inv.clock.Since(f.confirmed))
		}
	}
	return ages
}

// rouse marks a subscriber as moved and wakes it, unless it is awake already. Called with the lock.
func (inv *Inventory[F, L]) rouse(object Object, s *subscription[F, L], after func() time.Duration) {
	if s.moved || s.watched == nil {
		return // it will read, whatever woke it
	}
	s.moved = true
	inv.wake(object, after())
}

// moved wakes the subscribers, other than the one that is named, that watch one of the changed identities. Called with
// the lock.
func (f *Feed[F, L]) moved(by Object, changed ...string) {
	now := f.inv.clock.Now()
	for object, s := range f.subscribers {
		if object == by {
			continue
		}
		for _, identity := range changed {
			if _, watches := s.watched[identity]; watches {
				f.inv.rouse(object, s, func() time.Duration { return s.pace.next(now) })
				break
			}
		}
	}
}
