// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/conditions"
	"servicestage.dev/operator/internal/external"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// settledObject is an object that was looked at with success age ago.
func settledObject(age time.Duration) *v1alpha1.Environment {
	e := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "dev", UID: "uid", Generation: 3}}
	e.Status.ObservedGeneration = 3
	e.Status.ObservedInputs = "inputs"
	e.Status.LastSyncTime = new(metav1.NewTime(now.Add(-age)))
	for _, t := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionSynced} {
		conditions.Set(&e.Status.Conditions, metav1.Condition{Type: t, Status: metav1.ConditionTrue, Reason: "R"})
	}
	return e
}

func TestFreshFor(t *testing.T) {
	interval := time.Hour
	due := spread(interval, "uid")
	setCondition := func(conditionType string, status metav1.ConditionStatus) func(*v1alpha1.Environment) {
		return func(e *v1alpha1.Environment) {
			conditions.Set(&e.Status.Conditions, metav1.Condition{Type: conditionType, Status: status, Reason: "R"})
		}
	}
	request := func(value, handled string) func(*v1alpha1.Environment) {
		return func(e *v1alpha1.Environment) {
			e.Annotations = map[string]string{v1alpha1.ReconcileRequestedAtAnnotation: value}
			e.Status.LastHandledReconcileAt = handled
		}
	}
	for _, tc := range []struct {
		name   string
		age    time.Duration
		inputs string
		change func(*v1alpha1.Environment)
		want   time.Duration
	}{
		{name: "settled a minute ago", age: time.Minute, want: due - time.Minute},
		{name: "settled just now", want: due},
		{name: "a nanosecond before it is due", age: due - 1, want: 1},
		{name: "due", age: due, want: 0},
		{name: "overdue", age: 24 * time.Hour, want: 0},
		{name: "never looked at", change: func(e *v1alpha1.Environment) { e.Status.LastSyncTime = nil }},
		{name: "spec changed", change: func(e *v1alpha1.Environment) { e.Generation++ }},
		{name: "an operation runs", change: func(e *v1alpha1.Environment) { e.Status.Operation = &v1alpha1.Operation{} }},
		{name: "not Ready", change: setCondition(v1alpha1.ConditionReady, metav1.ConditionFalse)},
		{name: "Ready Unknown", change: setCondition(v1alpha1.ConditionReady, metav1.ConditionUnknown)},
		{name: "not Synced", change: setCondition(v1alpha1.ConditionSynced, metav1.ConditionFalse)},
		{name: "was paused", change: setCondition(v1alpha1.ConditionPaused, metav1.ConditionTrue)},
		{name: "other inputs", inputs: "others"},
		{name: "asked for", change: request("now", "")},
		{name: "asked for again", change: request("now", "before")},
		{name: "asked for and handled", change: request("now", "now"), want: due},
		{
			name: "drift under Observe is an answer", want: due,
			change: func(e *v1alpha1.Environment) {
				e.Spec.ManagementPolicy, e.Status.Drift = v1alpha1.ManagementPolicyObserve, []string{"spec.name"}
				setCondition(v1alpha1.ConditionSynced, metav1.ConditionFalse)(e)
			},
		},
		{
			name: "drift under Manage is none",
			change: func(e *v1alpha1.Environment) {
				e.Status.Drift = []string{"spec.name"}
				setCondition(v1alpha1.ConditionSynced, metav1.ConditionFalse)(e)
			},
		},
		{
			name: "a failed look under Observe is none",
			change: func(e *v1alpha1.Environment) {
				e.Spec.ManagementPolicy = v1alpha1.ManagementPolicyObserve
				setCondition(v1alpha1.ConditionSynced, metav1.ConditionFalse)(e)
			},
		},
		{
			name: "its own interval", age: time.Second, want: spread(10*time.Second, "uid") - time.Second,
			change: func(e *v1alpha1.Environment) { e.Spec.ResyncInterval = &metav1.Duration{Duration: 10 * time.Second} },
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := settledObject(tc.age)
			if tc.change != nil {
				tc.change(e)
			}
			inputs := "inputs"
			if tc.inputs != "" {
				inputs = tc.inputs
			}
			if got := freshFor(e, inputs, interval, now); got != tc.want {
				t.Errorf("freshFor = %s, want %s", got, tc.want)
			}
		})
	}
}

