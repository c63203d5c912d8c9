// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

// Inventory names every object that the API server holds, such as "Deployment ops/operator", but for events, which end
// by themselves, and what every namespace has from the start.
func Inventory(ctx context.Context, config *rest.Config) (sets.Set[string], error) {
	config = rest.CopyConfig(config)
	config.WarningHandlerWithContext = rest.NoWarnings{} // deprecated kinds are looked at as well
	asks, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	reads, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	lists, err := asks.ServerPreferredResources()
	if err != nil {
		return nil, err
	}
	names := sets.New[string]()
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, resource := range list.APIResources {
			if resource.Kind == "Event" || !slices.Contains(resource.Verbs, "list") {
				continue
			}
			objects, err := reads.Resource(gv.WithResource(resource.Name)).List(ctx, metav1.ListOptions{})
			if apierrors.IsNotFound(err) {
				continue // its definition went since
			}
			if err != nil {
				return nil, fmt.Errorf("listing %s: %w", resource.Name, err)
			}
			for _, object := range objects.Items {
				if isGiven(resource.Kind, object.Name) {
					continue
				}
				names.Insert(resource.Kind + " " + (types.NamespacedName{Namespace: object.Namespace, Name: object.Name}).String())
			}
		}
	}
	return names, nil
}

// isGiven says whether every namespace has an object of that kind and name.
func isGiven(kind, name string) bool {
	return kind == "ServiceAccount" && name == "default" || kind == "ConfigMap" && name == "kube-root-ca.crt"
}
