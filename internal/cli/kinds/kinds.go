// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kinds is the one table of the kinds that the commands know, and what each command needs of a kind.
package kinds

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/cli/estate"
	"servicestage.dev/operator/internal/controller/application"
	"servicestage.dev/operator/internal/controller/component"
	"servicestage.dev/operator/internal/controller/environment"
	"servicestage.dev/operator/internal/plan"
	"servicestage.dev/operator/internal/reconciler"
)

// Kind is what the commands need of a kind.
type Kind struct {
	// Name of the kind and of its resource, for example Environment and environments.
	Name, Resource string
	// New and NewList return an empty object, and an empty list of them.
	New     func() reconciler.Object
	NewList func() client.ObjectList
	// Plan makes the function that plans objects. Everything is read through c.
	Plan func(accounts *account.Resolver, c client.Client) plan.Func
	// Import reads the account's resources of the kind.
	Import estate.Importer
	// Parent is the object that a tree shows an object under: kind and name, or nothing.
	Parent func(obj reconciler.Object) (kind, name string)
	// Facts are what a person wants to know first of an object's status.
	Facts func(obj reconciler.Object) []string
}

// All kinds, those that others refer to first.
func All() []Kind {
	return []Kind{
		{
			Name: "Environment", Resource: "environments", Import: estate.Environments,
			New:     func() reconciler.Object { return &v1alpha1.Environment{} },
			NewList: func() client.ObjectList { return &v1alpha1.EnvironmentList{} },
			Plan: func(accounts *account.Resolver, c client.Client) plan.Func {
				return plan.Of(environment.Definition(accounts, c).Kind)
			},
			Parent: none,
			Facts:  facts(environmentFacts),
		},
		{
			Name: "Application", Resource: "applications", Import: estate.Applications,
			New:     func() reconciler.Object { return &v1alpha1.Application{} },
			NewList: func() client.ObjectList { return &v1alpha1.ApplicationList{} },
			Plan: func(accounts *account.Resolver, c client.Client) plan.Func {
				return plan.Of(application.Definition(accounts, c, c).Kind)
			},
			Parent: none,
			Facts:  facts(applicationFacts),
		},
		{
			Name: "Component", Resource: "components", Import: estate.Components,
			New:     func() reconciler.Object { return &v1alpha1.Component{} },
			NewList: func() client.ObjectList { return &v1alpha1.ComponentList{} },
			Plan: func(accounts *account.Resolver, c client.Client) plan.Func {
				return plan.Of(component.Definition(accounts, c).Kind)
			},
			Parent: func(obj reconciler.Object) (kind, name string) {
				if c, ok := obj.(*v1alpha1.Component); ok {
					return "Application", c.Spec.ApplicationRef.Name
				}
				return "", ""
			},
			Facts: facts(componentFacts),
		},
	}
}

// Of returns the kind of an object.
func Of(obj runtime.Object) (Kind, error) {
	for _, k := range All() {
		if fmt.Sprintf("%T", k.New()) == fmt.Sprintf("%T", obj) {
			return k, nil
		}
	}
	return Kind{}, fmt.Errorf("%T is of no kind that stands for a cloud resource", obj)
}

// Resources lists the resources of all kinds, for example environments.
func Resources() []string {
	var all []string
	for _, k := range All() {
		all = append(all, k.Resource)
	}
	return all
}

// Title is how messages call an object: kind/name.
func Title(obj reconciler.Object) string {
	k, err := Of(obj)
	if err != nil {
		return obj.GetName()
	}
	return strings.ToLower(k.Name) + "/" + obj.GetName()
}

// List reads the objects of a kind in a namespace, "" for all of them, by namespace and name.
func (k Kind) List(ctx context.Context, c client.Reader, namespace string) ([]reconciler.Object, error) {
	list := k.NewList()
	if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list the %s: %w", k.Resource, err)
	}
	var all []reconciler.Object
	err := meta.EachListItem(list, func(item runtime.Object) error {
		obj, ok := item.(reconciler.Object)
		if !ok {
			return fmt.Errorf("%T stands for no cloud resource", item)
		}
		all = append(all, obj)
		return nil
	})
	slices.SortFunc(all, func(a, b reconciler.Object) int {
		return strings.Compare(key(a), key(b))
	})
	return all, err
}

func key(obj reconciler.Object) string {
	return types.NamespacedName{Namespace: obj.GetNamespace(), Name: obj.GetName()}.String()
}

func none(reconciler.Object) (kind, name string) { return "", "" }

// facts makes a typed function untyped.
func facts[O reconciler.Object](of func(O) []string) func(reconciler.Object) []string {
	return func(obj reconciler.Object) []string {
		o, ok := obj.(O)
		if !ok {
			return nil
		}
		return slices.DeleteFunc(of(o), func(s string) bool { return s == "" })
	}
}

func environmentFacts(e *v1alpha1.Environment) []string {
	facts := []string{e.Status.DeployMode}
	if e.Status.VPCID != "" {
		facts = append(facts, "vpc "+e.Status.VPCID)
	}
	return facts
}

func applicationFacts(a *v1alpha1.Application) []string {
	if a.Status.ID == "" {
		return nil
	}
	if a.Status.ComponentCount == 1 {
		return []string{"1 component in the cloud"}
	}
	return []string{fmt.Sprintf("%d components in the cloud", a.Status.ComponentCount)}
}

func componentFacts(c *v1alpha1.Component) []string {
	s := c.Status
	if s.Phase == "" {
		return nil
	}
	facts := []string{string(s.Phase)}
	if s.Version != "" {
		facts = append(facts, s.Version, s.ReadyReplicas+" replicas")
	}
	if s.Batches > 0 {
		facts = append(facts, fmt.Sprintf("batch %d of %d", s.Batch, s.Batches))
	}
	if s.GrayWeight != nil {
		facts = append(facts, fmt.Sprintf("%d %% of the traffic", *s.GrayWeight))
	}
	return append(facts, "in "+orID(c.Spec.EnvironmentRef))
}

func orID(ref v1alpha1.Reference) string {
	if ref.Name != "" {
		return ref.Name
	}
	return ref.ID
}

// Names lists the names of objects, each behind a prefix, for completion: none where the cluster does not tell. Lists of
// what has no namespace ignore it.
func Names(ctx context.Context, c client.Client, list client.ObjectList, namespace, prefix string) []string {
	if namespaced, err := c.IsObjectNamespaced(list); err == nil && !namespaced {
		namespace = ""
	}
	if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil
	}
	var names []string
	err := meta.EachListItem(list, func(item runtime.Object) error {
		accessor, err := meta.Accessor(item)
		if err == nil {
			names = append(names, prefix+accessor.GetName())
		}
		return err
	})
	if err != nil {
		return nil
	}
	slices.Sort(names)
	return names
}
