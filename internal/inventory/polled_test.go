// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

// interval between lists in these tests.
const interval = 30 * time.Second

// pageTime is how long a page of 100 takes.
const pageTime = 50 * time.Millisecond

// cloud is what is listed page by page, and looked at one by one.
type cloud struct {
	mu    sync.Mutex
	items map[string]print
	// pages, lists and gets count; got lists which things were looked at.
	pages, lists int
	got          []string
	// lie answers lists in place of the items.
	lie func(map[string]print) (map[string]print, error)
}

func newCloud(n int) *cloud {
	c := &cloud{items: map[string]print{}}
	for i := range n {
		c.items[id(i)] = "0"
	}
	return c
}

func id(i int) string { return fmt.Sprintf("id-%05d", i) }

func (c *cloud) List(ctx context.Context, _ int64, wait time.Duration) (Listing[print], error) {
	c.mu.Lock()
	pages := max(1, (len(c.items)+99)/100)
	c.lists, c.pages = c.lists+1, c.pages+pages
	items, err := maps.Clone(c.items), error(nil)
	if c.lie != nil {
		items, err = c.lie(items)
	}
	c.mu.Unlock()
	if wait > 0 {
		return Listing[print]{}, clouderr.New(clouderr.Invalid, "asked to wait")
	}
	select {
	case <-time.After(time.Duration(pages) * pageTime):
	case <-ctx.Done():
		return Listing[print]{}, clouderr.New(clouderr.Transient, "cancelled")
	}
	return Listing[print]{Items: items}, err
}

func (c *cloud) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

func (c *cloud) get(id string) print {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, id)
	return c.items[id]
}

// counts returns the lists, pages and looks since it was last asked.
func (c *cloud) counts() (lists, pages int, got []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	lists, pages, got = c.lists, c.pages, c.got
	c.lists, c.pages, c.got = 0, 0, nil
	slices.Sort(got)
	return lists, pages, got
}

// world is objects that watch things of clouds, and look at what moved when they are woken, as the loop does.
type world struct {
	*Inventory[print, *cloud]
	t *testing.T
	// of is the cloud of each object, watches the thing, saw what its status says of it.
	of      map[Object]*cloud
	watches map[Object]string
	saw     map[Object]print
	// at is when objects were woken.
	mu sync.Mutex
	at map[Object]time.Time
	// queue is one worker's.
	queue chan Object
}

// observe runs a test in a world.
func observe(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			t: t, Inventory: New[print, *cloud](Options{Polled: true, Stagger: 200 * time.Millisecond}),
			of: map[Object]*cloud{}, watches: map[Object]string{}, saw: map[Object]print{}, at: map[Object]time.Time{}, queue: make(chan Object, 1<<16),
		}
		w.WakeBy(func(object Object, after time.Duration) {
			time.AfterFunc(after, func() { w.queue <- object })
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Start(ctx) }()
		worked := make(chan struct{})
		go func() {
			defer close(worked)
			for {
				select {
				case object := <-w.queue:
					w.pass(object)
				case <-ctx.Done():
					return
				}
			}
		}()
		test(w)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Start: %v", err)
		}
		<-worked
	})
}

// pass is a pass over an object that was settled before: it looks where something moved.
func (w *world) pass(object Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at[object] = time.Now()
	moved := w.Begin(object)
	if moved {
		w.saw[object] = w.of[object].get(w.watches[object])
	}
	w.watch(object, moved)
}

func (w *world) watch(object Object, looked bool) {
	f, err := w.Subscribe(object, Connection{Key: fmt.Sprintf("%p", w.of[object]), Label: "account", Interval: interval},
		func() (*cloud, error) { return w.of[object], nil })
	if err != nil {
		w.t.Error(err)
		return
	}
	f.Watch(object, w.watches[object], w.saw[object], looked)
}

// settled adds an object for each thing of a cloud, whose status says that it was seen as it is.
func (w *world) settled(name string, c *cloud) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, is := range c.items {
		o := object(name + id)
		w.of[o], w.watches[o], w.saw[o] = c, id, is
		w.watch(o, false)
	}
}

