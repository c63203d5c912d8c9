// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package dependency makes a reference between objects a value. Declaring one brings the index by which dependants are
// found, the watch that wakes them when what they refer to changes, the version by which a change is noticed after a
// restart, and the guard that holds back the deletion of what is still referred to.
package dependency

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/validation/path"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// Reference says that objects of one kind refer to objects of another.
type Reference struct {
	// Field that holds the reference, for example "spec.accountRef": in messages, and as the index's name.
	Field string
	// From and To are prototypes of the two kinds. A To of type *metav1.PartialObjectMetadata is watched by its metadata
	// alone.
	From, To client.Object
	// Targets lists what an object refers to. Pure.
	Targets func(from client.Object) []types.NamespacedName
	// Version says what of a target matters to those that refer to it: they are woken when it changes. Pure.
	Version func(to client.Object) string
	// Input is set where a changed version must be looked at even by an object that is settled: the version becomes part
	// of what Inputs returns.
	Input bool
	// Guards is set where a target must not be deleted while something refers to it.
	Guards bool
}

// New declares a reference from objects of type From to objects of type To.
func New[From, To client.Object](field string, from From, to To, targets func(From) []types.NamespacedName, version func(To) string) Reference {
	return Reference{
		Field: field, From: from, To: to,
		Targets: func(o client.Object) []types.NamespacedName {
			typed, ok := o.(From)
			if !ok {
				return nil
			}
			return targets(typed)
		},
		Version: func(o client.Object) string {
			typed, ok := o.(To)
			if !ok {
				return ""
			}
			return version(typed)
		},
	}
}

// ToMetadata declares a reference whose targets are watched by their metadata only, such as Secrets. Every version of
// the target counts.
func ToMetadata[From client.Object](field string, from From, to schema.GroupVersionKind, targets func(From) []types.NamespacedName) Reference {
	prototype := &metav1.PartialObjectMetadata{}
	prototype.SetGroupVersionKind(to)
	r := New(field, from, prototype, targets, func(m *metav1.PartialObjectMetadata) string {
		return string(m.UID) + "/" + m.ResourceVersion
	})
	r.Input = true
	return r
}

// AsInput marks the target's version as one that settled objects must look at.
func (r Reference) AsInput() Reference { r.Input = true; return r }

// Guarding holds back the deletion of the target while something refers to it.
func (r Reference) Guarding() Reference { r.Guards = true; return r }

// Graph holds the references between all kinds.
type Graph struct {
	client  client.Client
	edges   []edge
	without []schema.GroupVersionKind
}

// edge is a reference with what is derived from it once.
type edge struct {
	Reference
	from, to schema.GroupVersionKind
	index    string
}

// NewGraph returns a graph that looks objects up through c.
func NewGraph(c client.Client) *Graph { return &Graph{client: c} }

// Without leaves out references to the given kinds, whose objects may not be read: none of them is indexed or watched.
// It must be called before Add.
func (g *Graph) Without(to ...schema.GroupVersionKind) *Graph {
	g.without = append(g.without, to...)
	return g
}

// Add declares references. It must be called before Index and Watch.
func (g *Graph) Add(refs ...Reference) error {
	for _, r := range refs {
		from, err := apiutil.GVKForObject(r.From, g.client.Scheme())
		if err != nil {
			return fmt.Errorf("reference %s: %w", r.Field, err)
		}
		to, err := apiutil.GVKForObject(r.To, g.client.Scheme())
		if err != nil {
			return fmt.Errorf("reference %s: %w", r.Field, err)
		}
		if slices.Contains(g.without, to) {
			continue
		}
		g.edges = append(g.edges, edge{Reference: r, from: from, to: to, index: r.Field + "->" + to.Kind})
	}
	return nil
}

// Index adds the index of every reference.
func (g *Graph) Index(ctx context.Context, indexer client.FieldIndexer) error {
	for _, e := range g.edges {
		err := indexer.IndexField(ctx, e.From, e.index, func(o client.Object) []string {
			targets := e.Targets(o)
			keys := make([]string, 0, len(targets))
			for _, t := range targets {
				keys = append(keys, t.String())
			}
			return keys
		})
		if err != nil {
			return fmt.Errorf("index %s of %s: %w", e.index, e.from.Kind, err)
		}
	}
	return nil
}

