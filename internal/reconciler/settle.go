// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/conditions"
	"servicestage.dev/operator/internal/external"
)

// FieldOwner is the field manager of the operator's writes.
const FieldOwner = "servicestage-operator"

// settle carries out what a pass came to: the only place that writes status, events and metrics.
func (l *loop[O, R]) settle(ctx context.Context, p *pass[O, R], o outcome) (ctrl.Result, error) {
	if o.cause != nil {
		log.FromContext(ctx).Info("Reconciliation did not finish", "class", o.class, "error", o.cause.Error())
	}
	if clouderr.Is(o.cause, clouderr.Unauthorized) {
		l.Accounts.ReportRefused(ctx, p.obj.GetNamespace(), p.spec().AccountRef)
	}
	if o.finalize {
		if err := l.release(ctx, p.obj); err != nil {
			return ctrl.Result{}, err
		}
		l.backoffs.reset(client.ObjectKeyFromObject(p.obj))
		l.forget(client.ObjectKeyFromObject(p.obj))
	}
	if !o.untouched {
		looked := metav1.NewTime(l.Clock.Now())
		if was := p.status().LastSyncTime; p.early && was != nil {
			looked = *was // it moves once per interval, whatever moves in between
		}
		state(p.obj, o, p.inputs, looked)
		p.stateFingerprint()
		p.stateOwn()
		if err := p.writeStatus(ctx); err != nil {
			return ctrl.Result{}, err
		}
		l.announce(p.before, p.obj, o)
	}
	if op := endedOperation(p.before.CommonStatus().Operation, p.status().Operation, o.finalize); op != nil {
		succeeded := o.ready.reason != v1alpha1.ReasonUnhealthy
		l.Metrics.OperationEnded(l.Name, string(op.Verb), succeeded, l.Clock.Now().Sub(op.StartedAt.Time))
	}
	l.Metrics.Reconciled(l.Name, o.class)
	return l.result(p.obj, o.wait), nil
}

// endedOperation returns the job that ran before a pass and had ended after it, or nil. One that gave way to a deletion
// did not end.
func endedOperation(before, after *v1alpha1.Operation, finalized bool) *v1alpha1.Operation {
	switch {
	case before == nil:
		return nil
	case finalized:
		after = nil
	case after != nil && after.ID == before.ID && after.StartedAt.Equal(&before.StartedAt):
		return nil
	}
	deleting := finalized || after != nil && after.Verb == v1alpha1.OperationDelete
	if deleting && before.Verb != v1alpha1.OperationDelete {
		return nil
	}
	return before
}

// result turns a wait into a result. Polls never keep a high priority: newcomers would starve behind them.
func (l *loop[O, R]) result(obj O, w wait) ctrl.Result {
	key, priority := client.ObjectKeyFromObject(obj), polled
	if w.retry {
		priority = retried
	}
	if w.backoff == nil {
		l.backoffs.reset(key)
		return ctrl.Result{RequeueAfter: w.after, Priority: &priority}
	}
	return ctrl.Result{RequeueAfter: l.backoffs.next(key, w.backoff, w.atLeast), Priority: &priority}
}

// state writes an outcome into the common part of the status.
func state(obj Object, o outcome, inputs string, now metav1.Time) {
	status, generation := obj.CommonStatus(), obj.GetGeneration()
	if o.paused.reason != "" && status.ObservedGeneration >= 0 {
		generation = status.ObservedGeneration // what was changed while paused was not looked at
	}
	set := func(conditionType string, s statement) {
		conditions.Set(&status.Conditions, metav1.Condition{
			Type: conditionType, Status: s.status, Reason: s.reason, Message: s.message, ObservedGeneration: generation,
		})
	}
	set(v1alpha1.ConditionReady, keep(status.Conditions, v1alpha1.ConditionReady, o.keepReady, o.ready))
	set(v1alpha1.ConditionSynced, keep(status.Conditions, v1alpha1.ConditionSynced, o.keepSynced, o.synced))
	if o.references != nil {
		set(v1alpha1.ConditionReferencesResolved, *o.references)
	} else if c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReferencesResolved); c != nil {
		set(v1alpha1.ConditionReferencesResolved, statement{status: c.Status, reason: c.Reason, message: c.Message})
	}
	conditions.SetOrRemove(&status.Conditions, v1alpha1.ConditionReconciling, o.reconciling.reason, o.reconciling.message, generation)
	conditions.SetOrRemove(&status.Conditions, v1alpha1.ConditionStalled, o.stalled.reason, o.stalled.message, generation)
	conditions.SetOrRemove(&status.Conditions, v1alpha1.ConditionPaused, o.paused.reason, o.paused.message, generation)

	status.ObservedGeneration = generation
	if o.paused.reason == "" {
		status.LastHandledReconcileAt = obj.GetAnnotations()[v1alpha1.ReconcileRequestedAtAnnotation]
	}
	if o.synchronized {
		status.LastSyncTime = new(now.Rfc3339Copy())
		status.ObservedInputs = inputs
	}
}