func TestTenThousandAtRestCostPagesAlone(t *testing.T) {
	observe(t, func(w *world) {
		c := newCloud(10_000)
		w.settled("", c)
		time.Sleep(time.Hour)
		lists, pages, got := c.counts()
		// An interval is up to a tenth shorter than 30 seconds, so that an hour has 120 to 134.
		if lists < 120 || lists > 134 || pages != lists*100 {
			t.Errorf("%d lists with %d pages in an hour", lists, pages)
		}
		want(t, "looks", nil, got)
		want(t, "passes", 0, len(w.at))
	})
}

func TestWhatDriftsIsFoundWithinTheIntervalAndAlone(t *testing.T) {
	observe(t, func(w *world) {
		c := newCloud(10_000)
		w.settled("", c)
		time.Sleep(10*time.Minute + 7*time.Second)
		c.counts()
		changed := time.Now()
		c.set(func() { c.items[id(4711)] = "1" })
		time.Sleep(time.Hour)
		_, _, got := c.counts()
		want(t, "looks", []string{id(4711)}, got)
		if took, most := w.at[object(id(4711))].Sub(changed), interval+100*pageTime; took > most {
			t.Errorf("found after %s, want %s at most", took, most)
		}
	})
}

func TestWhatVanishesIsConfirmed(t *testing.T) {
	observe(t, func(w *world) {
		c := newCloud(1000)
		w.settled("", c)
		time.Sleep(time.Minute)
		c.counts()
		c.set(func() { delete(c.items, id(7)) })
		time.Sleep(time.Minute)
		_, _, got := c.counts()
		want(t, "looks", []string{id(7)}, got)
	})
}

func TestAListThatLiesIsConfirmedSlowlyAndNoLongerThanItLies(t *testing.T) {
	for name, lie := range map[string]func(map[string]print) (map[string]print, error){
		"empty": func(map[string]print) (map[string]print, error) { return nil, nil },
		"truncated": func(items map[string]print) (map[string]print, error) {
			return map[string]print{id(0): items[id(0)]}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			observe(t, func(w *world) {
				c := newCloud(10_000)
				w.settled("", c)
				time.Sleep(time.Minute)
				c.counts()
				c.set(func() { c.lie = lie })
				time.Sleep(interval + 100*pageTime)
				c.set(func() { c.lie = nil })
				time.Sleep(time.Hour)
				_, _, got := c.counts()
				// 20 at once and 5 a second, for the 30 or so seconds until a list is right again.
				if len(got) < crowd || len(got) > crowd+5*80 {
					t.Errorf("%d looks", len(got))
				}
				time.Sleep(time.Hour)
				_, _, got = c.counts()
				want(t, "looks once all is listed again", nil, got)
			})
		})
	}
}

func TestAnOutageOfTheListsWakesNobody(t *testing.T) {
	for _, class := range []clouderr.Class{clouderr.Transient, clouderr.Unauthorized, clouderr.Throttled} {
		t.Run(string(class), func(t *testing.T) {
			observe(t, func(w *world) {
				c := newCloud(100)
				w.settled("", c)
				time.Sleep(time.Minute)
				c.counts()
				c.set(func() {
					c.lie = func(map[string]print) (map[string]print, error) { return nil, clouderr.New(class, "no") }
				})
				time.Sleep(time.Hour)
				lists, _, got := c.counts()
				if lists < 50 || lists > 80 {
					t.Errorf("%d lists in an hour without an answer, want about one a minute", lists)
				}
				want(t, "looks", nil, got)
				c.set(func() { c.lie = nil; c.items[id(3)] = "1" })
				time.Sleep(2 * time.Minute)
				_, _, got = c.counts()
				want(t, "looks at what moved meanwhile", []string{id(3)}, got)
			})
		})
	}
}

