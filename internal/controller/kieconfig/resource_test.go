// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kieconfig

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/controller/internal/connection"
	"servicestage.dev/operator/internal/controller/internal/items"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/inventory"
)

// engine is a store whose lists are scripted: each names the keys that it shows.
type engine struct {
	lists   []string
	listed  int
	removed []string
}

func (e *engine) List(_ context.Context, _ int64, wait time.Duration) (inventory.Listing[items.Fingerprint], error) {
	if wait > 0 {
		return inventory.Listing[items.Fingerprint]{Unchanged: true, Waits: inventory.Unsupported}, nil
	}
	shown := map[string]items.Fingerprint{}
	for _, key := range strings.Fields(e.lists[min(e.listed, len(e.lists)-1)]) {
		shown[items.Identity(key, nil)] = items.Fingerprint{ID: "id of " + key, Key: key, CreatedAt: time.Unix(2000, 0)}
	}
	e.listed++
	return inventory.Listing[items.Fingerprint]{Items: shown, Revision: int64(e.listed)}, nil
}

// Write can change what is there, and create nothing.
func (e *engine) Write(_ context.Context, steps []items.Step, told func(items.Written)) {
	for _, step := range steps {
		if step.Have != nil {
			told(items.Written{Step: step, Is: *step.Have})
			continue
		}
		told(items.Written{Step: step, Err: clouderr.New(clouderr.Exists, "it exists")})
	}
}

func (e *engine) Remove(_ context.Context, ids []string) error {
	e.removed = append(e.removed, ids...)
	return nil
}

func (e *engine) Removes() bool { return true }
func (e *engine) Close() error  { return nil }

// handle returns a handle on a set of which "kept" is wanted, and what of it was written is written down.
func handle(t *testing.T, e *engine, written ...string) *resource {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	shared := NewInventory(nil, inventory.Options{})
	ended := make(chan error, 1)
	go func() { ended <- shared.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	object := types.NamespacedName{Namespace: "team", Name: "set"}
	feed, err := shared.Subscribe(object, inventory.Connection{Key: "engine", Interval: time.Hour}, func() (items.Store, error) { return e, nil })
	if err != nil {
		t.Fatal(err)
	}
	kept := items.Item{Key: "kept"}
	r := &resource{
		object: object, feed: feed, connection: &connection.Connection{ID: "engine"}, written: map[string]bool{},
		wanted: wanted{items: map[string]items.Item{kept.Identity(): kept}}, restored: len(written) == 0,
	}
	for _, key := range written {
		r.written[items.Identity(key, nil)] = true
	}
	return r
}

func keysOf(identities map[string]bool) []string {
	var keys []string
	for _, key := range []string{"dropped", "kept"} {
		if identities[items.Identity(key, nil)] {
			keys = append(keys, key)
		}
	}
	return keys
}

// One list that leaves something out is not enough to strike it from the record.
func TestWhatTheRecordKeeps(t *testing.T) {
	both := []string{"dropped", "kept"}
	for name, tc := range map[string]struct {
		lists       []string
		want        []string
		transient   bool
		wantedLists int
	}{
		"both are there":                  {lists: []string{"dropped kept"}, want: both, wantedLists: 1},
		"what is wanted is not there":     {lists: []string{"dropped"}, want: both, wantedLists: 1},
		"what was dropped is gone":        {lists: []string{"kept"}, want: []string{"kept"}, wantedLists: 2},
		"what was dropped was left out":   {lists: []string{"kept", "dropped kept"}, want: both, transient: true, wantedLists: 2},
		"everything was left out at once": {lists: []string{"", "dropped kept"}, want: both, transient: true, wantedLists: 2},
	} {
		t.Run(name, func(t *testing.T) {
			e := &engine{lists: tc.lists}
			r := handle(t, e, both...)
			_, err := r.look(t.Context(), inventory.Query{})
			if clouderr.Is(err, clouderr.Transient) != tc.transient || !tc.transient && err != nil {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(tc.want, keysOf(r.written)); diff != "" {
				t.Errorf("recorded (-want +got):\n%s", diff)
			}
			if e.listed != tc.wantedLists {
				t.Errorf("%d lists, want %d", e.listed, tc.wantedLists)
			}
		})
	}
}

// The object goes with its last look at the engine: what that one left out would stay for ever.
func TestNothingIsLeftBehindByOneList(t *testing.T) {
	for name, tc := range map[string]struct {
		lists   []string
		written []string
		removed []string
		refused bool
	}{
		"both are there":           {lists: []string{"dropped kept"}, written: []string{"dropped", "kept"}, removed: []string{"id of dropped", "id of kept"}},
		"they are gone":            {lists: []string{""}, written: []string{"dropped", "kept"}},
		"one was left out":         {lists: []string{"kept", "dropped kept"}, written: []string{"dropped", "kept"}, refused: true},
		"restored, and there":      {lists: []string{"kept"}, removed: []string{"id of kept"}},
		"restored, and left out":   {lists: []string{"", "kept"}, refused: true},
		"restored, and gone":       {lists: []string{""}},
		"restored, someone else's": {lists: []string{"other kept"}, removed: []string{"id of kept"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := &engine{lists: tc.lists}
			r := handle(t, e, tc.written...)
			r.deleting = true
			r.claim = external.Claim{Token: "token", MintedAt: time.Unix(1000, 0)}
			_, err := r.Delete(t.Context(), "engine")
			if clouderr.Is(err, clouderr.Transient) != tc.refused || !tc.refused && err != nil {
				t.Errorf("error %v", err)
			}
			slices.Sort(e.removed)
			if diff := cmp.Diff(tc.removed, e.removed); diff != "" {
				t.Errorf("removed (-want +got):\n%s", diff)
			}
			if left := slices.Collect(maps.Keys(r.written)); !tc.refused && len(left) > 0 {
				t.Errorf("still recorded %q", left)
			}
		})
	}
}

// An item that is there since this pass wrote it down is the object's own: another manager, which still believes that it leads,
// read the record and was faster. What was there before is somebody else's.
func TestWhoMadeAnItemThatIsThere(t *testing.T) {
	for name, tc := range map[string]struct {
		now   int64
		want  []string
		class clouderr.Class
	}{
		"made since":  {now: 2000, want: []string{"kept"}},
		"made before": {now: 2001, class: clouderr.Exists},
	} {
		t.Run(name, func(t *testing.T) {
			e := &engine{lists: []string{"", "kept"}}
			r := handle(t, e)
			r.restored, r.clock = false, at{time.Unix(tc.now, 1000)}
			ahead := 0
			r.Keep(func(context.Context) error { ahead++; return nil })
			o, err := r.look(t.Context(), inventory.Query{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err = r.apply(t.Context(), o); clouderr.ClassOf(err) != tc.class {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(tc.want, keysOf(r.written)); diff != "" || ahead != 1 {
				t.Errorf("written ahead %d times, recorded (-want +got):\n%s", ahead, diff)
			}
		})
	}
}

// at is a clock that stands still.
type at struct{ time.Time }

func (a at) Now() time.Time                             { return a.Time }
func (a at) Sleep(context.Context, time.Duration) error { return nil }
