// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package estate reads what an account holds in the cloud as objects: the other way round than the operator goes. It
// calls nothing that changes anything.
package estate

import (
	"context"
	"fmt"
	"iter"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/reconciler"
)

// Item is a cloud resource as an object.
type Item struct {
	// Object adopts the resource and changes nothing about it.
	Object reconciler.Object
	// ID of the resource.
	ID string
	// Title is how messages call it.
	Title string
	// Notes say what a reader of the manifest must know, a paragraph each.
	Notes []string
	// Secrets that the object takes values from, with the values that the cloud holds. They belong into no file.
	Secrets []*corev1.Secret
}

// Importer yields the resources of one kind.
type Importer func(ctx context.Context, e *Estate) iter.Seq2[*Item, error]

// Gap is something that was left out, and why.
type Gap struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// Estate is what is known of an account while it is read.
type Estate struct {
	// Session to call the cloud with.
	Session *account.Session
	// Account that the objects name.
	Account v1alpha1.AccountReference
	// Namespace that the objects are for.
	Namespace string
	// Manage has the objects manage what nobody else claims, instead of observing it.
	Manage bool
	// Gaps are what was left out.
	Gaps []Gap
	// Present are what objects of the namespace stand for already.
	Present []string
	// Progress is told what was read.
	Progress func(what string)

	names Names
	refs  map[string]map[string]string
}

// Register tells of an object that stands for a cloud resource: it is referred to by name from now on.
func (e *Estate) Register(kind, id, name string) {
	if e.refs == nil {
		e.refs = map[string]map[string]string{}
	}
	if e.refs[kind] == nil {
		e.refs[kind] = map[string]string{}
	}
	if id != "" {
		e.refs[kind][id] = name
	}
}

// Reserve keeps a name from being given to an imported object.
func (e *Estate) Reserve(kind, name string) { e.names.Reserve(kind, name) }

// LeaveOut notes a gap.
func (e *Estate) LeaveOut(what, why string) { e.Gaps = append(e.Gaps, Gap{What: what, Why: why}) }

// ref refers to a resource by the name of its object where there is one, else by its id.
func (e *Estate) ref(kind, id string) v1alpha1.Reference {
	if name, known := e.refs[kind][id]; known {
		return v1alpha1.Reference{Name: name}
	}
	return v1alpha1.Reference{ID: id}
}

// nameOr is the name of the object that stands for a resource, or the fallback.
func (e *Estate) nameOr(kind, id, fallback string) string {
	if name, known := e.refs[kind][id]; known {
		return name
	}
	return fallback
}

// head is what every object begins with.
type head struct {
	meta metav1.ObjectMeta
	spec v1alpha1.ResourceSpec
	// cloudName is for spec.name: "" where metadata.name says it.
	cloudName string
	notes     []string
}

// head names an object that adopts a resource. What another object claims is observed in any case: the operator would
// refuse to manage it.
func (e *Estate) head(kind, id, cloudName, qualifier string, claimed bool) head {
	name := e.names.Assign(kind, cloudName, qualifier)
	h := head{
		meta: metav1.ObjectMeta{Name: name, Namespace: e.Namespace},
		spec: v1alpha1.ResourceSpec{
			AccountRef: e.Account, ManagementPolicy: v1alpha1.ManagementPolicyObserve, Import: &v1alpha1.Import{ID: id},
		},
	}
	if name != cloudName {
		h.cloudName = cloudName
	}
	switch {
	case e.Manage && claimed:
		h.notes = append(h.notes, "Another object claims it in the cloud, so that this one only observes it.")
	case e.Manage:
		h.spec.ManagementPolicy = v1alpha1.ManagementPolicyManage
	}
	return h
}

// collection is how the resources of a kind are read.
type collection[T any] struct {
	// kind of the objects, and what messages call many of the resources, for example "environments".
	kind, plural string
	list         iter.Seq2[*T, error]
	id, name     func(*T) string
	read         func(context.Context, *T) (*Item, error)
}

// items yields the resources that no object of the namespace stands for yet, by name. A list or a resource that may not be
// read is left out; any other error ends the list.
func items[T any](ctx context.Context, e *Estate, c collection[T]) iter.Seq2[*Item, error] {
	return func(yield func(*Item, error) bool) {
		var all []*T
		for one, err := range c.list {
			if clouderr.Is(err, clouderr.Forbidden) {
				e.LeaveOut(c.plural, "the account may not list them: "+clouderr.UserMessage(err))
				return
			}
			if err != nil {
				yield(nil, fmt.Errorf("list the %s: %w", c.plural, err))
				return
			}
			all = append(all, one)
			e.told(fmt.Sprintf("%d %s", len(all), c.plural))
		}
		slices.SortFunc(all, func(a, b *T) int {
			return slices.Compare([]string{c.name(a), c.id(a)}, []string{c.name(b), c.id(b)})
		})
		for i, one := range all {
			title := fmt.Sprintf("%s %q (id %s)", c.kind, c.name(one), c.id(one))
			if name, known := e.refs[c.kind][c.id(one)]; known {
				e.Present = append(e.Present, fmt.Sprintf("%s is %s/%s", title, c.kind, name))
				continue
			}
			e.told(fmt.Sprintf("%d of %d %s", i+1, len(all), c.plural))
			item, err := c.read(ctx, one)
			switch {
			case clouderr.Is(err, clouderr.NotFound):
				continue // it went away meanwhile
			case clouderr.Is(err, clouderr.Forbidden):
				e.LeaveOut(title, "the account may not read it: "+clouderr.UserMessage(err))
				continue
			case err != nil:
				yield(nil, fmt.Errorf("read the %s: %w", title, err))
				return
			case item == nil:
				continue
			}
			item.ID, item.Title = c.id(one), title
			if !yield(item, nil) {
				return
			}
		}
	}
}

func (e *Estate) told(what string) {
	if e.Progress != nil {
		e.Progress(what)
	}
}
