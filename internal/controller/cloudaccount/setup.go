// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cloudaccount reconciles CloudAccounts and ClusterCloudAccounts: it tries their credentials, once per version,
// and holds back their deletion while something uses them.
package cloudaccount

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/dependency"
	"servicestage.dev/operator/internal/reconciler"
)

// +kubebuilder:rbac:groups=servicestage.dev,resources=cloudaccounts;clustercloudaccounts,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=servicestage.dev,resources=cloudaccounts/status;clustercloudaccounts/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=secrets;configmaps,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Definition is an account kind's controller.
type Definition[A account.Object] struct {
	// Name of the controller.
	Name string
	// New returns an empty account.
	New func() A
	// Kind of the accounts.
	Kind v1alpha1.AccountKind
	// Pool that the sessions are kept in.
	Pool *account.Pool
	// References of the accounts to what they are made of.
	References []dependency.Reference
}

var _ reconciler.Controller = Definition[*v1alpha1.CloudAccount]{}

// Namespaced is the controller of CloudAccounts.
func Namespaced(pool *account.Pool) Definition[*v1alpha1.CloudAccount] {
	prototype := &v1alpha1.CloudAccount{}
	return Definition[*v1alpha1.CloudAccount]{
		Name: "cloudaccount",
		New:  func() *v1alpha1.CloudAccount { return &v1alpha1.CloudAccount{} },
		Kind: v1alpha1.AccountKindNamespaced,
		Pool: pool,
		References: []dependency.Reference{
			dependency.ToMetadata("spec.credentials.secretRef", prototype, secrets, credentialsSecret),
			dependency.ToMetadata("spec.tls.caBundleRef.secretKeyRef", prototype, secrets, bundleSecret),
			dependency.ToMetadata("spec.tls.caBundleRef.configMapKeyRef", prototype, configMaps, bundleConfigMap),
		},
	}
}

// Cluster is the controller of ClusterCloudAccounts.
func Cluster(pool *account.Pool) Definition[*v1alpha1.ClusterCloudAccount] {
	return Definition[*v1alpha1.ClusterCloudAccount]{
		Name: "clustercloudaccount",
		New:  func() *v1alpha1.ClusterCloudAccount { return &v1alpha1.ClusterCloudAccount{} },
		Kind: v1alpha1.AccountKindCluster,
		Pool: pool,
		References: []dependency.Reference{
			dependency.ToMetadata("spec.credentials.secretRef", &v1alpha1.ClusterCloudAccount{}, secrets, func(a *v1alpha1.ClusterCloudAccount) []types.NamespacedName {
				ref := a.Spec.Credentials.SecretRef
				return []types.NamespacedName{{Namespace: ref.Namespace, Name: ref.Name}}
			}),
		},
	}
}

var (
	secrets    = schema.GroupVersionKind{Version: "v1", Kind: "Secret"}
	configMaps = schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}
)

func credentialsSecret(a *v1alpha1.CloudAccount) []types.NamespacedName {
	return []types.NamespacedName{{Namespace: a.Namespace, Name: a.Spec.Credentials.SecretRef.Name}}
}

func bundleSecret(a *v1alpha1.CloudAccount) []types.NamespacedName {
	if a.Spec.TLS == nil || a.Spec.TLS.CABundleRef == nil || a.Spec.TLS.CABundleRef.SecretKeyRef == nil {
		return nil
	}
	return []types.NamespacedName{{Namespace: a.Namespace, Name: a.Spec.TLS.CABundleRef.SecretKeyRef.Name}}
}

func bundleConfigMap(a *v1alpha1.CloudAccount) []types.NamespacedName {
	if a.Spec.TLS == nil || a.Spec.TLS.CABundleRef == nil || a.Spec.TLS.CABundleRef.ConfigMapKeyRef == nil {
		return nil
	}
	return []types.NamespacedName{{Namespace: a.Namespace, Name: a.Spec.TLS.CABundleRef.ConfigMapKeyRef.Name}}
}

// Declare adds the accounts' references to the graph.
func (d Definition[A]) Declare(graph *dependency.Graph) error { return graph.Add(d.References...) }

// SetUp adds the controller to the manager.
func (d Definition[A]) SetUp(mgr ctrl.Manager, rt reconciler.Runtime) error {
	r := &accountReconciler[A]{Definition: d, Runtime: rt, tries: newTries(clock.RealClock{})}
	b := ctrl.NewControllerManagedBy(mgr).
		Named(d.Name).
		For(d.New(), builder.WithPredicates(reconciler.UserActed())).
		// A slow endpoint must not hold up the accounts of others.
		WithOptions(controller.Options{MaxConcurrentReconciles: rt.MaxConcurrentReconciles}).
		WatchesRawSource(source.Channel(d.Pool.Notices(d.Kind), &handler.EnqueueRequestForObject{}))
	if err := rt.Graph.Watch(b, d.New()); err != nil {
		return err
	}
	return b.Complete(r)
}
