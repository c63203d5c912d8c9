// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
)

// Observed is what Check looks at.
type Observed struct {
	// Generation is metadata.generation.
	Generation int64
	// ObservedGeneration is status.observedGeneration.
	ObservedGeneration int64
	Conditions         []metav1.Condition
	// Required condition types; Ready always is.
	Required []string
}

// whileTrue are the conditions that are there only while they are True.
var whileTrue = []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionPaused}

// Check says in which ways a status is not what the tools that read it expect (the kstatus conventions). Tests call it
// after every settle.
func Check(o Observed) error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	for _, t := range append([]string{v1alpha1.ConditionReady}, o.Required...) {
		if meta.FindStatusCondition(o.Conditions, t) == nil {
			fail("%s is missing", t)
		}
	}
	if o.ObservedGeneration > o.Generation {
		fail("status.observedGeneration %d is ahead of metadata.generation %d", o.ObservedGeneration, o.Generation)
	}
	for i := 1; i < len(o.Conditions); i++ {
		if before, after := o.Conditions[i-1].Type, o.Conditions[i].Type; before >= after {
			fail("conditions are not sorted by type, or one is there twice: %s before %s", before, after)
		}
	}
	for _, c := range o.Conditions {
		if c.Reason == "" {
			fail("%s has no reason", c.Type)
		}
		if c.ObservedGeneration != o.ObservedGeneration {
			fail("%s speaks of generation %d, the status of %d", c.Type, c.ObservedGeneration, o.ObservedGeneration)
		}
		if len(c.Message) > MaxMessage {
			fail("%s has a message of %d bytes", c.Type, len(c.Message))
		}
		if slices.Contains(whileTrue, c.Type) && c.Status != metav1.ConditionTrue {
			fail("%s is %s; it should be removed", c.Type, c.Status)
		}
	}
	reconciling, stalled := IsTrue(o.Conditions, v1alpha1.ConditionReconciling), IsTrue(o.Conditions, v1alpha1.ConditionStalled)
	if reconciling && stalled {
		fail("Reconciling and Stalled are True together")
	}
	if IsTrue(o.Conditions, v1alpha1.ConditionReady) && (reconciling || stalled) {
		fail("Ready is True together with Reconciling or Stalled")
	}
	return errors.Join(errs...)
}
