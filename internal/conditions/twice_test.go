// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
)

func TestCheckFindsAConditionThatIsThereTwice(t *testing.T) {
	ready := condition(v1alpha1.ConditionReady, metav1.ConditionTrue)
	if err := Check(Observed{Generation: 2, ObservedGeneration: 2, Conditions: []metav1.Condition{ready, ready}}); err == nil {
		t.Error("Check says nothing")
	}
}
