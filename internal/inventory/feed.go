// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"context"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

// Backoff of a poller whose lists fail.
const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// Feed is the snapshot of one collection and the poller that keeps it. Lists and writes take turns: a write ends the
// list that is under way, whose answer is dropped, and the next one begins when the last write has ended. So no list
// can undo what a later write did.
type Feed[F Fingerprint[F], L Lister[F]] struct {
	inv    *Inventory[F, L]
	key    string
	label  string
	access L

	// What follows is guarded by the inventory's lock.
	cancel      context.CancelFunc
	subscribers map[Object]*subscription[F, L]
	items       map[string]F
	// known is set from the first list on.
	known     bool
	revision  int64
	confirmed time.Time
	waits     Support
	// err is why the last list failed, failures counts those in a row, and due is when the next one is to be made.
	err      error
	failures int
	due      time.Time
	// doubted is set where what is known has turned out wrong, or may be, until everything was listed anew.
	doubted bool
	// asks counts the demands for a list that begins after them, and served is how many of them were met.
	asks, served int
	// wakes paces those of lists.
	wakes *rate.Limiter
	// interrupt ends the list that is under way; interrupted says that its answer is to be dropped.
	interrupt   context.CancelFunc
	interrupted bool
	// writers counts the writes under way, written are their revisions.
	writers int
	written []int64
	// changed is closed, and replaced, with every change of the above that somebody may wait for.
	changed chan struct{}
	// rests is what changed was when the poller last came to rest: it rests as long as the two are the same.
	rests chan struct{}
}

// Query is what an object wants to know.
type Query struct {
	// Watch are the identities that the object is about from now on.
	Watch []string
	// Fresh asks for a list that begins after the query.
	Fresh bool
	// Doubt says that what is known has turned out wrong: a list of everything is asked for, since nothing need have changed
	// since one that left something out.
	Doubt bool
}

// View is what a feed knows of what an object watches.
type View[F any] struct {
	Items    map[string]F
	Revision int64
	Waits    Support
}

// Access returns what the feed lists with.
func (f *Feed[F, L]) Access() L { return f.access }

// Read returns what is known of what the subscriber watches, and lists where nothing is known or what is known is in doubt.
// While lists fail it returns their error. A change after Read wakes the subscriber.
func (f *Feed[F, L]) Read(ctx context.Context, object Object, q Query) (View[F], error) {
	f.inv.mu.Lock()
	defer f.inv.mu.Unlock()
	fresh := q.Fresh || q.Doubt
	if fresh {
		f.doubted = f.doubted || q.Doubt
		f.asks++
		f.breakIn()
	}
	for ask := f.asks; fresh && f.served < ask || f.err == nil && (!f.known || f.doubted); {
		if err := f.await(ctx); err != nil {
			return View[F]{}, err
		}
	}
	f.keepStep()
	s := f.subscribers[object]
	if f.err != nil {
		if s != nil {
			s.failed = true
		}
		return View[F]{}, f.err
	}
	view := View[F]{Items: map[string]F{}, Revision: f.revision, Waits: f.waits}
	watched := make(map[string]*F, len(q.Watch))
	for _, identity := range q.Watch {
		watched[identity] = nil
		if item, found := f.items[identity]; found {
			view.Items[identity] = item
		}
	}
	if s != nil {
		s.watched, s.moved, s.failed = watched, false, false
	}
	return view, nil
}

// Watch makes the identity what the subscriber is about from now on, and seen what it saw of it last: a list that shows
// something else wakes it. Unlike Read it waits for nothing. It ends a pass that began with Begin; looked says whether
// the pass saw the thing itself, which is then newer than what is listed.
func (f *Feed[F, L]) Watch(object Object, identity string, seen F, looked bool) {
	f.inv.mu.Lock()
	defer f.inv.mu.Unlock()
	s := f.subscribers[object]
	if s == nil {
		return
	}
	_, watches := s.watched[identity]
	s.watched = map[string]*F{identity: &seen}
	s.moved = s.moved || s.owed && !looked
	s.owed = false
	is, listed := f.items[identity]
	switch {
	case listed && seen.Same(is):
		s.moved = false
	case f.known && !watches && !looked:
		f.rouseStaggered(object, s)
	}
}

// Unwatch makes the subscriber one that is about nothing for now. Nothing wakes it until it watches again.
func (f *Feed[F, L]) Unwatch(object Object) {
	f.inv.mu.Lock()
	defer f.inv.mu.Unlock()
	if s := f.subscribers[object]; s != nil {
		s.watched, s.moved, s.owed = nil, false, false
	}
}

