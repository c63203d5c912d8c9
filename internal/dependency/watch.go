// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package dependency

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

type runtimeObject = runtime.Object

// Watch adds to the controller of a kind the watches that its references bring: on what its objects refer to, and, for
// what guards, on what refers to its objects.
func (g *Graph) Watch(b *builder.Builder, prototype client.Object) error {
	gvk, err := apiutil.GVKForObject(prototype, g.client.Scheme())
	if err != nil {
		return err
	}
	for _, e := range g.edges {
		if e.from == gvk {
			b.Watches(e.To, handler.EnqueueRequestsFromMapFunc(g.wakeDependants(e)), builder.WithPredicates(versionChanged(e)))
		}
		if e.to == gvk && e.Guards {
			b.Watches(e.From, handler.EnqueueRequestsFromMapFunc(g.wakeDeleted(e)), builder.WithPredicates(letGo(e)))
		}
	}
	return nil
}

// wakeDependants maps a target to the objects that refer to it.
func (g *Graph) wakeDependants(e edge) handler.MapFunc {
	return func(ctx context.Context, target client.Object) []reconcile.Request {
		keys, err := g.dependants(ctx, e, client.ObjectKeyFromObject(target))
		if err != nil {
			log.FromContext(ctx).Error(err, "Cannot list the dependants of a changed object", "kind", e.to.Kind, "name", target.GetName())
			return nil
		}
		requests := make([]reconcile.Request, 0, len(keys))
		for _, key := range keys {
			requests = append(requests, reconcile.Request{NamespacedName: key})
		}
		return requests
	}
}

// wakeDeleted maps an object to those of its targets whose deletion is held back.
func (g *Graph) wakeDeleted(e edge) handler.MapFunc {
	return func(ctx context.Context, from client.Object) []reconcile.Request {
		var requests []reconcile.Request
		for _, key := range e.Targets(from) {
			target, ok := e.To.DeepCopyObject().(client.Object)
			if !ok {
				continue
			}
			if err := g.get(ctx, key, target, client.DisableReadYourWritesConsistency); err != nil {
				if client.IgnoreNotFound(err) != nil {
					log.FromContext(ctx).Error(err, "Cannot read what an object referred to", "kind", e.to.Kind, "name", key)
				}
				continue
			}
			if !target.GetDeletionTimestamp().IsZero() {
				requests = append(requests, reconcile.Request{NamespacedName: key})
			}
		}
		return requests
	}
}

// versionChanged passes the events on targets that matter to those that refer to them.
func versionChanged(e edge) predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(u event.UpdateEvent) bool { return e.Version(u.ObjectOld) != e.Version(u.ObjectNew) },
	}
}

// letGo passes the events after which an object may refer to fewer targets than before. Its handler sees the old object
// of an update, too: EnqueueRequestsFromMapFunc maps both.
func letGo(e edge) predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(u event.UpdateEvent) bool { return lost(e.Targets(u.ObjectOld), e.Targets(u.ObjectNew)) },
	}
}

// lost says whether something of before is not in after.
func lost(before, after []types.NamespacedName) bool {
	for _, b := range before {
		found := false
		for _, a := range after {
			found = found || a == b
		}
		if !found {
			return true
		}
	}
	return false
}
