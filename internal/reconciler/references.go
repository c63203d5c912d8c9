// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
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
		dependency.New("metadata.namespace", prototype, namespaces(), selectedNamespace[O],
			func(ns *metav1.PartialObjectMetadata) string { return fmt.Sprint(ns.Labels) }),
	}
}

// namespaces is the prototype of namespaces, of which the labels matter alone.
func namespaces() *metav1.PartialObjectMetadata {
	prototype := &metav1.PartialObjectMetadata{}
	prototype.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"})
	return prototype
}

// selectedNamespace is the namespace of an object whose account may select namespaces by their labels.
func selectedNamespace[O Object](obj O) []types.NamespacedName {
	if obj.CommonSpec().AccountRef.Kind != v1alpha1.AccountKindCluster {
		return nil
	}
	return []types.NamespacedName{{Name: obj.GetNamespace()}}
}

// accountVersion changes when an account becomes usable, stops being so, or uses other credentials.
func accountVersion(account client.Object, status *v1alpha1.AccountStatus) string {
	ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	if ready == nil {
		return ""
	}
	return fmt.Sprintf("%s %s %s %t", ready.Status, ready.Message, status.CredentialsVersion, status.ObservedGeneration == account.GetGeneration())
}
