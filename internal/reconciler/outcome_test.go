// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/external"
)

// summary is what matters of an outcome, in a form that reads well in a table.
type summary struct {
	Class       string
	Ready       string
	Synced      string
	Reconciling string
	Stalled     string
	// Wait is "watch", a duration, or the name of a backoff with what it must not fall below.
	Wait  string
	Event string
}

func summarize(o outcome) summary {
	say := func(s statement, kept bool) string {
		switch {
		case kept:
			return "kept"
		case s.reason == "":
			return ""
		}
		return string(s.status) + "/" + s.reason
	}
	s := summary{
		Class: o.class, Ready: say(o.ready, o.keepReady), Synced: say(o.synced, o.keepSynced),
		Reconciling: say(o.reconciling, false), Stalled: say(o.stalled, false), Wait: "watch",
	}
	switch {
	case o.wait.backoff != nil && o.wait.atLeast > 0:
		s.Wait = fmt.Sprintf("%s >= %s", o.wait.backoff.name, o.wait.atLeast)
	case o.wait.backoff != nil:
		s.Wait = o.wait.backoff.name
	case o.wait.after > 0:
		s.Wait = o.wait.after.String()
	}
	for _, e := range o.events {
		s.Event = e.kind + " " + e.reason
	}
	return s
}

func cloudError(class clouderr.Class, after time.Duration) error {
	return &clouderr.Error{Class: class, Code: "SVCSTG.1", Message: "no luck", RetryAfter: after, RequestID: "0123456789"}
}

func TestFailedByClass(t *testing.T) {
	const resync = time.Hour
	for _, tc := range []struct {
		name string
		f    failure
		want summary
	}{
		{
			"Throttled waits at least as long as the cloud says", failure{err: cloudError(clouderr.Throttled, 42*time.Second)},
			summary{"Throttled", "False/Throttled", "False/Throttled", "True/Throttled", "", "throttled >= 42s", ""},
		},
		{
			"Throttled without a hint", failure{err: cloudError(clouderr.Throttled, 0)},
			summary{"Throttled", "False/Throttled", "False/Throttled", "True/Throttled", "", "throttled", ""},
		},
		{
			"Transient", failure{err: cloudError(clouderr.Transient, 0)},
			summary{"Transient", "False/CloudUnavailable", "False/CloudUnavailable", "True/CloudUnavailable", "", "transient", ""},
		},
		{
			"an error of no class is transient", failure{err: errors.New("no luck")},
			summary{"Transient", "False/CloudUnavailable", "False/CloudUnavailable", "True/CloudUnavailable", "", "transient", ""},
		},
		{
			"a class that nobody knows", failure{err: cloudError("Weather", 0)},
			summary{"Weather", "False/CloudUnavailable", "False/CloudUnavailable", "True/CloudUnavailable", "", "transient", ""},
		},
		{
			"NotFound that was not expected", failure{err: cloudError(clouderr.NotFound, 0)},
			summary{"NotFound", "False/CloudUnavailable", "False/CloudUnavailable", "True/CloudUnavailable", "", "transient", ""},
		},
		{
			"Busy while updating", failure{err: cloudError(clouderr.Busy, 0), verb: v1alpha1.OperationUpdate},
			summary{"Busy", "False/Updating", "False/Updating", "True/Updating", "", "busy", ""},
		},
		{
			"Busy while deleting", failure{err: cloudError(clouderr.Busy, 20*time.Second), verb: v1alpha1.OperationDelete},
			summary{"Busy", "False/Deleting", "False/Deleting", "True/Deleting", "", "busy >= 20s", ""},
		},
		{
			"InUse", failure{err: cloudError(clouderr.InUse, 0), verb: v1alpha1.OperationDelete},
			summary{"InUse", "False/DeletionBlocked", "kept", "True/DeletionBlocked", "", "busy", "Warning DeletionBlocked"},
		},
		{
			"Unauthorized", failure{err: cloudError(clouderr.Unauthorized, 0)},
			summary{"Unauthorized", "False/CredentialsNotReady", "False/CredentialsNotReady", "", "True/CredentialsNotReady", "10m0s", "Warning CredentialsNotReady"},
		},
		{
			"Forbidden", failure{err: cloudError(clouderr.Forbidden, 0)},
			summary{"Forbidden", "False/Forbidden", "False/Forbidden", "", "True/Forbidden", "10m0s", "Warning Forbidden"},
		},
		{
			"Quota", failure{err: cloudError(clouderr.Quota, 0)},
			summary{"Quota", "False/QuotaExceeded", "False/QuotaExceeded", "", "True/QuotaExceeded", "10m0s", "Warning QuotaExceeded"},
		},
		{
			"Invalid", failure{err: cloudError(clouderr.Invalid, 0)},
			summary{"Invalid", "False/Rejected", "False/Rejected", "", "True/Rejected", "10m0s", "Warning Rejected"},
		},
		{
			"Exists", failure{err: cloudError(clouderr.Exists, 0)},
			summary{"Exists", "False/AlreadyExists", "False/AlreadyExists", "", "True/AlreadyExists", "10m0s", "Warning AlreadyExists"},
		},
		{
			"Transient while looking at what was well", failure{err: cloudError(clouderr.Transient, 0), looking: true},
			summary{"Transient", "kept", "False/CloudUnavailable", "", "", "transient", ""},
		},
		{
			"Throttled while looking at what was well", failure{err: cloudError(clouderr.Throttled, time.Minute), looking: true},
			summary{"Throttled", "kept", "False/Throttled", "", "", "throttled >= 1m0s", ""},
		},
		{
			"Forbidden while looking at what was well", failure{err: cloudError(clouderr.Forbidden, 0), looking: true},
			summary{"Forbidden", "False/Forbidden", "False/Forbidden", "", "True/Forbidden", "10m0s", "Warning Forbidden"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.f.doing, tc.f.resync = "create the thing", resync
			o := failed(tc.f)
			if diff := cmp.Diff(tc.want, summarize(o)); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
			message := o.ready.message
			if !strings.HasPrefix(message, "Cannot create the thing: ") || !strings.Contains(message, "no luck.") {
				t.Errorf("message %q does not say what was tried and what came of it", message)
			}
			if strings.Contains(message, "0123456789") {
				t.Errorf("message %q holds the request id", message)
			}
			if o.synchronized || o.finalize || o.untouched {
				t.Errorf("a failure counts as a look: %+v", o)
			}
		})
	}
}

