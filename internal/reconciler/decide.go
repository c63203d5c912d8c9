// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"hash/fnv"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/conditions"
	"servicestage.dev/operator/internal/external"
)

// freshFor says how long the status can still be trusted without a look at the cloud; 0 where it cannot be.
func freshFor(obj Object, inputs string, defaultInterval time.Duration, now time.Time) time.Duration {
	status := obj.CommonStatus()
	settled := status.ObservedGeneration == obj.GetGeneration() &&
		status.Operation == nil &&
		status.LastSyncTime != nil &&
		conditions.IsTrue(status.Conditions, v1alpha1.ConditionReady) &&
		syncedOrObserved(obj)
	resumed := conditions.IsTrue(status.Conditions, v1alpha1.ConditionPaused)
	if !settled || LookRequested(obj, status.LastHandledReconcileAt) || resumed || status.ObservedInputs != inputs {
		return 0
	}
	due := status.LastSyncTime.Add(resyncAfter(obj, defaultInterval))
	return max(due.Sub(now), 0)
}

// purposeOf says whether somebody waits for a pass: the spec is new, or was not carried out yet, or a look was asked for.
func purposeOf(obj Object) external.Purpose {
	status := obj.CommonStatus()
	if status.ObservedGeneration != obj.GetGeneration() || status.ID == "" || LookRequested(obj, status.LastHandledReconcileAt) || putOff(obj) {
		return external.ForSync
	}
	return external.ForPoll
}

// LookRequested says whether the annotation of an object asks for a look besides the one that was handled last.
func LookRequested(obj client.Object, handled string) bool {
	request := obj.GetAnnotations()[v1alpha1.ReconcileRequestedAtAnnotation]
	return request != "" && request != handled
}

// putOff says whether the spec could not be carried out yet, and nobody need act for it to be. While the cloud runs an operation,
// nothing is put off: how it goes on is polled.
func putOff(obj Object) bool {
	status := obj.CommonStatus()
	return status.Operation == nil && !syncedOrObserved(obj) &&
		!conditions.IsTrue(status.Conditions, v1alpha1.ConditionReady) && !conditions.IsTrue(status.Conditions, v1alpha1.ConditionStalled)
}

// syncedOrObserved says whether the last comparison ended as the policy wants it to: under Observe, drift is an answer.
func syncedOrObserved(obj Object) bool {
	status := obj.CommonStatus()
	if conditions.IsTrue(status.Conditions, v1alpha1.ConditionSynced) {
		return true
	}
	return obj.CommonSpec().ManagementPolicy == v1alpha1.ManagementPolicyObserve && len(status.Drift) > 0
}

// resyncAfter is the object's resync interval, spread by up to a tenth either way so that objects made together are not
// looked at together. The spread depends on the object alone, so that it survives restarts.
func resyncAfter(obj Object, defaultInterval time.Duration) time.Duration {
	interval := defaultInterval
	if own := obj.CommonSpec().ResyncInterval; own != nil {
		interval = own.Duration
	}
	return spread(interval, obj.GetUID())
}

func spread(interval time.Duration, uid types.UID) time.Duration {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(uid)) // a hash.Hash never returns an error
	fraction := float64(hash.Sum32()%2001)/1000 - 1
	return interval + time.Duration(fraction*float64(interval)/10)
}
