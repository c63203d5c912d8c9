// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/external"
)

var (
	claim = external.Claim{Token: "token", MintedAt: time.Unix(0, 0)}
	// owned tells who claims, too.
	owned = external.Claim{Token: "token", MintedAt: time.Unix(0, 0), Owner: "shop_dev"}
)

// list makes labels of pairs of keys and values.
func list(pairs ...string) []servicestage.Label {
	labels := []servicestage.Label{}
	for pair := range slices.Chunk(pairs, 2) {
		labels = append(labels, servicestage.Label{Key: pair[0], Value: pair[1]})
	}
	return labels
}

func TestDiff(t *testing.T) {
	for _, tc := range []struct {
		name string
		want map[string]string
		have []servicestage.Label
		diff []string
	}{
		{"not managed", nil, list("a", "1"), nil},
		{"the same", map[string]string{"a": "1", "b": ""}, list("b", "", "a", "1"), nil},
		{"none and none", map[string]string{}, nil, nil},
		{"the claim is no difference", map[string]string{"a": "1"}, list(external.LabelKey, "token", "a", "1"), nil},
		{"the claim alone", map[string]string{}, list(external.LabelKey, "token"), nil},
		{"who claims is no difference", map[string]string{"a": "1"}, list(external.OwnerKey, "shop_dev", "a", "1"), nil},
		{"another value", map[string]string{"a": "1"}, list("a", "2"), []string{"spec.labels[a]"}},
		{"one is missing", map[string]string{"a": "1", "b": ""}, list("a", "1"), []string{"spec.labels[b]"}},
		{"one too many", map[string]string{"a": "1"}, list("a", "1", "b", "2"), []string{"spec.labels[b]"}},
		{"all are to go", map[string]string{}, list("b", "2", "a", "1"), []string{"spec.labels[a]", "spec.labels[b]"}},
		{"everything at once, sorted", map[string]string{"z": "1", "m": "1"}, list("m", "2", "a", "1"), []string{"spec.labels[a]", "spec.labels[m]", "spec.labels[z]"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.diff, Diff("spec.labels", tc.want, tc.have)); diff != "" {
				t.Errorf("Diff (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	for _, tc := range []struct {
		name  string
		want  map[string]string
		have  []servicestage.Label
		claim external.Claim
		list  []servicestage.Label
	}{
		{"nothing", nil, nil, external.Claim{}, list()},
		{"the claim alone", nil, nil, claim, list(external.LabelKey, "token")},
		{"what is wanted replaces what is there", map[string]string{"a": "1"}, list("b", "2"), claim, list("a", "1", external.LabelKey, "token")},
		{"what is not managed stays", nil, list("b", "2"), claim, list("b", "2", external.LabelKey, "token")},
		{"another claim is replaced", nil, list(external.LabelKey, "theirs"), claim, list(external.LabelKey, "token")},
		{"who claims", nil, list("b", "2"), owned, list("b", "2", external.LabelKey, "token", external.OwnerKey, "shop_dev")},
		{"who claims is another now", nil, list(external.LabelKey, "theirs", external.OwnerKey, "theirs"), owned,
			list(external.LabelKey, "token", external.OwnerKey, "shop_dev")},
		{"who claims is not known", nil, list(external.OwnerKey, "theirs"), claim, list(external.LabelKey, "token")},
		{"room for who claims", numbered(8), nil, owned, append(listed(8), list(external.LabelKey, "token", external.OwnerKey, "shop_dev")...)},
		{"no room for who claims", numbered(9), nil, owned, append(listed(9), list(external.LabelKey, "token")...)},
		{"sorted", map[string]string{"z": "1", "a": "2", "m": "3"}, nil, external.Claim{}, list("a", "2", "m", "3", "z", "1")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.list, Merge(tc.want, tc.have, tc.claim)); diff != "" {
				t.Errorf("Merge (-want +got):\n%s", diff)
			}
		})
	}
}

// numbered are n labels.
func numbered(n int) map[string]string {
	labels := map[string]string{}
	for i := range n {
		labels[fmt.Sprint("k", i)] = "1"
	}
	return labels
}

// listed are the same as the cloud lists them.
func listed(n int) []servicestage.Label {
	var labels []servicestage.Label
	for i := range n {
		labels = append(labels, list(fmt.Sprint("k", i), "1")...)
	}
	return labels
}

func TestUpdate(t *testing.T) {
	have := list("b", "2", external.LabelKey, "token", external.OwnerKey, "shop_dev")
	for _, tc := range []struct {
		name    string
		want    map[string]string
		changes external.Changes
		// list to write; nil where none is written.
		list []servicestage.Label
	}{
		{"nothing differs", map[string]string{"b": "2"}, external.Changes{}, nil},
		{"something else differs", nil, external.Changes{Paths: []string{"spec.description", "spec.labelsOfAnotherKind"}}, nil},
		{"a label differs", map[string]string{"a": "1"}, external.Changes{Paths: []string{"spec.labels[a]"}}, list("a", "1", external.LabelKey, "token", external.OwnerKey, "shop_dev")},
		{"the claim is to be put on", nil, external.Changes{Mark: true}, have},
		{"the claim is to be taken off", map[string]string{"a": "1"}, external.Changes{Unmark: true}, list("b", "2")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := Update("spec.labels", tc.want, have, tc.changes, owned)
			if (got == nil) != (tc.list == nil) {
				t.Fatalf("Update = %v, want %v", got, tc.list)
			}
			if got != nil {
				if diff := cmp.Diff(tc.list, *got); diff != "" {
					t.Errorf("Update (-want +got):\n%s", diff)
				}
			}
		})
	}
	if diff := cmp.Diff(list("b", "2", external.LabelKey, "token", external.OwnerKey, "shop_dev"), have); diff != "" {
		t.Errorf("Update changed what it was given:\n%s", diff)
	}
}

func TestClaim(t *testing.T) {
	if got := Claim(list("a", "1", external.LabelKey, "token")); got != "token" {
		t.Errorf("Claim = %q", got)
	}
	if got := Claim(nil); got != "" {
		t.Errorf("Claim of nothing = %q", got)
	}
}

func TestOwner(t *testing.T) {
	have := list("a", "1", external.LabelKey, "token", external.OwnerKey, "shop_dev")
	if got := Owner(have); got != "shop_dev" {
		t.Errorf("Owner = %q", got)
	}
	if diff := cmp.Diff(map[string]string{"a": "1"}, Spec(have)); diff != "" {
		t.Errorf("Spec (-want +got):\n%s", diff)
	}
}

func TestWhatWasMergedDoesNotDiffer(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		want, have := map[string]string{}, []servicestage.Label(nil)
		for range random.IntN(6) {
			want[fmt.Sprint("k", random.IntN(8))] = fmt.Sprint(random.IntN(3))
		}
		for range random.IntN(6) {
			have = append(have, servicestage.Label{Key: fmt.Sprint("k", random.IntN(8)), Value: fmt.Sprint(random.IntN(3))})
		}
		if diff := Diff("spec.labels", want, Merge(want, have, claim)); len(diff) > 0 {
			t.Fatalf("want %v, have %v: merged, %q differ still", want, have, diff)
		}
	}
}
