// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kieconfig

import (
	"maps"
	"slices"
	"unicode/utf8"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/controller/internal/items"
	"servicestage.dev/operator/internal/external"
)

// Limits of the configuration center (API reference table 8-162).
const (
	maxLabels = 6
	maxValue  = 131072
)

// wanted is the set of items as the spec says.
type wanted struct {
	// items by identity.
	items map[string]items.Item
	// overwrite is set where items that the object did not write are taken over.
	overwrite bool
	// kept names the object that keeps an item that this one lists too.
	kept map[string]string
	// unsound names the items whose value is not what its type says.
	unsound []string
}

// observed is what an engine holds of the items that an object is about.
type observed struct {
	// id of the engine.
	id string
	// items that are there, by identity, and which of them are the object's own.
	items map[string]items.Fingerprint
	own   map[string]bool
	// watch says how changes are noticed.
	watch string
	// total items are wanted, and synced of them are there as wanted.
	total, synced int
	// failures of this pass.
	failures []failure
}

// failure is an item that is not as the spec says, and why.
type failure struct {
	key    string
	labels map[string]string
	err    error
}

// merged returns the labels of an item: those that every item carries, and before them its own.
func merged(all, own map[string]string) map[string]string {
	labels := map[string]string{}
	maps.Copy(labels, all)
	maps.Copy(labels, own)
	return labels
}

// checkItems refuses lists that no engine can hold: an item twice, and more labels than an item may carry.
func checkItems(spec *v1alpha1.KieConfigSpec) error {
	first := map[string]int{}
	for i, item := range spec.Items {
		labels := merged(spec.Labels, item.Labels)
		if len(labels) > maxLabels {
			return clouderr.New(clouderr.Invalid, "spec.items[%d] (%s): it carries %d labels together with spec.labels, and an item may carry %d; remove some",
				i, item.Key, len(labels), maxLabels)
		}
		identity := items.Identity(item.Key, labels)
		if at, twice := first[identity]; twice {
			return clouderr.New(clouderr.Invalid, "spec.items[%d] and spec.items[%d] are the same item %s: they have the same key and the same labels; remove one of them",
				at, i, items.Name(item.Key, labels, true))
		}
		first[identity] = i
	}
	return nil
}

// wantedOf puts the values, in the order of the spec's items, to the items.
func wantedOf(obj *v1alpha1.KieConfig, values []string) (wanted, error) {
	spec := &obj.Spec
	w := wanted{
		items:     make(map[string]items.Item, len(spec.Items)),
		overwrite: spec.ConflictPolicy == v1alpha1.KieConflictOverwrite || observing(obj),
	}
	for i, item := range spec.Items {
		want := items.Item{
			Key: item.Key, Labels: merged(spec.Labels, item.Labels), Value: values[i], ValueType: string(item.ValueType),
			Enabled: item.Enabled == nil || *item.Enabled,
		}
		if want.ValueType == "" {
			want.ValueType = string(v1alpha1.KieValueText)
		}
		switch {
		case len(want.Value) > maxValue:
			return wanted{}, clouderr.New(clouderr.Invalid, "spec.items[%d] (%s): its value has %d bytes, and an item holds %d; split it", i, item.Key, len(want.Value), maxValue)
		case !utf8.ValidString(want.Value):
			return wanted{}, clouderr.New(clouderr.Invalid, "spec.items[%d] (%s): its value is not text in UTF-8; encode it, for example in base64", i, item.Key)
		}
		if !sound(want.ValueType, want.Value) {
			w.unsound = append(w.unsound, items.Name(want.Key, want.Labels, true)+" ("+want.ValueType+")")
		}
		w.items[want.Identity()] = want
	}
	return w, nil
}

// plan is what has to be done to make an engine hold what is wanted.
type plan struct {
	// steps write, and dropped holds what is to be deleted.
	steps   []items.Step
	dropped map[string]items.Fingerprint
	// conflicts are what cannot be written.
	conflicts []failure
}

// planOf compares. It does not touch what is not the object's own, unless it is to take it over.
func planOf(w wanted, o *observed) plan {
	p := plan{dropped: map[string]items.Fingerprint{}}
	for _, identity := range slices.Sorted(maps.Keys(w.items)) {
		want := w.items[identity]
		have, there := o.items[identity]
		switch {
		case w.kept[identity] != "":
			p.conflicts = append(p.conflicts, failure{want.Key, want.Labels, clouderr.New(clouderr.Exists,
				"KieConfig %q of this namespace, which is older, lists the same item; remove it from one of the two", w.kept[identity])})
		case there && !o.own[identity] && !w.overwrite:
			p.conflicts = append(p.conflicts, failure{want.Key, want.Labels, clouderr.New(clouderr.Exists,
				"the engine holds this item already, and this object did not write it; set spec.conflictPolicy: Overwrite to take it over, or remove it from spec.items")})
		case !there:
			p.steps = append(p.steps, items.Step{Item: want, Force: w.overwrite})
		case !have.Shows(want):
			p.steps = append(p.steps, items.Step{Item: want, Have: &have})
		}
	}
	for identity, have := range o.items {
		if _, listed := w.items[identity]; o.own[identity] && (!listed || w.kept[identity] != "") {
			p.dropped[identity] = have
		}
	}
	return p
}

// diff lists what a plan is about, as paths.
func diff(w wanted, o *observed) external.Changes {
	type named struct {
		key    string
		labels map[string]string
	}
	p := planOf(w, o)
	var all []named
	for _, step := range p.steps {
		all = append(all, named{step.Key, step.Labels})
	}
	for _, f := range p.conflicts {
		all = append(all, named{f.key, f.labels})
	}
	for identity, have := range p.dropped {
		if w.kept[identity] == "" {
			all = append(all, named{have.Key, have.Labels})
		}
	}
	keys := map[string]int{}
	for _, n := range all {
		keys[n.key]++
	}
	for identity, item := range w.items { // items that are as they should be have names, too
		if have, there := o.items[identity]; there && have.Shows(item) && o.own[identity] && w.kept[identity] == "" {
			keys[item.Key]++
		}
	}
	var c external.Changes
	for _, n := range all {
		c.Paths = append(c.Paths, "spec.items["+items.Name(n.key, n.labels, keys[n.key] > 1)+"]")
	}
	slices.Sort(c.Paths)
	return c
}

// count takes stock of how many of the wanted items are there.
func (o *observed) count(w wanted) {
	o.total, o.synced = len(w.items), 0
	for identity, want := range w.items {
		if have, there := o.items[identity]; there && have.Shows(want) && w.kept[identity] == "" && (o.own[identity] || w.overwrite) {
			o.synced++
		}
	}
}

// ownership says which of the items that are there are the object's own: those that it wrote down; those that are wanted and
// were made since the claim, which is given where nothing was written down when the pass began, as after a crash or a restore
// from a backup; and those that are as wanted already and may be taken over.
func ownership(w wanted, there map[string]items.Fingerprint, written map[string]bool, claim external.Claim) map[string]bool {
	own := map[string]bool{}
	for identity, have := range there {
		want, listed := w.items[identity]
		switch {
		case written[identity],
			listed && claim.MadeSince(have.CreatedAt),
			listed && w.overwrite && have.Shows(want) && w.kept[identity] == "":
			own[identity] = true
		}
	}
	return own
}
