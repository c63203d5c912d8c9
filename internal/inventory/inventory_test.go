// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

// print is the fingerprint of these tests.
type print string

func (p print) Same(other print) bool { return p == other }

// collection is what is listed. Long polls wait in it.
type collection struct {
	mu       sync.Mutex
	items    map[string]print
	revision int64
	changed  chan struct{}
	// deaf collections cannot wait.
	deaf bool
	// err answers in place of the items, and unchanged that nothing changed, whatever is asked.
	err       error
	unchanged bool
	// slow lists wait for it.
	slow  chan struct{}
	calls []string
	// closed counts.
	closed int
}

func newCollection(items ...string) *collection {
	c := &collection{items: map[string]print{}, changed: make(chan struct{})}
	for _, item := range items {
		c.put(item, "0")
	}
	return c
}

func (c *collection) put(item string, value print) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.items[item] = value
	return c.bump()
}

func (c *collection) remove(item string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.items, item)
	c.bump()
}

func (c *collection) bump() int64 {
	c.revision++
	close(c.changed)
	c.changed = make(chan struct{})
	return c.revision
}

func (c *collection) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

func (c *collection) List(ctx context.Context, since int64, wait time.Duration) (Listing[print], error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, fmt.Sprintf("list %d %s", since, wait))
	if slow := c.slow; slow != nil {
		c.mu.Unlock()
		select {
		case <-slow:
		case <-ctx.Done():
		}
		c.mu.Lock()
	}
	waits := Unsupported
	if wait > 0 && !c.deaf && c.err == nil {
		waits = SupportUnknown
		if since == c.revision {
			changed := c.changed
			c.mu.Unlock()
			timer := time.NewTimer(wait)
			select {
			case <-changed:
			case <-timer.C:
			case <-ctx.Done():
			}
			timer.Stop()
			c.mu.Lock()
			waits = Supported
		}
	}
	if wait == 0 {
		waits = SupportUnknown
	}
	switch {
	case ctx.Err() != nil:
		return Listing[print]{}, clouderr.New(clouderr.Transient, "cancelled")
	case c.err != nil:
		return Listing[print]{}, c.err
	case c.unchanged, since == c.revision && since+int64(wait) > 0:
		return Listing[print]{Unchanged: true, Waits: waits}, nil
	}
	return Listing[print]{Items: maps.Clone(c.items), Revision: c.revision, Waits: waits}, nil
}

func (c *collection) Close() error {
	c.set(func() { c.closed++ })
	return nil
}

// took returns the calls since it was last asked.
func (c *collection) took() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.calls
	c.calls = nil
	return calls
}

// bench is an inventory at work, in virtual time.
type bench struct {
	*Inventory[print, *collection]
	t    *testing.T
	stop func()
	mu   sync.Mutex
	woke []string
}

// run runs a test on a bench.
func run(t *testing.T, test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, Inventory: New[print, *collection](Options{Spread: func(d time.Duration) time.Duration { return d }})}
		b.WakeBy(func(object Object, after time.Duration) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.woke = append(b.woke, fmt.Sprintf("%s %s", object.Name, after))
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Start(ctx) }()
		b.stop = func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Start: %v", err)
			}
		}
		test(b)
		b.stop()
	})
}

func object(name string) Object { return Object{Namespace: "default", Name: name} }

// subscribe makes an object a subscriber of the collection, in a feed that is named like it.
func (b *bench) subscribe(name string, c *collection) *Feed[print, *collection] {
	b.t.Helper()
	f, err := b.Subscribe(object(name), Connection{Key: fmt.Sprintf("%p", c), Label: "feed", Interval: 10 * time.Minute}, func() (*collection, error) { return c, nil })
	if err != nil {
		b.t.Fatal(err)
	}
	return f
}

// read subscribes and reads.
func (b *bench) read(name string, c *collection, watch ...string) map[string]print {
	b.t.Helper()
	view, err := b.subscribe(name, c).Read(b.t.Context(), object(name), Query{Watch: watch})
	if err != nil {
		b.t.Fatalf("%s reads: %v", name, err)
	}
	return view.Items
}