// await waits for a change. It gives up the lock meanwhile.
func (f *Feed[F, L]) await(ctx context.Context) error {
	changed := f.changed
	f.inv.mu.Unlock()
	defer f.inv.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return clouderr.New(clouderr.Transient, "waiting for a list: %w", ctx.Err())
	}
}

// broadcast tells everybody who waits that something changed. Called with the lock.
func (f *Feed[F, L]) broadcast() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// breakIn ends the list that is under way, whose answer is dropped, and makes the poller look at what is to be done.
// Called with the lock.
func (f *Feed[F, L]) breakIn() {
	if f.interrupt != nil {
		f.interrupted = true
		f.interrupt()
	}
	f.broadcast()
}

// Writing is a time in which an object writes. Its methods may be called concurrently.
type Writing[F Fingerprint[F], L Lister[F]] struct {
	feed *Feed[F, L]
	by   Object
}

// Write begins a time of writing, which must be ended. Meanwhile nothing is listed.
func (f *Feed[F, L]) Write(by Object) *Writing[F, L] {
	f.inv.mu.Lock()
	defer f.inv.mu.Unlock()
	f.writers++
	f.breakIn()
	return &Writing[F, L]{feed: f, by: by}
}

// Put notes what was written, with the revision that the write raised the collection to; 0 where that is not known.
func (w *Writing[F, L]) Put(identity string, is F, revision int64) {
	f := w.feed
	f.inv.mu.Lock()
	defer f.inv.mu.Unlock()
	was, found := f.items[identity]
	f.items[identity] = is
	f.written = append(f.written, revision)
	if !found || !was.Same(is) {
		f.moved(w.by, identity)
	}
}

// Drop notes what was deleted.
func (w *Writing[F, L]) Drop(identities ...string) {
	f := w.feed
	f.inv.mu.Lock()
	defer f.inv.mu.Unlock()
	for _, identity := range identities {
		delete(f.items, identity)
	}
	f.moved(w.by, identities...)
}

// Lost notes that a write may have had an effect and its reply was lost: what is there is only known from the next list of
// everything, which is made when the writing ends.
func (w *Writing[F, L]) Lost() {
	f := w.feed
	f.inv.mu.Lock()
	defer f.inv.mu.Unlock()
	if !f.doubted {
		f.doubted = true
		f.asks++
	}
}

// End ends the writing. Where all revisions since the last list are our own writes, nothing else happened meanwhile, and
// what is known is of the latest of them: the next list need not bring it all.
func (w *Writing[F, L]) End() {
	f := w.feed
	f.inv.mu.Lock()
	defer f.inv.mu.Unlock()
	if f.writers--; f.writers > 0 {
		return
	}
	slices.Sort(f.written)
	for _, revision := range f.written {
		if revision == f.revision+1 {
			f.revision = revision
		}
	}
	f.written = nil
	f.broadcast()
	f.keepStep()
}

// job is a list to be made, which meets all demands before it.
type job struct {
	since int64
	wait  time.Duration
	asks  int
	began time.Time
}

// poll lists until ctx ends.
func (f *Feed[F, L]) poll(ctx context.Context) {
	for ctx.Err() == nil {
		f.inv.mu.Lock()
		next, pause := f.next()
		changed := f.changed
		if next == nil {
			due, stop := f.timer(pause) // with the lock: whoever finds the poller at rest may move the clock
			f.rests = changed
			f.inv.rested.Broadcast()
			f.inv.mu.Unlock()
			select {
			case <-ctx.Done():
			case <-changed:
			case <-due:
			}
			stop()
			continue
		}
		var listing context.Context
		listing, f.interrupt = context.WithCancel(ctx) //nolint:gosec // settle calls it
		f.interrupted = false
		f.inv.mu.Unlock()
		next.began = f.inv.clock.Now()
		answer, err := f.access.List(listing, next.since, next.wait)
		f.settle(ctx, *next, answer, err)
	}
}

// timer returns what tells when a time has passed; 0 is never.
func (f *Feed[F, L]) timer(pause time.Duration) (<-chan time.Time, func()) {
	if pause == 0 {
		return nil, func() {}
	}
	timer := f.inv.clock.NewTimer(pause)
	return timer.C(), func() { timer.Stop() }
}

// next says which list to make now, or how long to wait for the next; 0 is until something changes. Called with the lock.
func (f *Feed[F, L]) next() (*job, time.Duration) {
	plain := &job{since: f.revision, asks: f.asks}
	if f.doubted {
		plain.since = 0
	}
	now := f.inv.clock.Now()
	switch {
	case f.writers > 0:
		return nil, 0
	case f.asks > f.served, !f.known && f.err == nil:
		return plain, 0
	case clouderr.Is(f.err, clouderr.Unauthorized) && !f.inv.polled:
		return nil, 0 // refused credentials are not tried again; others are another connection
	case f.err == nil && f.waits != Unsupported && !f.inv.polled:
		return &job{since: f.revision, wait: f.inv.wait, asks: f.asks}, 0
	case now.Before(f.due):
		return nil, f.due.Sub(now)
	default:
		return plain, 0
	}
}