func TestFailedSaysTheWayOut(t *testing.T) {
	for class, want := range map[clouderr.Class]string{
		clouderr.Unauthorized: "Correct the account's Secret.",
		clouderr.Forbidden:    "Grant the permission",
		clouderr.Quota:        "Raise the quota",
	} {
		if message := failed(failure{err: cloudError(class, 0)}).ready.message; !strings.Contains(message, want) {
			t.Errorf("%s: message %q lacks %q", class, message, want)
		}
	}
}

func TestFailedByWaitError(t *testing.T) {
	for _, tc := range []struct {
		name       string
		err        external.WaitError
		want       summary
		references string
	}{
		{
			"a reference to nothing", external.WaitError{Cause: external.WaitForReference, Reason: external.NotFound},
			summary{"Waiting", "False/DependencyNotReady", "False/Pending", "", "", "watch", ""}, "False/NotFound",
		},
		{
			"a reference that is not ready", external.WaitError{Cause: external.WaitForReference, Reason: external.NotReady},
			summary{"Waiting", "False/DependencyNotReady", "False/Pending", "", "", "watch", ""}, "False/NotReady",
		},
		{
			"a reference that someone must mend", external.WaitError{Cause: external.WaitForReference, Reason: external.NotFound, Stalled: true},
			summary{"Waiting", "False/DependencyNotReady", "False/Pending", "", "True/DependencyNotReady", "watch", ""}, "False/NotFound",
		},
		{
			"an account that may not be used", external.WaitError{Cause: external.WaitForCredentials, Reason: external.NotAllowed, Stalled: true},
			summary{"Waiting", "False/CredentialsNotReady", "False/Pending", "", "True/CredentialsNotReady", "watch", ""}, "False/NotAllowed",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.err.Message = "spec.thing: there is none"
			o := failed(failure{err: fmt.Errorf("wrapped: %w", &tc.err), doing: "bind"})
			if diff := cmp.Diff(tc.want, summarize(o)); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
			if o.references == nil || string(o.references.status)+"/"+o.references.reason != tc.references {
				t.Errorf("references are %+v, want %s", o.references, tc.references)
			}
			if o.ready.message != "spec.thing: there is none" || o.references.message != o.ready.message {
				t.Errorf("Ready says %q and ReferencesResolved %q, want what the error says", o.ready.message, o.references.message)
			}
		})
	}
}

