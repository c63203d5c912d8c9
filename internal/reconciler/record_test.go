// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/external"
)

// keepingKind is a kind whose handles keep a record, in status.vpcID, and can be probed.
type keepingKind struct {
	fakeKind
	w *world
	// record is what the handles know, told their conditions; probe answers for them.
	record string
	told   []external.Condition
	probe  func() error
	// ahead is written down by an update before its call.
	ahead string
}

func (k *keepingKind) Bind(ctx context.Context, obj *v1alpha1.Environment, purpose external.Purpose) (external.Resource[thing], error) {
	r, err := k.fakeKind.Bind(ctx, obj, purpose)
	if err != nil {
		return nil, err
	}
	return &keeping{fakeResource: r.(*fakeResource), kind: k}, nil
}

type keeping struct {
	*fakeResource
	kind  *keepingKind
	write func(ctx context.Context) error
}

func (r *keeping) Keep(write func(ctx context.Context) error) { r.write = write }

func (r *keeping) Record(obj *v1alpha1.Environment) []external.Condition {
	obj.Status.VPCID = r.kind.record
	return r.kind.told
}

func (r *keeping) Probe(context.Context) error {
	r.cloud.call("probe")
	if r.kind.probe == nil {
		return nil
	}
	return r.kind.probe()
}

func (r *keeping) Update(ctx context.Context, observed *thing, changes external.Changes, claim external.Claim) (*thing, *external.Operation, error) {
	if r.kind.ahead != "" {
		r.kind.record = r.kind.ahead
		if err := r.write(ctx); err != nil {
			return nil, nil, err
		}
	}
	return r.fakeResource.Update(ctx, observed, changes, claim)
}

// keepingWorld is a world of that kind.
func keepingWorld(t *testing.T) (*world, *keepingKind, *loop[*v1alpha1.Environment, thing]) {
	t.Helper()
	w := newWorld(t, object())
	l, ok := w.loop.(*loop[*v1alpha1.Environment, thing])
	if !ok {
		t.Fatalf("the loop is a %T", w.loop)
	}
	k := &keepingKind{fakeKind: fakeKind{w.cloud}, w: w}
	l.Kind, l.Conditions = k, []string{"ValuesValid"}
	return w, k, l
}

func TestARecordIsWrittenBeforeTheCall(t *testing.T) {
	w, k, _ := keepingWorld(t)
	k.record = "first"
	w.pass()
	if got := w.object().Status.VPCID; got != "first" {
		t.Errorf("recorded %q", got)
	}

	// The process dies in the call: what is written down before it stays.
	k.ahead = "first second"
	w.cloud.update = func(*thing, external.Changes) (*thing, *external.Operation, error) {
		if got := w.object().Status.VPCID; got != "first second" {
			t.Errorf("recorded %q at the time of the call", got)
		}
		return nil, nil, clouderr.New(clouderr.Transient, "down")
	}
	w.edit(func(e *v1alpha1.Environment) { e.Spec.Description = new("changed") })
	w.pass()
	if diff := cmp.Diff([]string{"patch status", "patch status"}, w.writes); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}

	// What cannot be written down is not done.
	w.cloud.took()
	k.ahead = "third"
	w.beforeStatus = func() error { w.beforeStatus = nil; return errors.New("no") }
	w.pass()
	if calls := strings.Join(w.cloud.took(), "; "); strings.Contains(calls, "update") {
		t.Errorf("calls %q", calls)
	}

	// A record that did not change costs no write.
	w.cloud.update = nil
	k.ahead = k.record
	w.pass()
	if diff := cmp.Diff([]string{"patch status"}, w.writes); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
}

// A pass that knows an old status must not undo what was recorded since.
func TestARecordIsNotWrittenOverANewerOne(t *testing.T) {
	w, k, l := keepingWorld(t)
	l.Keeps = true
	k.record = "first"
	w.pass()
	w.edit(func(e *v1alpha1.Environment) { e.Spec.Description = new("changed") })
	w.beforeStatus = func() error {
		w.beforeStatus = nil
		w.annotate("written", "meanwhile")
		return nil
	}
	k.record = "second"
	if _, err := w.try(); !apierrors.IsConflict(err) {
		t.Errorf("error %v, want a conflict", err)
	}
	if got := w.object().Status.VPCID; got != "first" {
		t.Errorf("recorded %q over what it did not read", got)
	}
	w.pass()
	if got := w.object().Status.VPCID; got != "second" {
		t.Errorf("recorded %q", got)
	}
}

// Of a kind that keeps a record, a pass acts by what the object is, and not by what the cache says that it was.
func TestARecordIsReadPastTheCache(t *testing.T) {
	w, k, l := keepingWorld(t)
	l.Keeps = true
	k.record = "first"
	unmade := w.object()
	w.pass()
	w.called("probe", "create dev")
	made := w.object()

	w.cached = unmade
	w.pass()
	w.called() // it is fresh, as it is
	k.record = "second"
	w.edit(func(e *v1alpha1.Environment) { e.Spec.Description = new("changed") })
	w.pass()
	w.called("get id-1", "update id-1 spec.description")
	if got := w.object().Status.VPCID; got != "second" {
		t.Errorf("recorded %q", got)
	}

	w.delete()
	w.cached = made
	w.clock.SetTime(now.Add(2 * time.Hour)) // it is due
	w.pass()
	w.called("delete id-1")
	w.isGone(0)
	w.pass()
	w.called()
}

