// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/conditions"
	"servicestage.dev/operator/internal/external"
)

// outcome is what a pass came to. It is made by the pure functions below and carried out by settle, in one place.
type outcome struct {
	// class names the outcome in metrics: "Settled", "Fresh", "Waiting", "Progressing", or an error class.
	class string
	// untouched is set where status is left as it is.
	untouched bool
	// finalize is set where the object's finalizer is to be removed.
	finalize bool

	ready, synced statement
	// keepReady leaves Ready as it is: a look that failed says nothing about a resource that was well.
	keepReady bool
	// keepSynced leaves Synced as it is.
	keepSynced bool
	// reconciling, stalled and paused are set while they are True.
	reconciling, stalled, paused statement
	// references is set where it changes; a kind without references has none.
	references *statement
	// synchronized is set where the cloud was looked at with success.
	synchronized bool

	// wait is what the next pass waits for.
	wait wait
	// events tell what happened, in order.
	events []occurrence
	// cause is the error behind the outcome, if any: for the log.
	cause error
}

// statement is a condition's status, reason and message.
type statement struct {
	status  metav1.ConditionStatus
	reason  string
	message string
}

// occurrence becomes an event.
type occurrence struct {
	kind, reason, action, message string
	// onChange is set where the event is left out when Ready says the same already.
	onChange bool
}

// wait says when the next pass is due, if nothing else asks for one before.
type wait struct {
	// after this time; 0 means that only a watch can wake the object.
	after time.Duration
	// backoff is used in place of after where the time grows with each repetition.
	backoff *backoffPolicy
	// retry is set where something is tried again that was to be done, and not merely looked at again.
	retry bool
	// atLeast bounds the backoff from below: what the cloud asked for.
	atLeast time.Duration
}

// Intervals between tries, by class of error.
var (
	transientBackoff = &backoffPolicy{name: "transient", first: time.Second, most: 5 * time.Minute}
	// throttledBackoff does not grow: the cloud, or the limiter in front of it, says when there is room.
	throttledBackoff = &backoffPolicy{name: "throttled", first: time.Second, most: time.Second}

	busyBackoff    = &backoffPolicy{name: "busy", first: 15 * time.Second, most: 2 * time.Minute}
	pollBackoff    = &backoffPolicy{name: "poll", first: 2 * time.Second, most: 15 * time.Second}
	absenceBackoff = &backoffPolicy{name: "absence", first: 3 * time.Second, most: 12 * time.Second}
)

// humanInterval is how often something is tried that a human has to mend, and may mend without touching the object.
const humanInterval = 10 * time.Minute

func isTrue(reason, message string) statement {
	return statement{status: metav1.ConditionTrue, reason: reason, message: message}
}

func isFalse(reason, message string) statement {
	return statement{status: metav1.ConditionFalse, reason: reason, message: message}
}

// isFresh is the outcome of a pass that had nothing to look at.
func isFresh(due time.Duration) outcome {
	return outcome{class: "Fresh", untouched: true, wait: wait{after: due}}
}

// isPaused is the outcome of a pass over a paused object.
func isPaused() outcome {
	return outcome{
		class: "Paused", keepReady: true, keepSynced: true,
		paused: isTrue(v1alpha1.ReasonAnnotation, "Reconciliation is paused by the annotation "+v1alpha1.PausedAnnotation+"; remove it to go on."),
	}
}

// absenceLooks is how often a list must show nothing before a deleted object whose create call may have had an effect is
// let go: one list may lag behind, or be cut short.
const absenceLooks = 3

// isAbsent is the outcome where a deleted object's cloud resource was looked for in vain, and is looked for again.
func isAbsent(noun string) outcome {
	message := fmt.Sprintf("No %s of this object is listed in the cloud; looking again before the object is let go.", noun)
	return outcome{
		class: "Waiting", ready: isFalse(v1alpha1.ReasonDeleting, message), synced: isFalse(v1alpha1.ReasonPending, message),
		reconciling: isTrue(v1alpha1.ReasonDeleting, message), wait: wait{backoff: absenceBackoff},
	}
}