func TestSettledAndDriftedByHealth(t *testing.T) {
	const resync = time.Hour
	healthy := external.Health{State: external.Healthy}
	progressing := external.Health{State: external.Progressing, Message: "half way"}
	unhealthy := external.Health{State: external.Unhealthy, Message: "on fire"}
	for _, tc := range []struct {
		name    string
		o       outcome
		want    summary
		message string
	}{
		{"healthy", settled(healthy, false, resync), summary{"Settled", "True/Available", "True/UpToDate", "", "", "1h0m0s", ""}, "The cloud resource is available."},
		{"healthy, observed", settled(healthy, true, resync), summary{"Settled", "True/Available", "True/Observed", "", "", "1h0m0s", ""}, "The cloud resource is available."},
		{"progressing", settled(progressing, false, resync), summary{"Progressing", "False/Updating", "True/UpToDate", "True/Updating", "", "poll", ""}, "half way"},
		{"unhealthy", settled(unhealthy, false, resync), summary{"Unhealthy", "False/Unhealthy", "True/UpToDate", "", "", "1h0m0s", ""}, "on fire"},
		{"held", settled(external.Health{State: external.Held, Message: "say go"}, false, resync), summary{"Held", "False/Updating", "True/UpToDate", "True/Updating", "", "1h0m0s", ""}, "say go"},
		{"drifted", drifted(healthy, []string{"spec.a", "spec.b"}, resync), summary{"Drifted", "True/Available", "False/Drifted", "", "", "1h0m0s", ""}, "The cloud resource is available."},
		{"drifted and progressing", drifted(progressing, []string{"spec.a"}, resync), summary{"Progressing", "False/Updating", "False/Drifted", "True/Updating", "", "poll", ""}, "half way"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, summarize(tc.o)); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
			if tc.o.ready.message != tc.message || !tc.o.synchronized {
				t.Errorf("Ready says %q (synchronized %t), want %q", tc.o.ready.message, tc.o.synchronized, tc.message)
			}
		})
	}
	if message := drifted(healthy, []string{"spec.a", "spec.b"}, resync).synced.message; !strings.Contains(message, "spec.a, spec.b") {
		t.Errorf("Synced says %q, want the paths", message)
	}
}

func TestOtherOutcomes(t *testing.T) {
	for _, tc := range []struct {
		name string
		o    outcome
		want summary
	}{
		{"fresh", isFresh(7 * time.Minute), summary{Class: "Fresh", Wait: "7m0s"}},
		{"paused", isPaused(), summary{Class: "Paused", Ready: "kept", Synced: "kept", Wait: "watch"}},
		{"final", isFinal(), summary{Class: "Deleted", Wait: "watch"}},
		{"creating", progressing(v1alpha1.OperationCreate, ""), summary{"Progressing", "False/Creating", "False/Pending", "True/Creating", "", "poll", ""}},
		{"updating", progressing(v1alpha1.OperationUpdate, "x"), summary{"Progressing", "False/Updating", "False/Pending", "True/Updating", "", "poll", ""}},
		{"deleting", progressing(v1alpha1.OperationDelete, ""), summary{"Progressing", "False/Deleting", "False/Pending", "True/Deleting", "", "poll", ""}},
		{"missing, wait", missing("gone", false, time.Hour), summary{"NotFound", "False/NotFound", "False/NotFound", "", "", "10m0s", ""}},
		{"missing, act", missing("gone", true, time.Hour), summary{"NotFound", "False/NotFound", "False/NotFound", "", "True/NotFound", "10m0s", "Warning NotFound"}},
		{"blocked by objects", blocked("used", wait{}), summary{"InUse", "False/DeletionBlocked", "kept", "True/DeletionBlocked", "", "watch", "Warning DeletionBlocked"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, summarize(tc.o)); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
	if o := isPaused(); o.paused.status != metav1.ConditionTrue || !strings.Contains(o.paused.message, v1alpha1.PausedAnnotation) {
		t.Errorf("Paused says %+v, want the annotation", o.paused)
	}
	if !isFinal().finalize || !isFinal().untouched || !isFresh(1).untouched {
		t.Error("final must finalize, and final and fresh must leave the status alone")
	}
}
