// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package engine resolves references of other kinds to MicroserviceEngines.
package engine

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/cse"
	"servicestage.dev/operator/internal/dependency"
	"servicestage.dev/operator/internal/external"
)

// ID returns the id of the engine that the MicroserviceEngine of the name stands for. It returns an *external.WaitError
// that names the field until the engine has come into being: before, nothing can be bound to it.
func ID(ctx context.Context, c client.Client, namespace, field, name string) (string, error) {
	target := &v1alpha1.MicroserviceEngine{}
	id, err := dependency.ID(ctx, c, namespace, field, v1alpha1.Reference{Name: name}, target)
	if err != nil || usable(target) {
		return id, err
	}
	why := "it was not looked at yet"
	if ready := meta.FindStatusCondition(target.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		why = ready.Message
	}
	return "", &external.WaitError{
		Cause: external.WaitForReference, Reason: external.NotReady,
		Message: fmt.Sprintf("%s: MicroserviceEngine %q was never available yet: %s", field, name, why),
	}
}

// Version changes when an engine gets another id, and when it comes into being.
func Version(e *v1alpha1.MicroserviceEngine) string {
	if !usable(e) {
		return ""
	}
	return e.Status.ID
}

// usable says whether the engine has been available once. It stays so while it is changed, frozen or down: what refers to
// it keeps what it is bound to.
func usable(e *v1alpha1.MicroserviceEngine) bool {
	switch e.Status.EngineStatus {
	case "", cse.StatusCreating, cse.StatusCreateFailed, cse.StatusDeleted:
		return false
	}
	return e.Status.ID != ""
}
