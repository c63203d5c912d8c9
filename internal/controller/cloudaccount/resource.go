// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudaccount

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/reconciler"
)

// accountReconciler reconciles accounts of one kind.
type accountReconciler[A account.Object] struct {
	Definition[A]
	reconciler.Runtime
	tries *tries
}

// Reconcile tries an account's credentials where that was not done for their version, and reports.
func (r *accountReconciler[A]) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	obj := r.New()
	if err := r.Client.Get(ctx, req.NamespacedName, obj); err != nil {
		r.Pool.Forget(req.NamespacedName)
		r.tries.forget(req.NamespacedName)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !r.Serves(obj) { // who does says in status what its users here go by
		r.tries.forget(req.NamespacedName)
		return ctrl.Result{}, nil
	}
	before, ok := obj.DeepCopyObject().(A)
	if !ok {
		return ctrl.Result{}, fmt.Errorf("a copy of %T is no %T", obj, obj)
	}
	v, err := r.look(ctx, obj)
	if err != nil || v.gone {
		return ctrl.Result{}, err
	}
	v.limits = r.Pool.Limits(req.NamespacedName)
	report(obj, v)
	if err := reconciler.WriteStatus(ctx, r.Client, before, obj); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: v.next(), Priority: new(handler.LowPriority)}, nil
}

// look finds out how the account stands. One that is to be deleted and still used goes on working for its users.
func (r *accountReconciler[A]) look(ctx context.Context, obj A) (verdict, error) {
	if obj.GetDeletionTimestamp().IsZero() {
		if err := r.hold(ctx, obj); err != nil {
			return verdict{}, err
		}
		return r.try(ctx, obj)
	}
	users, err := r.Graph.Dependants(ctx, obj)
	if err != nil {
		return verdict{}, err
	}
	if len(users) == 0 {
		return verdict{gone: true}, r.release(ctx, obj)
	}
	v, err := r.try(ctx, obj)
	return v.heldBackBy(users), err
}

// try tries the credentials, unless that was done for their version.
func (r *accountReconciler[A]) try(ctx context.Context, obj A) (verdict, error) {
	session, version, err := r.Pool.Rebuild(ctx, obj)
	if err != nil {
		return configured(err)
	}
	key := client.ObjectKeyFromObject(obj)
	refused := session.Cloud.Refused()
	if refused == nil && verified(obj, version) {
		r.Pool.Accept(obj, version)
		return accepted(obj.AccountStatus().ProjectID, version), nil
	}
	if refused != nil && !r.tries.due(key, version) && !reconciler.LookRequested(obj, obj.AccountStatus().LastHandledReconcileAt) {
		return tried(obj, refused, version), nil
	}
	log.FromContext(ctx).Info("Trying the account's credentials")
	err = session.Cloud.Verify(ctx)
	r.tries.record(key, version)
	if err != nil {
		log.FromContext(ctx).Info("The account's credentials do not work", "class", string(clouderr.ClassOf(err)), "error", err.Error())
		return tried(obj, err, version), nil
	}
	project, err := session.Cloud.ProjectID(ctx)
	if err != nil {
		return tried(obj, err, version), nil
	}
	r.Pool.Accept(obj, version)
	return accepted(project, version), nil
}

// hold adds the finalizer that keeps the account until nothing uses it.
func (r *accountReconciler[A]) hold(ctx context.Context, obj A) error {
	held, ok := obj.DeepCopyObject().(A)
	if !ok {
		return fmt.Errorf("a copy of %T is no %T", obj, obj)
	}
	if !controllerutil.AddFinalizer(held, v1alpha1.AccountFinalizer) {
		return nil
	}
	if err := r.Client.Patch(ctx, held, client.MergeFromWithOptions(obj, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("add the finalizer: %w", err)
	}
	obj.SetFinalizers(held.GetFinalizers())
	obj.SetResourceVersion(held.GetResourceVersion())
	return nil
}

// release lets a deleted account go that nothing uses.
func (r *accountReconciler[A]) release(ctx context.Context, obj A) error {
	r.Pool.Forget(client.ObjectKeyFromObject(obj))
	released, ok := obj.DeepCopyObject().(A)
	if !ok {
		return fmt.Errorf("a copy of %T is no %T", obj, obj)
	}
	if !controllerutil.RemoveFinalizer(released, v1alpha1.AccountFinalizer) {
		return nil
	}
	err := r.Client.Patch(ctx, released, client.MergeFromWithOptions(obj, client.MergeFromWithOptimisticLock{}))
	return client.IgnoreNotFound(err)
}

// tries remembers which version of an account's credentials was tried when. A refused one is not tried again before a
// while: five wrong signatures in a row lock an access key.
type tries struct {
	clock clock.PassiveClock
	mu    sync.Mutex
	last  map[types.NamespacedName]try
}

type try struct {
	version string
	at      time.Time
}

func newTries(c clock.PassiveClock) *tries {
	return &tries{clock: c, last: map[types.NamespacedName]try{}}
}

// due says whether a version may be tried. One that was not tried yet by this process counts as tried now: a refusal
// that brought us here was the try.
func (t *tries) due(key types.NamespacedName, version string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	last, ok := t.last[key]
	if !ok || last.version != version {
		t.last[key] = try{version: version, at: t.clock.Now()}
		return false
	}
	return t.clock.Since(last.at) >= retryRefused
}

func (t *tries) record(key types.NamespacedName, version string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last[key] = try{version: version, at: t.clock.Now()}
}

func (t *tries) forget(key types.NamespacedName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.last, key)
}