func TestAfterARestartOnlyWhatMovedMeanwhileIsLookedAt(t *testing.T) {
	observe(t, func(w *world) {
		c := newCloud(10_000)
		early, late := object("early"), object("late")
		w.settled("", c)
		for _, o := range []Object{early, late} {
			w.of[o], w.saw[o] = c, "before the restart"
		}
		w.watches[early], w.watches[late] = id(1), id(2)
		w.mu.Lock()
		w.watch(early, false) // before the first list
		w.mu.Unlock()
		time.Sleep(time.Minute)
		_, _, got := c.counts()
		want(t, "looks", []string{id(1)}, got)

		w.mu.Lock()
		w.watch(late, false) // what is listed is known by then
		w.mu.Unlock()
		time.Sleep(time.Minute)
		_, _, got = c.counts()
		want(t, "looks", []string{id(2)}, got)
	})
}

func TestOwnWritesAreNotLookedAtAgain(t *testing.T) {
	observe(t, func(w *world) {
		c := newCloud(10)
		w.settled("", c)
		time.Sleep(time.Minute)
		c.counts()
		mine := object("mine")
		w.mu.Lock()
		c.set(func() { c.items["new"] = "created" })
		w.of[mine], w.watches[mine], w.saw[mine] = c, "new", "created"
		w.watch(mine, true)
		w.mu.Unlock()
		time.Sleep(time.Hour)
		_, _, got := c.counts()
		want(t, "looks", nil, got)
	})
}

func TestALookThatFailedIsOwed(t *testing.T) {
	observe(t, func(w *world) {
		c := newCloud(1)
		w.settled("", c)
		time.Sleep(time.Minute)
		o := object(id(0))
		w.WakeBy(func(Object, time.Duration) {})
		c.set(func() { c.items[id(0)] = "1" })
		time.Sleep(interval + time.Second)
		want(t, "moved", true, w.Begin(o))
		w.watch(o, false)
		want(t, "moved after a pass that did not look", true, w.Begin(o))
		w.saw[o] = "1"
		w.watch(o, true)
		want(t, "moved after one that did", false, w.Begin(o))
	})
}

func TestAccountsDoNotMixAndPollersEnd(t *testing.T) {
	observe(t, func(w *world) {
		a, b := newCloud(10), newCloud(10)
		w.settled("a", a)
		w.settled("b", b)
		time.Sleep(time.Minute)
		a.counts()
		b.counts()
		a.set(func() { a.items[id(5)] = "1" })
		time.Sleep(time.Minute)
		_, _, got := a.counts()
		want(t, "looks in a", []string{id(5)}, got)
		_, _, got = b.counts()
		want(t, "looks in b", nil, got)

		for i := range 9 {
			w.Forget(object("a" + id(i)))
		}
		time.Sleep(time.Minute)
		if lists, _, _ := a.counts(); lists == 0 {
			t.Error("a is not listed any more although an object needs it")
		}
		w.Forget(object("a" + id(9)))
		time.Sleep(time.Hour)
		if lists, _, _ := a.counts(); lists != 0 {
			t.Errorf("a is listed %d times although no object needs it", lists)
		}
		if lists, _, _ := b.counts(); lists == 0 {
			t.Error("b is not listed any more")
		}
	})
}

func TestAnObjectAtWorkIsNotWoken(t *testing.T) {
	observe(t, func(w *world) {
		c := newCloud(1)
		w.settled("", c)
		time.Sleep(time.Minute)
		o := object(id(0))
		f, _ := w.Subscribed(o)
		f.Unwatch(o)
		c.set(func() { c.items[id(0)] = "at work" })
		time.Sleep(time.Minute)
		want(t, "passes", 0, len(w.at))
		c.set(func() { c.items[id(0)] = "done" })
		w.mu.Lock()
		w.saw[o] = "done"
		w.watch(o, true)
		w.mu.Unlock()
		time.Sleep(time.Minute)
		_, _, got := c.counts()
		want(t, "looks", nil, got)
	})
}

func TestAListThatTakesLongLeavesAsMuchRest(t *testing.T) {
	observe(t, func(w *world) {
		c := newCloud(200_000) // 2,000 pages, 100 seconds
		o := object("one")
		w.of[o], w.watches[o], w.saw[o] = c, id(0), "0"
		w.mu.Lock()
		w.watch(o, false)
		w.mu.Unlock()
		time.Sleep(950 * time.Second)
		if lists, _, _ := c.counts(); lists != 5 {
			t.Errorf("%d lists of 100 seconds in 950 seconds, want 5", lists)
		}
	})
}
