// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package dependency

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/external"
)

// Identified is an object that stands for a cloud resource.
type Identified interface {
	client.Object
	CommonStatus() *v1alpha1.ResourceStatus
}

// ID returns the id of the cloud resource that ref names: the id itself, or that of an object of target's kind in the
// namespace, which is read into target. It returns an *external.WaitError that names the field while there is none.
func ID(ctx context.Context, c client.Client, namespace, field string, ref v1alpha1.Reference, target Identified) (string, error) {
	if ref.ID != "" {
		return ref.ID, nil
	}
	gvk, err := apiutil.GVKForObject(target, c.Scheme())
	if err != nil {
		return "", err
	}
	err = c.Get(ctx, types.NamespacedName{Namespace: namespace, Name: ref.Name}, target)
	if apierrors.IsNotFound(err) {
		return "", waitFor(external.NotFound, "%s: there is no %s %q in namespace %s; create it, or correct the name", field, gvk.Kind, ref.Name, namespace)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", field, err)
	}
	if !target.GetDeletionTimestamp().IsZero() {
		return "", waitFor(external.NotReady, "%s: %s %q is being deleted", field, gvk.Kind, ref.Name)
	}
	status := target.CommonStatus()
	if status.ID == "" {
		why := "it was not looked at yet"
		if ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady); ready != nil {
			why = ready.Message
		}
		return "", waitFor(external.NotReady, "%s: %s %q has no id in the cloud yet: %s", field, gvk.Kind, ref.Name, why)
	}
	return status.ID, nil
}

// IDVersion is the version of an object that stands for a cloud resource, as far as those that refer to it by name are
// concerned: its id, and until it has one why it has none, which ID tells them. What is merely told differently, such as how
// far a job is, wakes nobody.
func IDVersion[T Identified](target T) string {
	status := target.CommonStatus()
	if ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady); status.ID == "" && ready != nil {
		return "no id: " + ready.Reason
	}
	return status.ID
}

func waitFor(reason external.WaitReason, format string, args ...any) error {
	return &external.WaitError{Cause: external.WaitForReference, Reason: reason, Message: fmt.Sprintf(format, args...)}
}