// stateFingerprint writes down what a list is going to show of what was observed. While a job runs it changes by itself.
func (p *pass[O, R]) stateFingerprint() {
	status := p.status()
	switch {
	case status.ID == "":
		status.ObservedFingerprint = ""
	case p.Fingerprint != nil && p.observed != nil && status.Operation == nil:
		status.ObservedFingerprint = p.Fingerprint(p.observed)
	}
}

// stateOwn writes what the kind's resource keeps, and the conditions of the kind's own. Where a pass came to no resource
// they stay as they are.
func (p *pass[O, R]) stateOwn() {
	status := p.status()
	keeper, ok := p.resource.(external.Keeper[O])
	if !ok {
		for _, own := range p.Conditions {
			if c := meta.FindStatusCondition(status.Conditions, own); c != nil {
				kept := *c
				kept.ObservedGeneration = status.ObservedGeneration
				conditions.Set(&status.Conditions, kept)
			}
		}
		return
	}
	told := keeper.Record(p.obj)
	for _, own := range p.Conditions {
		if !slices.ContainsFunc(told, func(c external.Condition) bool { return c.Type == own }) {
			meta.RemoveStatusCondition(&status.Conditions, own)
		}
	}
	for _, c := range told {
		is := metav1.ConditionFalse
		if c.True {
			is = metav1.ConditionTrue
		}
		conditions.Set(&status.Conditions, metav1.Condition{
			Type: c.Type, Status: is, Reason: c.Reason, Message: c.Message, ObservedGeneration: status.ObservedGeneration,
		})
	}
}

// keep returns what a condition says already where it is to be kept, and otherwise what it is to say.
func keep(list []metav1.Condition, conditionType string, kept bool, s statement) statement {
	if !kept {
		return s
	}
	if c := meta.FindStatusCondition(list, conditionType); c != nil {
		return statement{status: c.Status, reason: c.Reason, message: c.Message}
	}
	return statement{status: metav1.ConditionUnknown, reason: v1alpha1.ReasonNotYetObserved, message: "The cloud was not looked at yet."}
}

// WriteStatus applies the status of obj, in one server-side apply, and only if it differs from that of before.
func WriteStatus(ctx context.Context, c client.Client, before, obj client.Object) error {
	return client.IgnoreNotFound(applyStatus(ctx, c, before, obj, ""))
}

// writeStatus writes the status of the object, if it is still there. One that holds a record, which nothing else could tell, is
// only written over the status that this pass read: a pass that knew an old one would undo what was recorded since.
func (p *pass[O, R]) writeStatus(ctx context.Context) error {
	version := ""
	if p.Keeps {
		version = p.obj.GetResourceVersion()
	}
	return client.IgnoreNotFound(applyStatus(ctx, p.Client, p.before, p.obj, version))
}

// applyStatus writes a status over the given version of the object; over any where it is empty.
func applyStatus(ctx context.Context, c client.Client, before, obj client.Object, version string) error {
	was, err := statusOf(before)
	if err != nil {
		return err
	}
	is, err := statusOf(obj)
	if err != nil {
		return err
	}
	if reflect.DeepEqual(was, is) {
		return nil
	}
	gvk, err := apiutil.GVKForObject(obj, c.Scheme())
	if err != nil {
		return err
	}
	apiVersion, kind := gvk.ToAPIVersionAndKind()
	// The uid keeps the status of an object from landing on another of the same name.
	metadata := map[string]any{"name": obj.GetName(), "namespace": obj.GetNamespace(), "uid": string(obj.GetUID())}
	if version != "" {
		metadata["resourceVersion"] = version
	}
	body, err := json.Marshal(map[string]any{"apiVersion": apiVersion, "kind": kind, "status": is, "metadata": metadata})
	if err != nil {
		return fmt.Errorf("encode status: %w", err)
	}
	into, ok := obj.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("a copy of %T is no object", obj)
	}
	err = c.Status().Patch(ctx, into, client.RawPatch(types.ApplyPatchType, body), client.FieldOwner(FieldOwner), client.ForceOwnership)
	if err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	obj.SetResourceVersion(into.GetResourceVersion())
	return nil
}

func statusOf(obj client.Object) (map[string]any, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", obj, err)
	}
	status, _ := content["status"].(map[string]any)
	return status, nil
}

// release removes the finalizer.
func (l *loop[O, R]) release(ctx context.Context, obj O) error {
	released, ok := obj.DeepCopyObject().(O)
	if !ok {
		return fmt.Errorf("a copy of %T is no %T", obj, obj)
	}
	if !controllerutil.RemoveFinalizer(released, v1alpha1.Finalizer) {
		return nil
	}
	err := l.Client.Patch(ctx, released, client.MergeFromWithOptions(obj, client.MergeFromWithOptimisticLock{}))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("remove the finalizer: %w", err)
	}
	return nil
}

// announce records the events of an outcome. What repeats what Ready said before is left out.
func (l *loop[O, R]) announce(before, obj O, o outcome) {
	was := meta.FindStatusCondition(before.CommonStatus().Conditions, v1alpha1.ConditionReady)
	repeated := was != nil && was.Reason == o.ready.reason && was.Message == conditions.Bounded(o.ready.message)
	for _, e := range o.events {
		if !e.onChange || !repeated {
			l.Recorder.Eventf(obj, nil, e.kind, e.reason, e.action, "%s", conditions.Bounded(e.message))
		}
	}
}