// wakes returns who was woken since it was last asked, sorted, once nothing moves any more.
func (b *bench) wakes() []string {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	woke := b.woke
	b.woke = nil
	slices.Sort(woke)
	return woke
}

func want[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestOneListAndOneLongPollForAll(t *testing.T) {
	run(t, func(b *bench) {
		c := newCollection("a", "b", "c")
		var readers sync.WaitGroup
		for i := range 10 {
			readers.Go(func() { b.read(fmt.Sprint(i), c, "a") })
		}
		readers.Wait()
		synctest.Wait()
		want(t, "calls", []string{"list 0 0s", "list 3 1m0s"}, c.took())

		time.Sleep(3*time.Minute + time.Second) // virtual
		synctest.Wait()
		want(t, "calls of three minutes at rest", []string{"list 3 1m0s", "list 3 1m0s", "list 3 1m0s"}, c.took())
		want(t, "woken", nil, b.wakes())
		if age := b.Ages()["feed"]; age != time.Second {
			t.Errorf("what is known is %s old, want 1s", age)
		}
	})
}

func TestAChangeWakesThoseThatWatchIt(t *testing.T) {
	run(t, func(b *bench) {
		c := newCollection("a", "b")
		want(t, "read", map[string]print{"a": "0"}, b.read("one", c, "a", "new"))
		b.read("two", c, "b")
		synctest.Wait()
		moved := func(want map[string]bool) {
			t.Helper()
			for name, is := range want {
				if b.Moved(object(name)) != is {
					t.Errorf("%s moved: %t", name, !is)
				}
			}
		}
		moved(map[string]bool{"one": false, "two": false, "stranger": true})

		c.put("a", "1")
		want(t, "woken by a change", []string{"one 0s"}, b.wakes())
		moved(map[string]bool{"one": true, "two": false})
		c.put("a", "2")
		want(t, "woken once more before it has read", nil, b.wakes())
		want(t, "read", map[string]print{"a": "2"}, b.read("one", c, "a", "new"))
		moved(map[string]bool{"one": false})
		c.put("new", "1")
		want(t, "woken by what is new", []string{"one 0s"}, b.wakes())
		c.remove("b")
		want(t, "woken by a deletion", []string{"two 0s"}, b.wakes())
		b.read("two", c, "b")
		c.put("nobody's", "1")
		want(t, "woken by what nobody watches", nil, b.wakes())

		b.Touch(object("two"))
		moved(map[string]bool{"two": true})
		want(t, "woken by a touch", nil, b.wakes())
	})
}

func TestOwnWritesWakeOthersAndCostNoList(t *testing.T) {
	run(t, func(b *bench) {
		c := newCollection("a", "b")
		b.read("writer", c, "a", "b")
		b.read("other", c, "b")
		synctest.Wait()
		c.took()

		f := b.subscribe("writer", c)
		w := f.Write(object("writer"))
		for _, item := range []string{"a", "b"} {
			w.Put(item, "1", c.put(item, "1"))
		}
		synctest.Wait()
		want(t, "calls while it writes", nil, c.took())
		w.End()
		synctest.Wait()
		want(t, "calls once it has written", []string{"list 4 1m0s"}, c.took())
		want(t, "woken", []string{"other 0s"}, b.wakes())
		want(t, "read", map[string]print{"a": "1", "b": "1"}, b.read("writer", c, "a", "b"))

		// Somebody else writes in between: that is not missed.
		w = f.Write(object("writer"))
		w.Put("a", "2", c.put("a", "2"))
		c.put("b", "theirs")
		w.Put("a", "3", c.put("a", "3"))
		w.End()
		want(t, "woken by the stranger's write", []string{"writer 0s"}, b.wakes())
		want(t, "calls", []string{"list 5 1m0s", "list 7 1m0s"}, c.took())

		// A deletion tells no revision: one list makes sure.
		b.read("other", c, "b")
		b.read("writer", c, "a", "b")
		w = f.Write(object("writer"))
		c.remove("b")
		w.Drop("b")
		w.End()
		want(t, "woken by a deletion", []string{"other 0s"}, b.wakes())
		want(t, "calls", []string{"list 7 1m0s", "list 8 1m0s"}, c.took())
		want(t, "read", map[string]print{"a": "3"}, b.read("writer", c, "a", "b"))
	})
}

func TestAListUnderWayDoesNotUndoAWrite(t *testing.T) {
	run(t, func(b *bench) {
		c := newCollection("a")
		c.deaf = true
		b.read("one", c, "a")
		synctest.Wait()
		c.took()
		slow := make(chan struct{})
		c.set(func() { c.slow = slow })
		time.Sleep(10*time.Minute + time.Second) // virtual: the next list is under way, and read what was before
		synctest.Wait()
		want(t, "calls", []string{"list 1 0s"}, c.took())

		w := b.subscribe("one", c).Write(object("one"))
		revision := c.put("a", "1")
		w.Put("a", "1", revision)
		c.set(func() { c.slow = nil })
		close(slow)
		synctest.Wait()
		w.End()
		want(t, "read", map[string]print{"a": "1"}, b.read("one", c, "a"))
		synctest.Wait()
		want(t, "calls: the one that was interrupted again", []string{"list 2 0s"}, c.took())
	})
}

func TestWithoutLongPollsItListsOncePerInterval(t *testing.T) {
	run(t, func(b *bench) {
		c := newCollection("a")
		c.deaf = true
		b.read("one", c, "a")
		b.wakes() // to say so, where it has read before that showed
		view, err := b.subscribe("one", c).Read(b.t.Context(), object("one"), Query{Watch: []string{"a"}})
		if err != nil || view.Waits != Unsupported {
			t.Errorf("read %+v, %v", view, err)
		}
		c.took()
		for range 3 {
			time.Sleep(10*time.Minute + time.Second) // virtual
			synctest.Wait()
			want(t, "calls of an interval", []string{"list 1 0s"}, c.took())
		}
		if _, err := b.subscribe("one", c).Read(b.t.Context(), object("one"), Query{Watch: []string{"a"}, Fresh: true}); err != nil {
			t.Error(err)
		}
		want(t, "calls of a request", []string{"list 1 0s"}, c.took())
		want(t, "woken", nil, b.wakes())
	})
}

func TestARequestInterruptsTheLongPoll(t *testing.T) {
	run(t, func(b *bench) {
		c := newCollection("a")
		b.read("one", c, "a")
		synctest.Wait()
		c.took()
		started := time.Now()
		if _, err := b.subscribe("one", c).Read(b.t.Context(), object("one"), Query{Watch: []string{"a"}, Fresh: true}); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		want(t, "calls", []string{"list 1 0s", "list 1 1m0s"}, c.took())
		if took := time.Since(started); took > time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestErrorsBackOffAndRecoveryWakes(t *testing.T) {
	run(t, func(b *bench) {
		c := newCollection("a")
		c.set(func() { c.err = clouderr.New(clouderr.Transient, "down") })
		f := b.subscribe("one", c)
		for range 3 { // the error stands: who reads again does not call
			if _, err := f.Read(b.t.Context(), object("one"), Query{Watch: []string{"a"}}); !clouderr.Is(err, clouderr.Transient) {
				t.Errorf("read: %v", err)
			}
		}
		want(t, "calls", []string{"list 0 0s"}, c.took())
		for _, pause := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			time.Sleep(pause*time.Second - time.Millisecond) // virtual
			synctest.Wait()
			want(t, "calls before the pause is over", nil, c.took())
			time.Sleep(time.Millisecond)
			synctest.Wait()
			want(t, fmt.Sprintf("calls after %d s", pause), []string{"list 0 0s"}, c.took())
		}
		want(t, "woken while it is down", nil, b.wakes())
		c.set(func() { c.err = nil })
		time.Sleep(time.Minute + time.Second)
		want(t, "woken when it is up", []string{"one 0s"}, b.wakes())
		want(t, "read", map[string]print{"a": "0"}, b.read("one", c, "a"))
	})
}

func TestRefusedCredentialsAreNotTriedAgain(t *testing.T) {
	run(t, func(b *bench) {
		c := newCollection("a")
		b.read("one", c, "a")
		b.read("two", c, "a")
		synctest.Wait()
		c.took()
		c.set(func() { c.err = clouderr.New(clouderr.Unauthorized, "wrong password") })
		c.put("x", "1")
		want(t, "woken by the refusal", []string{"one 0s", "two 0s"}, b.wakes())
		c.took()
		time.Sleep(time.Hour) // virtual
		synctest.Wait()
		want(t, "calls of an hour", nil, c.took())
		if _, err := b.subscribe("one", c).Read(b.t.Context(), object("one"), Query{}); !clouderr.Is(err, clouderr.Unauthorized) {
			t.Errorf("read: %v", err)
		}
	})
}

func TestAFeedLivesAsLongAsItsSubscribers(t *testing.T) {
	run(t, func(b *bench) {
		c := newCollection("a")
		b.read("one", c, "a")
		b.read("two", c, "a")
		b.Forget(object("one"))
		synctest.Wait()
		if c.closed != 0 {
			t.Error("closed while somebody subscribes")
		}
		other := newCollection("a")
		b.read("two", other, "a") // another connection
		synctest.Wait()
		if c.closed != 1 || !b.Moved(object("one")) {
			t.Errorf("closed %d times, the one that left moved: %t", c.closed, b.Moved(object("one")))
		}
		c.took()
		c.put("a", "1")
		time.Sleep(time.Hour) // virtual
		synctest.Wait()
		want(t, "calls after the last left", nil, c.took())
		if f, found := b.Subscribed(object("two")); !found || f.Access() != other {
			t.Error("the subscriber is not at its other feed")
		}
		b.Forget(object("two"))
		b.Forget(object("two"))
		want(t, "ages", map[string]time.Duration{}, b.Ages())
	})
}

func TestStoppingEndsAllPollers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inv := New[print, *collection](Options{})
		c := newCollection("a")
		f, err := inv.Subscribe(object("early"), Connection{Key: "key", Label: "feed"}, func() (*collection, error) { return c, nil })
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		want(t, "calls before the start", nil, c.took())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- inv.Start(ctx) }()
		if _, err := f.Read(t.Context(), object("early"), Query{Watch: []string{"a"}}); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		c.took()
		c.put("a", "1")
		synctest.Wait()
		want(t, "calls after the end", nil, c.took())

		// Who waits for a list that never comes goes with its own context.
		waiting, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		if _, err := f.Read(waiting, object("early"), Query{Fresh: true}); !errors.Is(err, context.DeadlineExceeded) || !clouderr.Is(err, clouderr.Transient) {
			t.Errorf("read: %v", err)
		}
	})
}

