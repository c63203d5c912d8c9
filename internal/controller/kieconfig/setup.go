// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kieconfig realises KieConfigs as sets of configuration items in an engine (API reference 8.7 and 7.2).
package kieconfig

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
	"servicestage.dev/operator/internal/controller/internal/items"
	"servicestage.dev/operator/internal/dependency"
	"servicestage.dev/operator/internal/inventory"
	"servicestage.dev/operator/internal/reconciler"
)

// +kubebuilder:rbac:groups=servicestage.dev,resources=kieconfigs,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=servicestage.dev,resources=kieconfigs/status,verbs=patch
// +kubebuilder:rbac:groups=servicestage.dev,resources=microserviceengines,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets;configmaps,verbs=get;list;watch

// Options are what the kind works with.
type Options struct {
	Accounts *account.Resolver
	// Client reads objects from the cache, Live reads Secrets and ConfigMaps from the API server.
	Client client.Client
	Live   client.Reader
	// Policy says which addresses in a spec may be called.
	Policy *endpoint.Policy
	// Metrics count the calls to engines.
	Metrics   *cloudclient.Metrics
	UserAgent string
	// ListInterval is how often an engine that cannot be long-polled is looked at, for objects that name no resync interval.
	ListInterval time.Duration
	// Clock of the calls to engines; the system's where nil.
	Clock cloudclient.Clock
	// ParallelWrites is how many items of an engine are written at once; as many as are good for an engine where 0.
	ParallelWrites int
}

// Definition of the kind, whose objects share the inventory.
func Definition(o Options, shared *Inventory) reconciler.Definition[*v1alpha1.KieConfig, observed] {
	prototype := &v1alpha1.KieConfig{}
	secret, configMap := schema.GroupVersionKind{Version: "v1", Kind: "Secret"}, schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}
	return reconciler.Definition[*v1alpha1.KieConfig, observed]{
		Name:       "kieconfig",
		New:        func() *v1alpha1.KieConfig { return &v1alpha1.KieConfig{} },
		Kind:       kind{Options: o, shared: shared},
		Keeps:      true,
		Conditions: []string{v1alpha1.ConditionValuesValid},
		Inventory:  shared,
		References: []dependency.Reference{
			dependency.New("spec.engineRef", prototype, &v1alpha1.MicroserviceEngine{}, engines, engineVersion).AsInput().Guarding(),
			dependency.ToMetadata("spec.authSecretRef", prototype, secret, authSecret),
			dependency.ToMetadata("spec.tls.caBundleRef.secretKeyRef", prototype, secret, bundle(secretOf)),
			dependency.ToMetadata("spec.tls.caBundleRef.configMapKeyRef", prototype, configMap, bundle(configMapOf)),
			dependency.ToMetadata("spec.items.valueFrom.secretKeyRef", prototype, secret, sources(secretOf)),
			dependency.ToMetadata("spec.items.valueFrom.configMapKeyRef", prototype, configMap, sources(configMapOf)),
		},
	}
}

func secretOf(s *v1alpha1.ValueSource) *v1alpha1.KeySelector    { return s.SecretKeyRef }
func configMapOf(s *v1alpha1.ValueSource) *v1alpha1.KeySelector { return s.ConfigMapKeyRef }

func engines(k *v1alpha1.KieConfig) []types.NamespacedName {
	if k.Spec.EngineRef == nil {
		return nil
	}
	return []types.NamespacedName{{Namespace: k.Namespace, Name: k.Spec.EngineRef.Name}}
}

func authSecret(k *v1alpha1.KieConfig) []types.NamespacedName {
	if k.Spec.AuthSecretRef == nil {
		return nil
	}
	return []types.NamespacedName{{Namespace: k.Namespace, Name: k.Spec.AuthSecretRef.Name}}
}

// bundle lists the object of one sort that trusted certificates come from.
func bundle(of func(*v1alpha1.ValueSource) *v1alpha1.KeySelector) func(*v1alpha1.KieConfig) []types.NamespacedName {
	return func(k *v1alpha1.KieConfig) []types.NamespacedName {
		if k.Spec.TLS == nil || k.Spec.TLS.CABundleRef == nil || of(k.Spec.TLS.CABundleRef) == nil {
			return nil
		}
		return []types.NamespacedName{{Namespace: k.Namespace, Name: of(k.Spec.TLS.CABundleRef).Name}}
	}
}

// sources lists the objects of one sort that values come from, each once.
func sources(of func(*v1alpha1.ValueSource) *v1alpha1.KeySelector) func(*v1alpha1.KieConfig) []types.NamespacedName {
	return func(k *v1alpha1.KieConfig) []types.NamespacedName {
		var keys []types.NamespacedName
		seen := map[string]bool{}
		for _, item := range k.Spec.Items {
			if item.ValueFrom == nil {
				continue
			}
			if selector := of(item.ValueFrom); selector != nil && !seen[selector.Name] {
				seen[selector.Name] = true
				keys = append(keys, types.NamespacedName{Namespace: k.Namespace, Name: selector.Name})
			}
		}
		return keys
	}
}

