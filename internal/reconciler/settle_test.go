// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
)

func TestKeep(t *testing.T) {
	list := []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "Was", Message: "so"}}
	says := isFalse("Is", "different")
	was := statement{status: metav1.ConditionTrue, reason: "Was", message: "so"}
	for _, tc := range []struct {
		name          string
		conditionType string
		kept          bool
		want          statement
	}{
		{"said", v1alpha1.ConditionReady, false, says},
		{"said for the first time", v1alpha1.ConditionSynced, false, says},
		{"kept", v1alpha1.ConditionReady, true, was},
		{"kept where there is nothing to keep", v1alpha1.ConditionSynced, true, statement{
			status: metav1.ConditionUnknown, reason: v1alpha1.ReasonNotYetObserved, message: "The cloud was not looked at yet.",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := keep(list, tc.conditionType, tc.kept, says)
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(statement{})); diff != "" {
				t.Errorf("keep (-want +got):\n%s", diff)
			}
		})
	}
}

func TestState(t *testing.T) {
	at := metav1.NewTime(now)
	earlier := new(metav1.NewTime(now.Add(-time.Hour)))
	before := func() *v1alpha1.Environment {
		e := settledObject(time.Hour)
		e.Generation = 4
		e.Annotations = map[string]string{v1alpha1.ReconcileRequestedAtAnnotation: "asked"}
		for _, c := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionPaused} {
			meta.SetStatusCondition(&e.Status.Conditions, metav1.Condition{Type: c, Status: metav1.ConditionTrue, Reason: "Old"})
		}
		meta.SetStatusCondition(&e.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReferencesResolved, Status: metav1.ConditionFalse, Reason: "Old"})
		return e
	}
	for _, tc := range []struct {
		name           string
		o              outcome
		want           map[string]string
		observed       int64
		handled        string
		synced         *metav1.Time
		observedInputs string
	}{
		{
			name: "a look that succeeded moves the time and drops what no longer holds",
			o: outcome{
				ready: isTrue("Available", ""), synced: isTrue("UpToDate", ""), references: new(isTrue("Resolved", "")), synchronized: true,
			},
			want:    map[string]string{"Ready": "True/Available", "Synced": "True/UpToDate", "ReferencesResolved": "True/Resolved"},
			handled: "asked", synced: &at, observedInputs: "new inputs",
		},
		{
			name: "a failure leaves the time and what it says nothing of",
			o:    outcome{ready: isFalse("Down", ""), synced: isFalse("Down", ""), reconciling: isTrue("Down", "")},
			want: map[string]string{
				"Ready": "False/Down", "Synced": "False/Down", "Reconciling": "True/Down", "ReferencesResolved": "False/Old",
			},
			handled: "asked", synced: earlier, observedInputs: "inputs",
		},
		{
			name:     "a pause handles no request, and speaks of what was looked at before",
			o:        isPaused(),
			observed: 3,
			want: map[string]string{
				"Ready": "True/R", "Synced": "True/R", "Paused": "True/Annotation", "ReferencesResolved": "False/Old",
			},
			handled: "", synced: earlier, observedInputs: "inputs",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := before()
			state(e, tc.o, "new inputs", at)
			observed := tc.observed
			if observed == 0 {
				observed = e.Generation
			}
			got := map[string]string{}
			for _, c := range e.Status.Conditions {
				got[c.Type] = string(c.Status) + "/" + c.Reason
				if c.ObservedGeneration != observed {
					t.Errorf("%s speaks of generation %d", c.Type, c.ObservedGeneration)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			if e.Status.ObservedGeneration != observed || e.Status.LastHandledReconcileAt != tc.handled {
				t.Errorf("observed generation %d, handled %q", e.Status.ObservedGeneration, e.Status.LastHandledReconcileAt)
			}
			if !e.Status.LastSyncTime.Equal(tc.synced) || e.Status.ObservedInputs != tc.observedInputs {
				t.Errorf("looked at %s with %q", e.Status.LastSyncTime, e.Status.ObservedInputs)
			}
		})
	}
}

func TestWriteStatusWritesOnlyWhatDiffers(t *testing.T) {
	w := newWorld(t, object())
	before := w.object()
	after := before.DeepCopy()
	client := w.loop.(*loop[*v1alpha1.Environment, thing]).Client

	must(t, WriteStatus(t.Context(), client, before, after))
	w.wrote()

	after.Status.ID = "id"
	after.Spec.Description = new("not the status")
	must(t, WriteStatus(t.Context(), client, before, after))
	w.wrote("patch status")
	if e := w.object(); e.Status.ID != "id" || e.Spec.Description != nil {
		t.Errorf("id %q, description %v: want the status written and nothing else", e.Status.ID, e.Spec.Description)
	}

	// What is cleared is cleared on the API server.
	cleared := w.object()
	cleared.Status.ID = ""
	must(t, WriteStatus(t.Context(), client, w.object(), cleared))
	if got := w.object().Status.ID; got != "" {
		t.Errorf("id is still %q", got)
	}
}