// isFinal is the outcome that lets a deleted object go.
func isFinal() outcome {
	return outcome{class: "Deleted", untouched: true, finalize: true}
}

// settled is the outcome where the cloud holds what the spec says.
func settled(health external.Health, observe bool, resync time.Duration) outcome {
	o := outcome{class: "Settled", synchronized: true, wait: wait{after: resync}}
	o.synced = isTrue(v1alpha1.ReasonUpToDate, "The cloud holds what the spec says.")
	if observe {
		o.synced = isTrue(v1alpha1.ReasonObserved, "The cloud holds what the spec says; managementPolicy is Observe.")
	}
	return o.withHealth(health, pollBackoff)
}

// drifted is the outcome where the cloud differs and the policy is to leave it so.
func drifted(health external.Health, paths []string, resync time.Duration) outcome {
	o := outcome{class: "Drifted", synchronized: true, wait: wait{after: resync}}
	o.synced = isFalse(v1alpha1.ReasonDrifted, fmt.Sprintf("The cloud differs from the spec in %s; managementPolicy is Observe, so nothing is changed.", conditions.Enumerate(paths)))
	return o.withHealth(health, pollBackoff)
}

// withHealth states Ready by a kind's judgement.
func (o outcome) withHealth(health external.Health, poll *backoffPolicy) outcome {
	switch health.State {
	case external.Progressing:
		o.class = "Progressing"
		o.ready = isFalse(v1alpha1.ReasonUpdating, orElse(health.Message, "The cloud is at work."))
		o.reconciling = isTrue(v1alpha1.ReasonUpdating, o.ready.message)
		o.wait = wait{backoff: poll}
	case external.Unhealthy:
		o.class = "Unhealthy"
		o.ready = isFalse(v1alpha1.ReasonUnhealthy, orElse(health.Message, "The cloud resource does not work."))
	case external.Held:
		o.class = "Held"
		o.ready = isFalse(v1alpha1.ReasonUpdating, health.Message)
		o.reconciling = isTrue(v1alpha1.ReasonUpdating, health.Message)
	case external.Healthy:
		o.ready = isTrue(v1alpha1.ReasonAvailable, orElse(health.Message, "The cloud resource is available."))
	}
	return o
}

// progressing is the outcome while the cloud runs an operation.
func progressing(verb v1alpha1.OperationVerb, message string) outcome {
	reason := map[v1alpha1.OperationVerb]string{
		v1alpha1.OperationCreate: v1alpha1.ReasonCreating,
		v1alpha1.OperationUpdate: v1alpha1.ReasonUpdating,
		v1alpha1.OperationDelete: v1alpha1.ReasonDeleting,
	}[verb]
	message = orElse(message, "The cloud is at work.")
	return outcome{
		class: "Progressing", ready: isFalse(reason, message), synced: isFalse(v1alpha1.ReasonPending, message),
		reconciling: isTrue(reason, message), wait: wait{backoff: pollBackoff},
	}
}

// stuck is an outcome in which someone must act, maybe elsewhere than on the object.
func stuck(class, reason, message string, after time.Duration) outcome {
	return outcome{
		class: class, ready: isFalse(reason, message), synced: isFalse(reason, message), stalled: isTrue(reason, message),
		wait:   wait{after: min(after, humanInterval)},
		events: []occurrence{{kind: corev1.EventTypeWarning, reason: reason, action: "Reconcile", message: message, onChange: true}},
	}
}

// missing is the outcome where what is to be observed or adopted does not exist.
func missing(message string, stalled bool, after time.Duration) outcome {
	if stalled {
		return stuck(string(clouderr.NotFound), v1alpha1.ReasonNotFound, message, after)
	}
	return outcome{
		class: string(clouderr.NotFound), ready: isFalse(v1alpha1.ReasonNotFound, message),
		synced: isFalse(v1alpha1.ReasonNotFound, message), wait: wait{after: min(after, humanInterval)},
	}
}

