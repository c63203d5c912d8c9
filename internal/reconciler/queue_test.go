// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/external"
)

// Behind ten thousand polls come first what users changed, then what they deleted.
func TestUsersComeBeforePolls(t *testing.T) {
	queue := priorityqueue.New[reconcile.Request]("test")
	defer queue.ShutDown()
	named := func(name string, change func(*v1alpha1.Environment)) *v1alpha1.Environment {
		e := settledObject(0)
		e.Namespace, e.Name, e.Status.ID = "team", name, "id"
		change(e)
		return e
	}
	as := func(*v1alpha1.Environment) {}
	goes := func(e *v1alpha1.Environment) { e.DeletionTimestamp = new(metav1.Now()) }
	fresh := func(e *v1alpha1.Environment) { e.Status.ObservedGeneration, e.Status.ID = -1, "" }
	for i := range 10_000 {
		enqueue{}.Create(t.Context(), event.CreateEvent{Object: named(fmt.Sprintf("settled-%d", i), as), IsInInitialList: true}, queue)
	}
	enqueue{}.Create(t.Context(), event.CreateEvent{Object: named("left-deleted", goes), IsInInitialList: true}, queue)
	enqueue{}.Update(t.Context(), event.UpdateEvent{ObjectNew: named("deleted", goes)}, queue)
	enqueue{}.Create(t.Context(), event.CreateEvent{Object: named("left-new", fresh), IsInInitialList: true}, queue)
	enqueue{}.Create(t.Context(), event.CreateEvent{Object: named("new", fresh)}, queue)
	enqueue{}.Update(t.Context(), event.UpdateEvent{ObjectNew: named("edited", as)}, queue)

	var got []string
	for range 6 {
		request, priority, _ := queue.GetWithPriority()
		name := request.Name
		if priority == handler.LowPriority {
			name = "a poll"
		}
		got = append(got, name)
	}
	want := []string{"left-new", "new", "edited", "left-deleted", "deleted", "a poll"}
	if !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
}

// What is tried again does not wait behind polls; polls, and looks that failed, never keep a priority.
func TestPriorityOfWhatComesNext(t *testing.T) {
	l := &loop[*v1alpha1.Environment, thing]{backoffs: newBackoffs()}
	throttled := &clouderr.Error{Class: clouderr.Throttled, RetryAfter: time.Second}
	for _, tc := range []struct {
		name string
		of   wait
		want int
	}{
		{"a resync", settled(external.Health{State: external.Healthy}, false, time.Hour).wait, polled},
		{"nothing to look at", isFresh(time.Minute).wait, polled},
		{"a job", progressing(v1alpha1.OperationCreate, "").wait, polled},
		{"a creation that was throttled", failed(failure{err: throttled}).wait, retried},
		{"a look that was throttled", failed(failure{err: throttled, looking: true}).wait, polled},
		{"what a human has to mend", failed(failure{err: clouderr.New(clouderr.Forbidden, "no")}).wait, polled},
	} {
		result := l.result(&v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: tc.name}}, tc.of)
		if result.Priority == nil || *result.Priority != tc.want {
			t.Errorf("%s: %+v, want priority %d", tc.name, result, tc.want)
		}
	}
}
