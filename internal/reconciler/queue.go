// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"context"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"servicestage.dev/operator/internal/external"
)

// Priorities in the queue of a kind. What other objects cause has 0.
const (
	// changed is what a user did and waits for.
	changed = 20
	// deleted is what a user deleted.
	deleted = 10
	// retried is what was to be done and could not be.
	retried = 0
	// polled is a look that nobody waits for.
	polled = handler.LowPriority
)

// priorityOf is the priority of an object that is seen for the first time, be it new or left by another process.
func priorityOf(obj Object) int {
	switch {
	case !obj.GetDeletionTimestamp().IsZero():
		return deleted
	case purposeOf(obj) == external.ForSync:
		return changed
	default:
		return polled
	}
}

// enqueue puts objects into the queue when something happens to them, in the order in which users wait.
type enqueue struct{}

var _ handler.EventHandler = enqueue{}

// Create is told of objects that are new, or that there are when the process begins.
func (enqueue) Create(_ context.Context, e event.CreateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	if obj, ok := e.Object.(Object); ok {
		add(queue, obj, priorityOf(obj))
	}
}

// Update is told of what users did: see UserActed.
func (enqueue) Update(_ context.Context, e event.UpdateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	if e.ObjectNew.GetDeletionTimestamp().IsZero() {
		add(queue, e.ObjectNew, changed)
		return
	}
	add(queue, e.ObjectNew, deleted)
}

// Delete is told of objects that are gone: what is kept of them can go.
func (enqueue) Delete(_ context.Context, e event.DeleteEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	add(queue, e.Object, polled)
}

// Generic is never told anything.
func (enqueue) Generic(context.Context, event.GenericEvent, workqueue.TypedRateLimitingInterface[reconcile.Request]) {
}

func add(queue workqueue.TypedRateLimitingInterface[reconcile.Request], obj client.Object, priority int) {
	request := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(obj)}
	if ordered, ok := queue.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		ordered.AddWithOpts(priorityqueue.AddOpts{Priority: &priority}, request)
		return
	}
	queue.Add(request)
}
