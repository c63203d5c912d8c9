// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/conditions"
)

// The files in which Argo CD's repository keeps the tests of its customizations.
type (
	healthTest struct {
		InputPath    string       `json:"inputPath"`
		HealthStatus healthStatus `json:"healthStatus"`
	}
	healthStatus struct {
		Status  string `json:"status"`
		Message string `json:"message,omitempty"`
	}
	actionTests struct {
		DiscoveryTests []discoveryTest `json:"discoveryTests,omitempty"`
		ActionTests    []actionTest    `json:"actionTests,omitempty"`
	}
	discoveryTest struct {
		InputPath string           `json:"inputPath"`
		Result    []resourceAction `json:"result"`
	}
	resourceAction struct {
		Name     string `json:"name"`
		Disabled bool   `json:"disabled"`
	}
	actionTest struct {
		Action             string `json:"action"`
		InputPath          string `json:"inputPath"`
		ExpectedOutputPath string `json:"expectedOutputPath"`
	}
)

// expected is the health that health.lua must find in a state: the same decision a second time, from the conditions'
// meaning (api/v1alpha1/conditions.go) and not from the script.
func expected(obj *unstructured.Unstructured) (healthStatus, error) {
	var o struct {
		Status struct {
			ObservedGeneration int64              `json:"observedGeneration"`
			Conditions         []metav1.Condition `json:"conditions"`
		} `json:"status"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, &o); err != nil {
		return healthStatus{}, err
	}
	list := o.Status.Conditions
	says := func(status, conditionType string) (healthStatus, error) {
		return healthStatus{Status: status, Message: meta.FindStatusCondition(list, conditionType).Message}, nil
	}
	ready := meta.FindStatusCondition(list, v1alpha1.ConditionReady)
	switch {
	case obj.GetDeletionTimestamp() != nil:
		return says("Progressing", v1alpha1.ConditionReady)
	case conditions.IsTrue(list, v1alpha1.ConditionPaused):
		return says("Suspended", v1alpha1.ConditionPaused)
	case ready == nil || o.Status.ObservedGeneration < obj.GetGeneration():
		return healthStatus{Status: "Progressing", Message: "The operator has not looked at this generation yet."}, nil
	case conditions.IsTrue(list, v1alpha1.ConditionStalled):
		return says("Degraded", v1alpha1.ConditionStalled)
	case ready.Status == metav1.ConditionTrue && meta.IsStatusConditionFalse(list, v1alpha1.ConditionSynced):
		return says("Healthy", v1alpha1.ConditionSynced)
	case ready.Status == metav1.ConditionTrue:
		return says("Healthy", v1alpha1.ConditionReady)
	case ready.Reason == v1alpha1.ReasonUnhealthy:
		return says("Degraded", v1alpha1.ConditionReady)
	default:
		return says("Progressing", v1alpha1.ConditionReady)
	}
}