func TestAFeedThatCannotBeOpened(t *testing.T) {
	run(t, func(b *bench) {
		broken := errors.New("no such address")
		_, err := b.Subscribe(object("one"), Connection{Key: "key"}, func() (*collection, error) { return nil, broken })
		if !errors.Is(err, broken) {
			t.Errorf("Subscribe: %v", err)
		}
		if _, found := b.Subscribed(object("one")); found {
			t.Error("it subscribes all the same")
		}
	})
}

func TestWithoutARevisionWhatWasMissedIsFound(t *testing.T) {
	run(t, func(b *bench) {
		c := newCollection() // nothing was ever written: its revision is 0
		b.read("one", c, "a")
		synctest.Wait()
		want(t, "calls", []string{"list 0 0s", "list 0 1m0s"}, c.took())
		c.set(func() { c.items["a"] = "1" }) // as before the wait began: no revision tells, and nobody is notified
		want(t, "woken at once", nil, b.wakes())
		time.Sleep(time.Minute + time.Second) // virtual
		want(t, "woken after the wait", []string{"one 0s"}, b.wakes())
	})
}

func TestTwoWhoFightSlowDown(t *testing.T) {
	var p pace
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	var delays []time.Duration
	for range 12 { // woken, set right, and changed again at once
		after := p.next(at)
		delays = append(delays, after/time.Second)
		at = at.Add(after + 100*time.Millisecond)
	}
	want(t, "delays in seconds", []time.Duration{0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60}, delays)
	if after := p.next(at.Add(time.Minute)); after != time.Minute {
		t.Errorf("after a minute of quiet the fight goes on after %s", after)
	}
	if after := p.next(at.Add(5 * time.Minute)); after != 0 {
		t.Errorf("after quiet a single edit is answered after %s", after)
	}
}