// waiting is the outcome while something that the object refers to is missing. A watch wakes it.
func waiting(w *external.WaitError) outcome {
	reason := v1alpha1.ReasonDependencyNotReady
	if w.Cause == external.WaitForCredentials {
		reason = v1alpha1.ReasonCredentialsNotReady
	}
	o := outcome{class: "Waiting", references: &statement{status: metav1.ConditionFalse, reason: string(w.Reason), message: w.Message}}
	o.ready, o.synced = isFalse(reason, w.Message), isFalse(v1alpha1.ReasonPending, w.Message)
	if w.Stalled {
		o.stalled = isTrue(reason, w.Message)
	}
	return o
}

// blocked is the outcome of a deletion that something in the cluster or the cloud holds back.
func blocked(message string, next wait) outcome {
	return outcome{
		class: string(clouderr.InUse), ready: isFalse(v1alpha1.ReasonDeletionBlocked, message), keepSynced: true,
		reconciling: isTrue(v1alpha1.ReasonDeletionBlocked, message), wait: next,
		events: []occurrence{{kind: corev1.EventTypeWarning, reason: v1alpha1.ReasonDeletionBlocked, action: "Delete", message: message, onChange: true}},
	}
}

// failure says in what an error happened.
type failure struct {
	err error
	// doing is what was tried, for example "create the environment".
	doing string
	verb  v1alpha1.OperationVerb
	// looking is set where the call only looked at a resource that was well.
	looking bool
	resync  time.Duration
}

// failed turns an error into an outcome, by its class alone.
func failed(f failure) outcome {
	var w *external.WaitError
	if errors.As(f.err, &w) {
		return waiting(w)
	}
	class := clouderr.ClassOf(f.err)
	message := fmt.Sprintf("Cannot %s: %s.", f.doing, strings.TrimSuffix(clouderr.UserMessage(f.err), "."))
	switch class {
	case clouderr.Throttled:
		return passing(f, class, v1alpha1.ReasonThrottled, message, wait{backoff: throttledBackoff, atLeast: clouderr.RetryAfter(f.err)})
	case clouderr.Busy:
		reason := map[v1alpha1.OperationVerb]string{v1alpha1.OperationDelete: v1alpha1.ReasonDeleting}[f.verb]
		return passing(f, class, orElse(reason, v1alpha1.ReasonUpdating), message, wait{backoff: busyBackoff, atLeast: clouderr.RetryAfter(f.err)})
	case clouderr.InUse:
		return blocked(message, wait{backoff: busyBackoff})
	case clouderr.Unauthorized:
		return stuck(string(class), v1alpha1.ReasonCredentialsNotReady, message+" Correct the account's Secret.", humanInterval)
	case clouderr.Forbidden:
		return stuck(string(class), v1alpha1.ReasonForbidden, message+" Grant the permission to the account's user.", humanInterval)
	case clouderr.Quota:
		return stuck(string(class), v1alpha1.ReasonQuotaExceeded, message+" Raise the quota or delete what is not needed.", humanInterval)
	case clouderr.Invalid:
		return stuck(string(class), v1alpha1.ReasonRejected, message, f.resync)
	case clouderr.Exists:
		return stuck(string(class), v1alpha1.ReasonAlreadyExists, message, f.resync)
	case clouderr.NotFound, clouderr.Transient:
		return passing(f, class, v1alpha1.ReasonCloudUnavailable, message, wait{backoff: transientBackoff, atLeast: clouderr.RetryAfter(f.err)})
	default:
		return passing(f, class, v1alpha1.ReasonCloudUnavailable, message, wait{backoff: transientBackoff})
	}
}

// passing is an outcome that is tried again by itself.
func passing(f failure, class clouderr.Class, reason, message string, next wait) outcome {
	next.retry = !f.looking
	return outcome{
		class: string(class), keepReady: f.looking, ready: isFalse(reason, message), synced: isFalse(reason, message),
		reconciling: unlessLooking(f.looking, isTrue(reason, message)), wait: next,
	}
}

// unlessLooking drops Reconciling where a look failed: the resource is as well as it was.
func unlessLooking(looking bool, s statement) statement {
	if looking {
		return statement{}
	}
	return s
}

// withCause keeps the error behind an outcome.
func (o outcome) withCause(err error) outcome {
	o.cause = err
	return o
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