func TestConditionsOfAKindsOwn(t *testing.T) {
	w, k, _ := keepingWorld(t)
	k.told = []external.Condition{{Type: "ValuesValid", Reason: "InvalidValue", Message: "bad"}}
	w.pass()
	own := func() string {
		for _, c := range w.object().Status.Conditions {
			if c.Type == "ValuesValid" {
				return string(c.Status) + " " + c.Reason + " " + c.Message
			}
		}
		return ""
	}
	if got := own(); got != "False InvalidValue bad" {
		t.Errorf("the condition is %q", got)
	}
	// A pass that comes to no resource leaves it; its generation moves with the status, which pass checks.
	w.cloud.bind = func(external.Purpose) error {
		return &external.WaitError{Cause: external.WaitForReference, Reason: external.NotFound, Message: "missing"}
	}
	w.edit(func(e *v1alpha1.Environment) { e.Spec.Description = new("changed") })
	w.pass()
	if got := own(); got != "False InvalidValue bad" {
		t.Errorf("the condition is %q while the object waits", got)
	}
	w.cloud.bind = nil
	k.told = nil
	w.pass()
	if got := own(); got != "" {
		t.Errorf("the condition stays: %q", got)
	}
}

func TestAConnectionIsTriedBeforeTheClaimIsMinted(t *testing.T) {
	w, k, _ := keepingWorld(t)
	k.probe = func() error { return clouderr.New(clouderr.Transient, "unreachable") }
	w.pass()
	if e := w.object(); len(e.Finalizers) > 0 || len(e.Annotations) > 0 {
		t.Errorf("marked %v %v", e.Finalizers, e.Annotations)
	}
	if calls := w.cloud.took(); !slices.Equal(calls, []string{"probe"}) {
		t.Errorf("calls %q", calls)
	}
	k.probe = nil
	w.pass()
	if calls := w.cloud.took(); !slices.Equal(calls, []string{"probe", "create dev"}) {
		t.Errorf("calls %q", calls)
	}
}

// ledger is an Inventory.
type ledger struct {
	moved     bool
	forgotten []string
	// watched says with what each pass ended.
	watched []string
}

func (l *ledger) Watch(_ context.Context, object Object, looked bool) error {
	l.watched = append(l.watched, fmt.Sprintf("%s %s looked=%t", object.CommonStatus().ID, object.CommonStatus().ObservedFingerprint, looked))
	return nil
}

func (l *ledger) Moved(types.NamespacedName) bool    { return l.moved }
func (l *ledger) Forget(object types.NamespacedName) { l.forgotten = append(l.forgotten, object.Name) }
func (l *ledger) Wake(*builder.Builder)              {}

func TestWhatMovedIsLookedAtEarly(t *testing.T) {
	w, _, l := keepingWorld(t)
	inventory := &ledger{}
	l.Inventory = inventory
	w.pass()
	synced := w.object().Status.LastSyncTime
	w.cloud.took()

	w.clock.SetTime(now.Add(time.Minute))
	w.pass()
	if calls := w.cloud.took(); len(calls) > 0 {
		t.Errorf("calls while nothing moved %q", calls)
	}

	// A look that finds nothing to do writes nothing, lastSyncTime included.
	inventory.moved = true
	w.pass()
	if calls := w.cloud.took(); !slices.Equal(calls, []string{"get id-1"}) || len(w.writes) > 0 {
		t.Errorf("calls %q, writes %q", calls, w.writes)
	}
	w.cloud.things[0].description = "changed"
	w.edit(func(e *v1alpha1.Environment) { e.Spec.Description = nil })
	w.pass()
	if got := w.object().Status.LastSyncTime; !got.Equal(synced) {
		t.Errorf("lastSyncTime moved from %s to %s", synced, got)
	}

	// It does move once the interval is over.
	w.clock.SetTime(now.Add(2 * time.Hour))
	w.pass()
	if got := w.object().Status.LastSyncTime; got.Equal(synced) {
		t.Errorf("lastSyncTime stays %s", got)
	}

	must(t, w.api.Delete(t.Context(), w.object()))
	w.pass()
	if _, err := l.Reconcile(t.Context(), ctrl.Request{NamespacedName: w.key}); err != nil {
		t.Error(err)
	}
	if !slices.Equal(inventory.forgotten, []string{"dev", "dev"}) {
		t.Errorf("forgotten %q: want when it is let go, and when it is gone", inventory.forgotten)
	}
}

func TestAFingerprintIsWrittenDownForTheInventory(t *testing.T) {
	w, _, l := keepingWorld(t)
	inventory := &ledger{}
	l.Inventory = inventory
	l.Fingerprint = func(o *thing) string { return "print of " + o.vpc }
	w.pass()
	w.pass()
	w.cloud.things[0].vpc = "changed"
	inventory.moved = true
	w.pass()
	w.clock.SetTime(now.Add(2 * time.Hour))
	w.cloud.get = func(string) (*thing, error) { return nil, clouderr.New(clouderr.Transient, "no reply") }
	w.pass()
	want := []string{"id-1 print of  looked=true", "id-1 print of  looked=false", "id-1 print of changed looked=true", "id-1 print of changed looked=false"}
	if diff := cmp.Diff(want, inventory.watched); diff != "" {
		t.Errorf("watched (-want +got):\n%s", diff)
	}
}
