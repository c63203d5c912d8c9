// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"servicestage.dev/operator/api/v1alpha1"
)

// Ready returns nil where an object of any of our kinds is Ready as it is now, and otherwise what it says.
func Ready(object *unstructured.Unstructured) error {
	who := object.GetKind() + " " + object.GetName()
	raw, err := json.Marshal(object.Object["status"])
	if err != nil {
		return err
	}
	var status struct {
		ObservedGeneration int64
		Conditions         []metav1.Condition
	}
	if err := json.Unmarshal(raw, &status); err != nil {
		return fmt.Errorf("%s: %w", who, err)
	}
	condition := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	switch {
	case condition == nil || status.ObservedGeneration != object.GetGeneration():
		return fmt.Errorf("%s: its generation %d was not looked at yet", who, object.GetGeneration())
	case condition.Status != metav1.ConditionTrue:
		return fmt.Errorf("%s: Ready is %s/%s: %s", who, condition.Status, condition.Reason, condition.Message)
	}
	return nil
}