// engineVersion changes with everything of an engine that a connection is made of. Its inputs stand for the Secret that
// holds its password.
func engineVersion(e *v1alpha1.MicroserviceEngine) string {
	version := fmt.Sprintf("%s %s %s %s %t", e.Status.ID, e.Status.EngineStatus, e.Status.AuthType, e.Status.ObservedInputs, e.DeletionTimestamp.IsZero())
	if at := e.Status.Endpoints; at != nil {
		version += fmt.Sprint(*at)
	}
	return version
}

// Inventory is the items that were seen in engines, and who is about which.
type Inventory struct {
	*inventory.Inventory[items.Fingerprint, items.Store]
	client client.Client
}

var _ reconciler.Inventory = (*Inventory)(nil)

// NewInventory returns an inventory that looks objects up through c.
func NewInventory(c client.Client, o inventory.Options) *Inventory {
	return &Inventory{
		Inventory: inventory.New[items.Fingerprint, items.Store](o), client: c,
	}
}

// Watch has nothing to do: objects subscribe when they are bound, and watch what they read.
func (i *Inventory) Watch(context.Context, reconciler.Object, bool) error { return nil }

// SetUp adds the pollers to the manager, and the index by which objects that list the same item find each other.
func (i *Inventory) SetUp(ctx context.Context, mgr ctrl.Manager) error {
	if err := mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.KieConfig{}, PeersIndex, Peers); err != nil {
		return fmt.Errorf("index %s of KieConfig: %w", PeersIndex, err)
	}
	return mgr.Add(i.Inventory)
}

// PeersIndex is the name of the index of KieConfigs by what they list.
const PeersIndex = "spec.items"

// Peers lists the places of the items that an object lists, each with its engine.
func Peers(obj client.Object) []string {
	k, ok := obj.(*v1alpha1.KieConfig)
	if !ok {
		return nil
	}
	places := make([]string, 0, len(k.Spec.Items))
	for _, item := range k.Spec.Items {
		places = append(places, place(k, items.Identity(item.Key, merged(k.Spec.Labels, item.Labels))))
	}
	return places
}

// place names an item of an engine.
func place(k *v1alpha1.KieConfig, identity string) string {
	if k.Spec.EngineRef != nil {
		return "engine " + k.Spec.EngineRef.Name + " " + identity
	}
	if k.Spec.Endpoint != nil {
		return "kie " + k.Spec.Endpoint.Kie + " " + identity
	}
	return identity
}

// listing returns the other objects that list one of the places.
func (i *Inventory) listing(ctx context.Context, k *v1alpha1.KieConfig, at string) ([]v1alpha1.KieConfig, error) {
	list := &v1alpha1.KieConfigList{}
	err := i.client.List(ctx, list, client.InNamespace(k.Namespace), client.MatchingFields{PeersIndex: at},
		client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency)
	if err != nil {
		return nil, fmt.Errorf("list the KieConfigs of an item: %w", err)
	}
	var others []v1alpha1.KieConfig
	for _, other := range list.Items {
		if other.Name != k.Name {
			others = append(others, other)
		}
	}
	return others, nil
}

// keepers returns, by identity, the names of the objects that keep items that k lists too: the older ones.
func (i *Inventory) keepers(ctx context.Context, k *v1alpha1.KieConfig, identities []string) (map[string]string, error) {
	kept := map[string]string{}
	for _, identity := range identities {
		others, err := i.listing(ctx, k, place(k, identity))
		if err != nil {
			return nil, err
		}
		for _, other := range others {
			if older(&other, k) && other.Spec.ManagementPolicy != v1alpha1.ManagementPolicyObserve {
				kept[identity] = other.Name
			}
		}
	}
	return kept, nil
}

// older says which of two objects keeps an item that both list. Pure.
func older(a, b *v1alpha1.KieConfig) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}

// Wake wakes objects when their items move, and when another object begins or ceases to list one of their items.
func (i *Inventory) Wake(b *builder.Builder) {
	b.WatchesRawSource(i.Source())
	b.Watches(&v1alpha1.KieConfig{}, handler.EnqueueRequestsFromMapFunc(i.wakePeers), builder.WithPredicates(predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool { return e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() },
	}))
}

func (i *Inventory) wakePeers(ctx context.Context, obj client.Object) []reconcile.Request {
	k, ok := obj.(*v1alpha1.KieConfig)
	if !ok {
		return nil
	}
	seen := map[types.NamespacedName]bool{}
	var requests []reconcile.Request
	for _, at := range Peers(k) {
		others, err := i.listing(ctx, k, at)
		if err != nil {
			log.FromContext(ctx).Error(err, "Cannot list the KieConfigs that list the same item", "name", k.Name)
			return requests
		}
		for _, other := range others {
			key := client.ObjectKeyFromObject(&other)
			if !seen[key] {
				seen[key] = true
				i.Touch(key)
				requests = append(requests, reconcile.Request{NamespacedName: key})
			}
		}
	}
	return requests
}
