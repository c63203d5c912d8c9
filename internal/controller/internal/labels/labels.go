// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package labels compares and merges the labels of cloud resources, one of which carries the operator's claim.
package labels

import (
	"slices"

	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/external"
)

// maxLabels is how many labels a resource of the cloud may have.
const maxLabels = 10

// Diff returns the path of every label that differs. The operator's own are not compared; without want nothing is.
func Diff(path string, want map[string]string, have []servicestage.Label) []string {
	if want == nil {
		return nil
	}
	left := toMap(have)
	deleteOwn(left)
	var paths []string
	for key, value := range want {
		if held, found := left[key]; !found || held != value {
			paths = append(paths, path+"["+key+"]")
		}
		delete(left, key)
	}
	for key := range left {
		paths = append(paths, path+"["+key+"]")
	}
	slices.Sort(paths)
	return paths
}

// Merge returns the labels to write: what is wanted, or, where labels are not managed, what is there, and the claim.
func Merge(want map[string]string, have []servicestage.Label, claim external.Claim) []servicestage.Label {
	merged := map[string]string{}
	if want == nil {
		merged = toMap(have)
	}
	for key, value := range want {
		merged[key] = value
	}
	if !claim.IsZero() {
		merged[external.LabelKey] = claim.Token
		// It is a courtesy, and gives way to the labels that someone asked for.
		if delete(merged, external.OwnerKey); claim.Owner != "" && len(merged) < maxLabels {
			merged[external.OwnerKey] = claim.Owner
		}
	}
	list := make([]servicestage.Label, 0, len(merged))
	for key, value := range merged {
		list = append(list, servicestage.Label{Key: key, Value: value})
	}
	slices.SortFunc(list, func(a, b servicestage.Label) int {
		if a.Key < b.Key {
			return -1
		}
		return 1
	})
	return list
}

// Update returns the labels to write for the changes at the path, or nil where they need none.
func Update(path string, want map[string]string, have []servicestage.Label, changes external.Changes, claim external.Claim) *[]servicestage.Label {
	var list []servicestage.Label
	switch {
	case changes.Unmark:
		list = slices.DeleteFunc(slices.Clone(have), func(l servicestage.Label) bool {
			return l.Key == external.LabelKey || l.Key == external.OwnerKey
		})
	case changes.Mark || changes.Within(path):
		list = Merge(want, have, claim)
	default:
		return nil
	}
	return &list
}

// Claim returns the claim's token among labels, or "".
func Claim(list []servicestage.Label) string { return toMap(list)[external.LabelKey] }

// Owner returns who claimed, among labels, or "".
func Owner(list []servicestage.Label) string { return toMap(list)[external.OwnerKey] }

// Spec returns the labels as a spec says them: without the claim, and nil where there are none, since labels that are
// not managed may come and go.
func Spec(list []servicestage.Label) map[string]string {
	m := toMap(list)
	deleteOwn(m)
	if len(m) == 0 {
		return nil
	}
	return m
}

// deleteOwn takes the operator's own labels out.
func deleteOwn(m map[string]string) {
	delete(m, external.LabelKey)
	delete(m, external.OwnerKey)
}

func toMap(list []servicestage.Label) map[string]string {
	m := make(map[string]string, len(list))
	for _, l := range list {
		m[l.Key] = l.Value
	}
	return m
}