// A list that left something out is of the newest revision all the same: one that is asked for because what is known turned
// out wrong brings everything.
func TestADoubtedListIsListedAsAWhole(t *testing.T) {
	run(t, func(b *bench) {
		c := newCollection("a")
		f := b.subscribe("one", c)
		read := func(q Query) []string {
			t.Helper()
			q.Watch = []string{"a", "b"}
			view, err := f.Read(b.t.Context(), object("one"), q)
			if err != nil {
				t.Fatal(err)
			}
			return slices.Sorted(maps.Keys(view.Items))
		}
		before := read(Query{})
		c.set(func() { c.items["b"] = "0" }) // it was there, and the list left it out
		fresh, doubted := read(Query{Fresh: true}), read(Query{Doubt: true})
		if diff := cmp.Diff([][]string{{"a"}, {"a"}, {"a", "b"}}, [][]string{before, fresh, doubted}); diff != "" {
			t.Errorf("before, fresh and doubted (-want +got):\n%s", diff)
		}
		c.took()
		read(Query{Fresh: true})
		synctest.Wait()
		if calls := c.took(); slices.Contains(calls, "list 0 0s") {
			t.Errorf("it is doubted once: %q", calls)
		}
	})
}

// What was written without a reply is there or not: nobody reads before everything was listed anew, not even who writes.
func TestAfterALostReplyEverythingIsListed(t *testing.T) {
	run(t, func(b *bench) {
		c := newCollection("a")
		c.deaf = true
		f := b.subscribe("one", c)
		want(t, "before", map[string]print{"a": "0"}, b.read("one", c, "a", "b"))
		synctest.Wait()
		c.took()

		writing := f.Write(object("one"))
		c.put("b", "1")
		writing.Lost()
		writing.Lost() // another one
		writing.End()

		want(t, "after", map[string]print{"a": "0", "b": "1"}, b.read("one", c, "a", "b"))
		synctest.Wait()
		want(t, "lists", []string{"list 0 0s"}, c.took())

		// While lists fail nobody knows.
		c.set(func() { c.err = clouderr.New(clouderr.Transient, "down") })
		writing = f.Write(object("one"))
		writing.Lost()
		writing.End()
		if _, err := f.Read(b.t.Context(), object("one"), Query{Watch: []string{"a"}}); !clouderr.Is(err, clouderr.Transient) {
			t.Errorf("read with the error %v", err)
		}
	})
}