func TestSpread(t *testing.T) {
	for _, interval := range []time.Duration{5 * time.Second, 10 * time.Minute, 24 * time.Hour} {
		seen := map[time.Duration]bool{}
		early, late := 0, 0
		for i := range 1000 {
			uid := types.UID(fmt.Sprintf("uid-%d", i))
			got := spread(interval, uid)
			if got < interval-interval/10 || got > interval+interval/10 {
				t.Fatalf("spread(%s, %s) = %s, want within a tenth", interval, uid, got)
			}
			if again := spread(interval, uid); again != got {
				t.Fatalf("spread(%s, %s) = %s, then %s: want the same each time", interval, uid, got, again)
			}
			seen[got] = true
			if got < interval {
				early++
			} else {
				late++
			}
		}
		if len(seen) < 500 || early < 300 || late < 300 {
			t.Errorf("a thousand objects have %d intervals, %d early and %d late: want them spread", len(seen), early, late)
		}
	}
}

func TestPurposeOf(t *testing.T) {
	reconciled := func(change func(*v1alpha1.Environment)) *v1alpha1.Environment {
		e := settledObject(0)
		e.Status.ID = "id-1"
		change(e)
		return e
	}
	ended := func(o outcome) func(*v1alpha1.Environment) {
		return func(e *v1alpha1.Environment) { state(e, o, "inputs", metav1.Time{}) }
	}
	later := clouderr.New(clouderr.Throttled, "later")
	for _, tc := range []struct {
		name   string
		change func(*v1alpha1.Environment)
		want   external.Purpose
	}{
		{"nothing new", func(*v1alpha1.Environment) {}, external.ForPoll},
		{"a job runs", func(e *v1alpha1.Environment) { e.Status.Operation = &v1alpha1.Operation{ID: "job"} }, external.ForPoll},
		{"a new spec", func(e *v1alpha1.Environment) { e.Generation++ }, external.ForSync},
		{"not created yet", func(e *v1alpha1.Environment) { e.Status.ID = "" }, external.ForSync},
		{"put off", ended(failed(failure{err: later})), external.ForSync},
		{"put off while an operation runs", func(e *v1alpha1.Environment) {
			e.Status.Operation = &v1alpha1.Operation{ID: "job"}
			ended(failed(failure{err: later}))(e)
		}, external.ForPoll},
		{"waited for what it refers to", ended(waiting(&external.WaitError{Cause: external.WaitForReference})), external.ForSync},
		{"a look at what was well failed", ended(failed(failure{err: later, looking: true})), external.ForPoll},
		{"refused", ended(failed(failure{err: clouderr.New(clouderr.Quota, "too many")})), external.ForPoll},
		{"a rollout goes on", ended(settled(external.Health{State: external.Progressing}, false, time.Hour)), external.ForPoll},
		{"drift is left, and it is unhealthy", func(e *v1alpha1.Environment) {
			e.Spec.ManagementPolicy, e.Status.Drift = v1alpha1.ManagementPolicyObserve, []string{"spec.name"}
			ended(drifted(external.Health{State: external.Unhealthy}, e.Status.Drift, time.Hour))(e)
		}, external.ForPoll},
		{"asked", func(e *v1alpha1.Environment) {
			e.Annotations = map[string]string{v1alpha1.ReconcileRequestedAtAnnotation: "now"}
		}, external.ForSync},
	} {
		if got := purposeOf(reconciled(tc.change)); got != tc.want {
			t.Errorf("%s: purpose %d, want %d", tc.name, got, tc.want)
		}
	}
}