// Inputs identifies the versions of everything that obj refers to and that matters even once it is settled; "" where
// there is nothing of that sort. It is the same string as long as nothing changed, also across restarts.
func (g *Graph) Inputs(ctx context.Context, obj client.Object) (string, error) {
	gvk, err := apiutil.GVKForObject(obj, g.client.Scheme())
	if err != nil {
		return "", err
	}
	var lines []string
	for _, e := range g.edges {
		if e.from != gvk || !e.Input {
			continue
		}
		for _, key := range e.Targets(obj) {
			version, err := g.version(ctx, e, key)
			if err != nil {
				return "", fmt.Errorf("%s: %w", e.Field, err)
			}
			lines = append(lines, e.to.Kind+" "+key.String()+" "+version)
		}
	}
	if len(lines) == 0 {
		return "", nil
	}
	slices.Sort(lines)
	hash := sha256.New()
	for _, line := range slices.Compact(lines) {
		hash.Write([]byte(line + "\n"))
	}
	return hex.EncodeToString(hash.Sum(nil)[:8]), nil
}

func (g *Graph) version(ctx context.Context, e edge, key types.NamespacedName) (string, error) {
	target, ok := e.To.DeepCopyObject().(client.Object)
	if !ok {
		return "", fmt.Errorf("%s is no object", e.to)
	}
	if err := g.get(ctx, key, target); err != nil {
		if apierrors.IsNotFound(err) {
			return "missing", nil
		}
		return "", err
	}
	return e.Version(target), nil
}

// get reads a target. Names are user input, and some of client-go's clients put a name into the URL as it is, where a
// slash leads to subresources and dots to other namespaces: nothing can be called so.
func (g *Graph) get(ctx context.Context, key types.NamespacedName, target client.Object, options ...client.GetOption) error {
	if len(path.IsValidPathSegmentName(key.Name)) > 0 {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "object"}, key.Name)
	}
	return g.client.Get(ctx, key, target, options...)
}

// Dependants names the objects that refer to obj and hold back its deletion, for example "Application shop", sorted.
func (g *Graph) Dependants(ctx context.Context, obj client.Object) ([]string, error) {
	gvk, err := apiutil.GVKForObject(obj, g.client.Scheme())
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range g.edges {
		if e.to != gvk || !e.Guards {
			continue
		}
		dependants, err := g.dependants(ctx, e, client.ObjectKeyFromObject(obj))
		if err != nil {
			return nil, err
		}
		for _, d := range dependants {
			name := d.Name
			if obj.GetNamespace() == "" {
				name = d.String()
			}
			names = append(names, e.from.Kind+" "+name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// dependants lists the objects that refer to the target key by e.
func (g *Graph) dependants(ctx context.Context, e edge, key types.NamespacedName) ([]types.NamespacedName, error) {
	raw, err := g.client.Scheme().New(e.from.GroupVersion().WithKind(e.from.Kind + "List"))
	if err != nil {
		return nil, fmt.Errorf("list of %s: %w", e.from.Kind, err)
	}
	list, ok := raw.(client.ObjectList)
	if !ok {
		return nil, fmt.Errorf("list of %s: %T is no list", e.from.Kind, raw)
	}
	if err := g.client.List(ctx, list, client.MatchingFields{e.index: key.String()},
		client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency); err != nil {
		return nil, fmt.Errorf("list %s by %s: %w", e.from.Kind, e.index, err)
	}
	var keys []types.NamespacedName
	err = meta.EachListItem(list, func(o runtimeObject) error {
		accessor, err := meta.Accessor(o)
		if err != nil {
			return err
		}
		keys = append(keys, types.NamespacedName{Namespace: accessor.GetNamespace(), Name: accessor.GetName()})
		return nil
	})
	slices.SortFunc(keys, func(a, b types.NamespacedName) int { return cmp.Compare(a.String(), b.String()) })
	return keys, err
}