// A server that says that nothing changed, and was not asked since when, does not leave those waiting that read.
func TestUnchangedSinceNothingIsAnError(t *testing.T) {
	run(t, func(b *bench) {
		c := newCollection()
		c.unchanged = true
		_, err := b.subscribe("one", c).Read(b.t.Context(), object("one"), Query{})
		if !clouderr.Is(err, clouderr.Transient) {
			t.Errorf("read with the error %v", err)
		}
	})
}

func TestQuietOnceTheListThatIsUnderWayHasEnded(t *testing.T) {
	run(t, func(b *bench) {
		c := newCollection("a")
		slow := make(chan struct{})
		c.deaf, c.slow = true, slow
		b.subscribe("one", c)
		synctest.Wait()
		quiet := make(chan struct{})
		go func() {
			b.Quiet()
			close(quiet)
		}()
		synctest.Wait()
		select {
		case <-quiet:
			t.Error("quiet while a list is under way")
		default:
		}

		c.set(func() { c.slow = nil })
		close(slow)

		<-quiet
		if calls := len(c.took()); calls == 0 {
			t.Error("quiet, and nothing was listed")
		}
		time.Sleep(10 * time.Minute) // the next list is due
		b.Quiet()
		if calls := c.took(); len(calls) != 1 {
			t.Errorf("quiet after an interval with the lists %v, want one", calls)
		}
	})
}