// settle takes note of how a list ended.
func (f *Feed[F, L]) settle(ctx context.Context, made job, answer Listing[F], err error) {
	f.inv.mu.Lock()
	defer f.inv.mu.Unlock()
	f.interrupt()
	f.interrupt = nil
	if ctx.Err() != nil {
		return
	}
	if f.interrupted {
		return
	}
	f.served = max(f.served, made.asks)
	defer f.broadcast()
	if err == nil && answer.Unchanged && made.since == 0 && made.wait == 0 {
		err = clouderr.New(clouderr.Transient, "a list of everything was answered as if nothing had changed")
	}
	if err != nil {
		f.fail(err)
		return
	}
	f.recover()
	f.confirmed = f.inv.clock.Now()
	if answer.Waits != SupportUnknown && answer.Waits != f.waits {
		f.learn(answer.Waits)
	}
	f.due = f.after(made)
	if answer.Unchanged {
		if made.wait > 0 && made.since == 0 {
			f.asks++ // without a revision, what changed before the wait began would go unnoticed
		}
		return
	}
	f.compare(answer.Items)
	f.items, f.revision, f.known, f.doubted = answer.Items, answer.Revision, true, false
	if f.items == nil {
		f.items = map[string]F{}
	}
}

// after says when the list that follows one is due: an interval after it began, but not before as long a rest as it took.
func (f *Feed[F, L]) after(made job) time.Time {
	due, rested := made.began.Add(f.inv.spread(f.interval())), f.confirmed.Add(f.confirmed.Sub(made.began))
	if rested.After(due) {
		return rested
	}
	return due
}

// compare wakes the subscribers for which a new list shows something that the one before did not, and that they did not
// see themselves. Of the first list all is new to those that watch already.
func (f *Feed[F, L]) compare(now map[string]F) {
	for object, s := range f.subscribers {
		moved, settled := false, len(s.watched) > 0
		for identity, seen := range s.watched {
			is, listed := now[identity]
			was, known := f.items[identity]
			saw := seen != nil && listed && (*seen).Same(is)
			settled = settled && saw
			moved = moved || !saw && (!f.known || listed != known || listed && !was.Same(is))
		}
		switch {
		case settled:
			s.moved = false // it vanished and came back, say
		case moved:
			f.rouseStaggered(object, s)
		}
	}
}

// rouseStaggered wakes a subscriber because of a list. Called with the lock.
func (f *Feed[F, L]) rouseStaggered(object Object, s *subscription[F, L]) {
	now := f.inv.clock.Now()
	f.inv.rouse(object, s, func() time.Duration {
		return max(s.pace.next(now), f.wakes.ReserveN(now, 1).DelayFrom(now))
	})
}

// fail notes an error. One that will not pass by itself wakes everybody: they must say so.
func (f *Feed[F, L]) fail(err error) {
	pause := firstRetry << min(f.failures, 10)
	pause = max(min(pause, lastRetry), clouderr.RetryAfter(err))
	f.failures++
	f.due = f.inv.clock.Now().Add(f.inv.spread(pause))
	if !f.inv.polled && !clouderr.Is(f.err, clouderr.Unauthorized) && clouderr.Is(err, clouderr.Unauthorized) {
		f.rouseAll()
	}
	f.err = err
}

// recover ends a row of failures. Those that were told of one look again.
func (f *Feed[F, L]) recover() {
	if f.err == nil {
		return
	}
	f.err, f.failures = nil, 0
	f.waits = SupportUnknown // what failed may have come back as another version
	for object, s := range f.subscribers {
		if s.failed {
			s.moved, s.failed = true, false
			f.inv.wake(object, 0)
		}
	}
}

// learn notes whether the lister can wait. That it cannot is told to everybody, who took it that it can.
func (f *Feed[F, L]) learn(waits Support) {
	f.waits = waits
	if waits == Unsupported {
		f.rouseAll()
	}
}

// rouseAll wakes all subscribers at once.
func (f *Feed[F, L]) rouseAll() {
	for object, s := range f.subscribers {
		f.inv.rouse(object, s, func() time.Duration { return 0 })
	}
}

// interval between two looks is the shortest that a subscriber wants.
func (f *Feed[F, L]) interval() time.Duration {
	var shortest time.Duration
	for _, s := range f.subscribers {
		if shortest == 0 || s.interval < shortest {
			shortest = s.interval
		}
	}
	return max(shortest, time.Second)
}
