// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"hash/fnv"
	"time"

	"k8s.io/apimachinery/pkg/types"

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
	request := obj.GetAnnotations()[v1alpha1.ReconcileRequestedAtAnnotation]
	asked := request != "" && request != status.LastHandledReconcileAt
	resumed := conditions.IsTrue(status.Conditions, v1alpha1.ConditionPaused)
	if !settled || asked || resumed || status.ObservedInputs != inputs {
		return 0
	}
	due := status.LastSyncTime.Add(resyncAfter(obj, defaultInterval))
	return max(due.Sub(now), 0)
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

// claimed is what a look for an object's cloud resource came to.
type claimed int

const (
	// nothing fits: it may be created.
	claimNone claimed = iota
	// claimOurs is a resource that carries our claim, or must be ours by its age.
	claimOurs
	// claimAdopt is a resource that nobody claims and that the spec asks to adopt.
	claimAdopt
	// claimForeign is a resource of our name that is someone else's.
	claimForeign
	// claimAmbiguous means that several fit.
	claimAmbiguous
)

// match decides which of the candidates is the object's own. adopt says whether the spec asks to take what is there.
func match(candidates []external.Identity, claim external.Claim, adopt bool) (claimed, external.Identity) {
	var ours, free, foreign []external.Identity
	for _, c := range candidates {
		switch {
		case !claim.IsZero() && c.ClaimKnown && c.Claim == claim.Token:
			ours = append(ours, c)
		case !claim.IsZero() && !c.ClaimKnown && madeSince(c, claim):
			ours = append(ours, c)
		case c.Claim == "":
			free = append(free, c)
		default:
			foreign = append(foreign, c)
		}
	}
	switch {
	case len(ours) > 1:
		return claimAmbiguous, ours[0]
	case len(ours) == 1:
		return claimOurs, ours[0]
	case adopt && len(free) > 1:
		return claimAmbiguous, free[0]
	case adopt && len(free) == 1:
		return claimAdopt, free[0]
	case len(foreign) > 0:
		return claimForeign, foreign[0]
	case len(free) > 0:
		return claimForeign, free[0]
	default:
		return claimNone, external.Identity{}
	}
}

// madeSince says whether a resource that can carry no claim was made after the claim was minted: then it is ours, since
// the natural key is unique and was free when the claim was minted.
func madeSince(c external.Identity, claim external.Claim) bool { return claim.MadeSince(c.CreatedAt) }
