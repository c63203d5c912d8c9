// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudaccount

import (
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/conditions"
	"servicestage.dev/operator/internal/reconciler"
)

const (
	// retryRefused is how often refused credentials are tried again without having changed.
	retryRefused = 10 * time.Minute
	// retryUnavailable is how often an account is tried again that could not be tried.
	retryUnavailable = 15 * time.Second
	// forgetLimits is how often it is looked whether limits are still kept to.
	forgetLimits = 20 * time.Minute
	// maxLimits is how many limits status lists.
	maxLimits = 32
)

// verdict is how an account stands.
type verdict struct {
	// gone is set where there is nothing left to report on.
	gone    bool
	ready   bool
	reason  string
	message string
	// stalled is set where someone must act, reconciling where it is tried again soon.
	stalled, reconciling bool
	project, version     string
	// again is when to look again; 0 means that a watch will wake the account.
	again time.Duration
	// limits of the cloud that are kept to.
	limits []string
}

// next is when to look again. Limits may be forgotten meanwhile.
func (v verdict) next() time.Duration {
	if v.again == 0 && len(v.limits) > 0 {
		return forgetLimits
	}
	return v.again
}

// verified says whether the cloud accepted this version already.
func verified(obj account.Object, version string) bool {
	status := obj.AccountStatus()
	return status.CredentialsVersion == version && status.ObservedGeneration == obj.GetGeneration() &&
		conditions.IsTrue(status.Conditions, v1alpha1.ConditionReady) && !reconciler.LookRequested(obj, status.LastHandledReconcileAt)
}

func accepted(project, version string) verdict {
	return verdict{ready: true, reason: v1alpha1.ReasonAvailable, message: "The cloud accepted the credentials.", project: project, version: version}
}

// configured is the verdict on an account that cannot be used as it is written. Errors of the API server are returned.
func configured(err error) (verdict, error) {
	var config *account.ConfigError
	if !errors.As(err, &config) {
		return verdict{}, err
	}
	if config.Waiting {
		return verdict{reason: v1alpha1.ReasonCredentialsNotReady, message: config.Message}, nil
	}
	return verdict{reason: v1alpha1.ReasonRejected, message: config.Message, stalled: true}, nil
}

// tried is the verdict after credentials were tried in vain.
func tried(obj account.Object, err error, version string) verdict {
	ref := obj.SecretReference()
	message := clouderr.UserMessage(err)
	switch clouderr.ClassOf(err) {
	case clouderr.Unauthorized:
		return verdict{
			reason: v1alpha1.ReasonCredentialsNotReady, stalled: true, version: version, again: retryRefused,
			message: fmt.Sprintf("The cloud refused the credentials: %s. Correct Secret %q in namespace %s; they are tried again as soon as it changes.", strings.TrimSuffix(message, "."), ref.Name, ref.Namespace),
		}
	case clouderr.Forbidden:
		return verdict{
			reason: v1alpha1.ReasonForbidden, stalled: true, version: version, again: retryRefused,
			message: fmt.Sprintf("The credentials are good but may not read the project's environments: %s. Grant the user a ServiceStage role.", strings.TrimSuffix(message, ".")),
		}
	case clouderr.Invalid, clouderr.NotFound:
		return verdict{reason: v1alpha1.ReasonRejected, message: message, stalled: true, version: version, again: retryRefused}
	case clouderr.Throttled:
		return verdict{reason: v1alpha1.ReasonThrottled, message: message, reconciling: true, version: version, again: max(retryUnavailable, clouderr.RetryAfter(err))}
	default:
		return verdict{reason: v1alpha1.ReasonCloudUnavailable, message: "The credentials could not be tried: " + message, reconciling: true, version: version, again: retryUnavailable}
	}
}

// heldBackBy is the verdict on an account that is to be deleted and still used. Trouble with its credentials is told
// first: it is what keeps its users from going.
func (v verdict) heldBackBy(users []string) verdict {
	message := fmt.Sprintf("The account is still used by %s; delete them first.", conditions.Enumerate(users))
	if v.ready {
		v.reason, v.message = v1alpha1.ReasonDeletionBlocked, message
		return v
	}
	v.message = strings.TrimSuffix(v.message, ".") + ". " + message
	return v
}

// report writes a verdict into the status.
func report(obj account.Object, v verdict) {
	status, generation := obj.AccountStatus(), obj.GetGeneration()
	ready := metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v.reason, Message: v.message, ObservedGeneration: generation,
	}
	if v.ready {
		ready.Status = metav1.ConditionTrue
	}
	conditions.Set(&status.Conditions, ready)
	reason := map[bool]string{true: v.reason}
	conditions.SetOrRemove(&status.Conditions, v1alpha1.ConditionStalled, reason[v.stalled], v.message, generation)
	conditions.SetOrRemove(&status.Conditions, v1alpha1.ConditionReconciling, reason[v.reconciling && !v.ready], v.message, generation)
	status.ObservedGeneration = generation
	status.ProjectID = v.project
	status.RateLimits = v.limits[:min(len(v.limits), maxLimits)]
	status.CredentialsVersion = v.version
	status.LastHandledReconcileAt = obj.GetAnnotations()[v1alpha1.ReconcileRequestedAtAnnotation]
}
