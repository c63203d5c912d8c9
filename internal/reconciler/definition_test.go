// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"servicestage.dev/operator/api/v1alpha1"
)

func TestUserActed(t *testing.T) {
	annotated := func(key, value string) func(*v1alpha1.Environment) {
		return func(e *v1alpha1.Environment) { metav1.SetMetaDataAnnotation(&e.ObjectMeta, key, value) }
	}
	for _, tc := range []struct {
		name   string
		change func(*v1alpha1.Environment)
		want   bool
	}{
		{"nothing", func(*v1alpha1.Environment) {}, false},
		{"the spec", func(e *v1alpha1.Environment) { e.Generation++ }, true},
		{"a deletion", func(e *v1alpha1.Environment) { e.DeletionTimestamp = new(metav1.NewTime(now)) }, true},
		{"pausing", annotated(v1alpha1.PausedAnnotation, "true"), true},
		{"a request", annotated(v1alpha1.ReconcileRequestedAtAnnotation, "now"), true},
		{"what the kind listens to", annotated("example.com/go", "now"), true},
		{"another annotation", annotated("example.com/other", "now"), false},
		{"the claim", annotated(v1alpha1.ClaimAnnotation, "token"), false},
		{"a label", func(e *v1alpha1.Environment) { e.Labels = map[string]string{"a": "b"} }, false},
		{"the finalizer", func(e *v1alpha1.Environment) { e.Finalizers = []string{v1alpha1.Finalizer} }, false},
		{"the status", func(e *v1alpha1.Environment) { e.Status.ID = "id" }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := object()
			after := before.DeepCopy()
			tc.change(after)
			predicate := UserActed("example.com/go")
			if got := predicate.Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after}); got != tc.want {
				t.Errorf("a change of it wakes: %t, want %t", got, tc.want)
			}
		})
	}
	if !UserActed().Create(event.CreateEvent{Object: object()}) {
		t.Error("a new object wakes nobody")
	}
}
