// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/dependency"
)

// accountReferences are the references to an account that every kind has.
func accountReferences[O Object](prototype O) []dependency.Reference {
	targets := func(kind v1alpha1.AccountKind) func(O) []types.NamespacedName {
		return func(obj O) []types.NamespacedName {
			ref := obj.CommonSpec().AccountRef
			if ref.Kind != kind {
				return nil
			}
			if kind == v1alpha1.AccountKindCluster {
				return []types.NamespacedName{{Name: ref.Name}}
			}
			return []types.NamespacedName{{Namespace: obj.GetNamespace(), Name: ref.Name}}
		}
	}
	return []dependency.Reference{
		dependency.New("spec.accountRef", prototype, &v1alpha1.CloudAccount{}, targets(v1alpha1.AccountKindNamespaced),
			func(a *v1alpha1.CloudAccount) string { return accountVersion(a, &a.Status) }).Guarding(),
		dependency.New("spec.accountRef", prototype, &v1alpha1.ClusterCloudAccount{}, targets(v1alpha1.AccountKindCluster),
			func(a *v1alpha1.ClusterCloudAccount) string {
				return accountVersion(a, &a.Status) + fmt.Sprint(a.Generation)
			}).Guarding(),
	}
}

// accountVersion changes when an account becomes usable, stops being so, or uses other credentials.
func accountVersion(account client.Object, status *v1alpha1.AccountStatus) string {
	ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	if ready == nil {
		return ""
	}
	return fmt.Sprintf("%s %s %s %t", ready.Status, ready.Message, status.CredentialsVersion, status.ObservedGeneration == account.GetGeneration())
}
