// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kieconfig

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/kie"
	"servicestage.dev/operator/internal/controller/internal/items"
	"servicestage.dev/operator/internal/external"
)

// Whatever the spec lists and whatever the engine holds, comparing them does not panic and lists paths in order; once what
// differs is carried out, nothing differs but what is someone else's.
func FuzzDiff(f *testing.F) {
	f.Add("items: [{key: a, value: '1'}]", "[]", "a")
	f.Add("labels: {app: shop}\nitems: [{key: a, value: '1', enabled: false}, {key: a, value: '2', labels: {app: cart}}]",
		`[{"key": "a", "value": "2", "labels": {"app": "shop"}, "status": "enabled"}, {"key": "b"}]`, "a")
	f.Add("conflictPolicy: Overwrite\nitems: [{key: a, value: '', valueType: json}]", `[{"key": "a", "value_type": "text", "value": "x"}]`, "")
	f.Add("managementPolicy: Observe\nitems: [{key: a}, {key: a}]", `[{"key": "a", "labels": {"": ""}}]`, "b")
	f.Fuzz(func(t *testing.T, spec, held, own string) {
		obj := &v1alpha1.KieConfig{}
		var there []kie.Item
		if yaml.Unmarshal([]byte(spec), &obj.Spec) != nil || json.Unmarshal([]byte(held), &there) != nil || checkItems(&obj.Spec) != nil {
			t.Skip("no spec")
		}
		values := make([]string, len(obj.Spec.Items))
		for i, item := range obj.Spec.Items {
			if item.Value != nil {
				values[i] = *item.Value
			}
		}
		w, err := wantedOf(obj, values)
		if err != nil {
			t.Skip("no values")
		}
		o := &observed{items: map[string]items.Fingerprint{}, own: map[string]bool{}}
		written := map[string]bool{}
		for i := range there {
			identity := items.Identity(there[i].Key, there[i].Labels)
			o.items[identity] = items.Of(&there[i])
			written[identity] = there[i].Key == own
		}
		o.own = ownership(w, o.items, written, external.Claim{})
		if changes := diff(w, o); !slices.IsSorted(changes.Paths) {
			t.Errorf("not sorted: %q", changes.Paths)
		}
		p := planOf(w, o)
		carryOut(o, p)
		o.count(w)
		if changes := diff(w, o); len(changes.Paths) != len(p.conflicts) || o.synced != o.total-len(p.conflicts) {
			t.Errorf("once carried out %q differ, %d of %d are synced, and %d are in conflict", changes.Paths, o.synced, o.total, len(p.conflicts))
		}
	})
}

// carryOut makes what was observed what a plan makes of it.
func carryOut(o *observed, p plan) {
	for _, step := range p.steps {
		status := kie.StatusDisabled
		if step.Enabled {
			status = kie.StatusEnabled
		}
		o.items[step.Identity()] = items.Of(&kie.Item{Key: step.Key, Labels: step.Labels, Value: step.Value, ValueType: step.ValueType, Status: status})
		o.own[step.Identity()] = true
	}
	for identity := range maps.Keys(p.dropped) {
		delete(o.items, identity)
		delete(o.own, identity)
	}
}
