// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/controller/internal/labels"
	"servicestage.dev/operator/internal/external"
)

var claim = external.Claim{Token: "token", MintedAt: time.Unix(0, 0)}

// applied is what the cloud holds once what is wanted arrived: with the claim, the VPC among the resources, and the
// resources in another order and without their names.
func applied(w wanted) *observed {
	o := &observed{labelsKnown: true, resourcesKnown: true}
	o.ID, o.Name, o.DeployMode, o.VPCID = "id", w.name, w.deployMode, w.vpcID
	o.EnterpriseProjectID = w.enterpriseProjectID
	if w.description != nil {
		o.Description = *w.description
	}
	o.Labels = labels.Merge(w.labels, nil, claim)
	o.Resources = []servicestage.EnvironmentResource{{ID: w.vpcID, Name: "network", Type: "vpc"}}
	for _, r := range slices.Backward(w.resources) {
		o.Resources = append(o.Resources, servicestage.EnvironmentResource{ID: r.ID, Type: r.Type})
	}
	return o
}

func full() wanted {
	return wanted{
		name: "dev", deployMode: "container", description: new("text"), vpcID: "vpc-1", enterpriseProjectID: "ep-1",
		labels: map[string]string{"a": "1", "b": "2"},
		resources: []servicestage.EnvironmentResource{
			{ID: "c1", Name: "main", Type: "cce"}, {ID: "e1", Type: "cse"}, {ID: "c1", Type: "ecs"},
		},
	}
}

func TestDiff(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*wanted, *observed)
		want   external.Changes
	}{
		{"nothing", func(*wanted, *observed) {}, external.Changes{}},
		{"name", func(_ *wanted, o *observed) { o.Name = "prod" }, external.Changes{Paths: []string{"spec.name"}}},
		{"the case of the name", func(_ *wanted, o *observed) { o.Name = "DEV" }, external.Changes{}},
		{"description", func(_ *wanted, o *observed) { o.Description = "else" }, external.Changes{Paths: []string{"spec.description"}}},
		{"a description to clear", func(w *wanted, _ *observed) { w.description = new("") }, external.Changes{Paths: []string{"spec.description"}}},
		{"a description that is not managed", func(w *wanted, _ *observed) { w.description = nil }, external.Changes{}},
		{"a label", func(w *wanted, _ *observed) { w.labels = map[string]string{"a": "1", "b": "3"} }, external.Changes{Paths: []string{"spec.labels[b]"}}},
		{"labels that are not managed", func(w *wanted, _ *observed) { w.labels = nil }, external.Changes{}},
		{"labels that are not known", func(w *wanted, o *observed) { w.labels, o.labelsKnown = map[string]string{"z": ""}, false }, external.Changes{}},
		{"a missing claim", func(_ *wanted, o *observed) { o.Labels = o.Labels[:2] }, external.Changes{}},
		{"deploy mode", func(_ *wanted, o *observed) { o.DeployMode = "mixed" }, external.Changes{Immutable: []string{"spec.deployMode"}}},
		{"a deploy mode that is left to the cloud", func(w *wanted, _ *observed) { w.deployMode = "" }, external.Changes{}},
		{"enterprise project", func(_ *wanted, o *observed) { o.EnterpriseProjectID = "ep-2" }, external.Changes{Immutable: []string{"spec.enterpriseProjectID"}}},
		{"the default enterprise project", func(w *wanted, o *observed) { w.enterpriseProjectID, o.EnterpriseProjectID = "0", "" }, external.Changes{}},
		{"not the default enterprise project", func(_ *wanted, o *observed) { o.EnterpriseProjectID = "" }, external.Changes{Immutable: []string{"spec.enterpriseProjectID"}}},
		{"the account's enterprise project", func(w *wanted, _ *observed) { w.enterpriseProjectID, w.defaultEnterpriseProjectID = "", "ep-9" }, external.Changes{}},
		{"VPC", func(_ *wanted, o *observed) { o.VPCID = "vpc-2" }, external.Changes{Immutable: []string{"spec.vpcID"}}},
		{"a VPC that is adopted", func(w *wanted, _ *observed) { w.vpcID = "" }, external.Changes{}},
		{"a resource more", func(w *wanted, _ *observed) {
			w.resources = append(w.resources, servicestage.EnvironmentResource{ID: "r1", Type: "rds"})
		}, external.Changes{Paths: []string{"spec.resources[rds/r1]"}}},
		{"a resource fewer", func(w *wanted, _ *observed) { w.resources = w.resources[1:] }, external.Changes{Paths: []string{"spec.resources[cce/c1]"}}},
		{"no resources", func(w *wanted, _ *observed) { w.resources = w.resources[:0] }, external.Changes{Paths: []string{"spec.resources[cce/c1]", "spec.resources[cse/e1]", "spec.resources[ecs/c1]"}}},
		{"resources that are not managed", func(w *wanted, _ *observed) { w.resources = nil }, external.Changes{}},
		{"resources that are not known", func(_ *wanted, o *observed) { o.Resources, o.resourcesKnown = nil, false }, external.Changes{}},
		{"the name of a resource", func(_ *wanted, o *observed) { o.Resources[3].Name = "other" }, external.Changes{Paths: []string{"spec.resources[cce/c1]"}}},
		{"the name of a resource that is not managed", func(_ *wanted, o *observed) { o.Resources[2].Name = "console" }, external.Changes{}},
		{"everything", func(_ *wanted, o *observed) { *o = observed{labelsKnown: true, resourcesKnown: true} }, external.Changes{
			Paths: []string{
				"spec.description", "spec.labels[a]", "spec.labels[b]", "spec.name",
				"spec.resources[cce/c1]", "spec.resources[cse/e1]", "spec.resources[ecs/c1]",
			},
			Immutable: []string{"spec.deployMode", "spec.enterpriseProjectID", "spec.vpcID"},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := full()
			o := applied(w)
			tc.change(&w, o)
			if diff := cmp.Diff(tc.want, diff(w, o)); diff != "" {
				t.Errorf("diff (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUpdateOfTouchesWhatDiffersAndNothingElse(t *testing.T) {
	bare := servicestage.EnvironmentUpdate{Name: "was"}
	with := func(change func(*servicestage.EnvironmentUpdate)) servicestage.EnvironmentUpdate {
		u := bare
		change(&u)
		return u
	}
	listed := func(pairs ...servicestage.Label) *[]servicestage.Label { return &pairs }
	token := servicestage.Label{Key: external.LabelKey, Value: "token"}
	for _, tc := range []struct {
		name      string
		changes   external.Changes
		want      servicestage.EnvironmentUpdate
		needed    bool
		resources bool
	}{
		{"nothing", external.Changes{}, bare, false, false},
		{"name", external.Changes{Paths: []string{"spec.name"}}, with(func(u *servicestage.EnvironmentUpdate) { u.Name = "dev" }), true, false},
		{"description", external.Changes{Paths: []string{"spec.description"}}, with(func(u *servicestage.EnvironmentUpdate) { u.Description = new("text") }), true, false},
		{
			"labels", external.Changes{Paths: []string{"spec.labels[a]"}},
			with(func(u *servicestage.EnvironmentUpdate) {
				u.Labels = listed(servicestage.Label{Key: "a", Value: "1"}, servicestage.Label{Key: "b", Value: "2"}, token)
			}), true, false,
		},
		{
			"the mark", external.Changes{Mark: true},
			with(func(u *servicestage.EnvironmentUpdate) {
				u.Labels = listed(servicestage.Label{Key: "a", Value: "1"}, servicestage.Label{Key: "b", Value: "2"}, token)
			}), true, false,
		},
		{
			"no mark", external.Changes{Unmark: true},
			with(func(u *servicestage.EnvironmentUpdate) { u.Labels = listed(servicestage.Label{Key: "old", Value: "1"}) }), true, false,
		},
		{"resources", external.Changes{Paths: []string{"spec.resources[cce/c1]"}}, bare, false, true},
		{"what cannot be changed", external.Changes{Immutable: []string{"spec.vpcID"}}, bare, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := &observed{labelsKnown: true}
			o.Name, o.Labels = "was", []servicestage.Label{{Key: "old", Value: "1"}, token}
			got, needed := updateOf(full(), o, tc.changes, claim)
			if diff := cmp.Diff(tc.want, got); diff != "" || needed != tc.needed {
				t.Errorf("needed %t, want %t; update (-want +got):\n%s", needed, tc.needed, diff)
			}
			if got := changesResources(tc.changes); got != tc.resources {
				t.Errorf("writes resources: %t, want %t", got, tc.resources)
			}
		})
	}
}

func TestWantedOf(t *testing.T) {
	e := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "dev"}}
	bare := wantedOf(e, "ep-default")
	if diff := cmp.Diff(wanted{name: "dev", defaultEnterpriseProjectID: "ep-default"}, bare, cmp.AllowUnexported(wanted{})); diff != "" {
		t.Errorf("what is left out is managed (-want +got):\n%s", diff)
	}

	e.Spec = v1alpha1.EnvironmentSpec{
		Name: "production", DeployMode: "mixed", Description: new(""), VPCID: "vpc-1", EnterpriseProjectID: "ep-1",
		Labels: map[string]string{}, Resources: []v1alpha1.EnvironmentResource{},
	}
	everything := wantedOf(e, "ep-default")
	want := wanted{
		name: "production", deployMode: "mixed", description: new(""), vpcID: "vpc-1", enterpriseProjectID: "ep-1",
		defaultEnterpriseProjectID: "ep-default", labels: map[string]string{}, resources: []servicestage.EnvironmentResource{},
	}
	if diff := cmp.Diff(want, everything, cmp.AllowUnexported(wanted{})); diff != "" {
		t.Errorf("what is empty is managed (-want +got):\n%s", diff)
	}

	e.Spec.Resources = []v1alpha1.EnvironmentResource{{Type: "ecs", ID: "s1"}, {Type: "cse", EngineRef: &v1alpha1.ObjectReference{Name: "engine"}}}
	if got := wantedOf(e, "").resources; len(got) != 2 || got[1].ID != "" || got[1].Type != "cse" {
		t.Errorf("a reference to an engine, which is resolved later: %+v", got)
	}
}

func TestReport(t *testing.T) {
	e := &v1alpha1.Environment{}
	o := applied(full())
	health := report(e, o)
	want := v1alpha1.EnvironmentStatus{
		Name: "dev", DeployMode: "container", VPCID: "vpc-1", EnterpriseProjectID: "ep-1",
		Resources: []v1alpha1.ObservedEnvironmentResource{
			{Type: "cce", ID: "c1"}, {Type: "cse", ID: "e1"}, {Type: "ecs", ID: "c1"}, {Type: "vpc", ID: "vpc-1", Name: "network"},
		},
	}
	if diff := cmp.Diff(want, e.Status); diff != "" || health.State != external.Healthy || !strings.Contains(health.Message, "dev") {
		t.Errorf("health %+v, status (-want +got):\n%s", health, diff)
	}

	// What a call leaves out is kept, and what is none is none.
	o.Resources, o.resourcesKnown, o.EnterpriseProjectID = nil, false, ""
	report(e, o)
	if len(e.Status.Resources) != 4 || e.Status.EnterpriseProjectID != "0" {
		t.Errorf("%d resources, enterprise project %q", len(e.Status.Resources), e.Status.EnterpriseProjectID)
	}
	for range 100 {
		o.Resources = append(o.Resources, servicestage.EnvironmentResource{ID: "x", Type: "ecs"})
	}
	o.resourcesKnown = true
	report(e, o)
	if len(e.Status.Resources) != maxResources {
		t.Errorf("%d resources", len(e.Status.Resources))
	}
}

// decode makes what is wanted of text, as the fuzzer needs it: labels as "key=value" and resources as "type/id/name",
// each on a line of its own.
func decode(name, description, vpc, labelLines, resourceLines string, managed byte) wanted {
	w := wanted{name: name, vpcID: vpc, deployMode: []string{"", "container", "mixed"}[managed%3], enterpriseProjectID: []string{"", "0", "ep"}[managed/3%3]}
	if managed&1 != 0 {
		w.description = &description
	}
	if managed&2 != 0 {
		w.labels = map[string]string{}
		for line := range strings.Lines(labelLines) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			// The API server refuses these.
			if key != "" && !strings.HasPrefix(key, "servicestage-dev-") {
				w.labels[key] = value
			}
		}
	}
	if managed&4 != 0 {
		w.resources = []servicestage.EnvironmentResource{}
		for line := range strings.Lines(resourceLines) {
			parts := strings.SplitN(strings.TrimSuffix(line, "\n")+"//", "/", 3)
			r := servicestage.EnvironmentResource{Type: parts[0], ID: parts[1], Name: strings.TrimRight(parts[2], "/")}
			// The API server refuses these.
			twice := slices.ContainsFunc(w.resources, func(o servicestage.EnvironmentResource) bool { return o.Type == r.Type && o.ID == r.ID })
			if r.Type != "vpc" && !twice {
				w.resources = append(w.resources, r)
			}
		}
	}
	return w
}

// update makes the changes to an observation, as the cloud does.
func update(w wanted, o *observed, changes external.Changes) *observed {
	after := *o
	if u, needed := updateOf(w, o, changes, claim); needed {
		after.Name = u.Name
		if u.Description != nil {
			after.Description = *u.Description
		}
		if u.Labels != nil {
			after.Labels = *u.Labels
		}
	}
	if changesResources(changes) {
		after.Resources = applied(w).Resources
	}
	return &after
}

func FuzzDiff(f *testing.F) {
	f.Add("dev", "text", "vpc-1", "a=1\nb=2\n", "cce/c1/main\ncse/e1\n", byte(7), "prod", "else", "vpc-2", "a=2\nc=3\n", "ecs/s1\n", byte(0))
	f.Add("Dev", "", "", "", "", byte(7), "dev", "x", "", "=\n", "//\n", byte(7))
	f.Add("dev", "text", "vpc-1", "a=1\n", "cce/c1\nas/c1\n", byte(0), "dev", "text", "vpc-1", "b=1\n", "cce/c1/other\n", byte(255))
	f.Add("", "", "", "servicestage-dev-claim=x\n=\n", "vpc/v\n", byte(6), "", "", "", "", "", byte(3))
	f.Fuzz(func(t *testing.T, name, description, vpc, labelLines, resourceLines string, managed byte,
		otherName, otherDescription, otherVPC, otherLabels, otherResources string, otherManaged byte) {
		w := decode(name, description, vpc, labelLines, resourceLines, managed)
		if changes := diff(w, applied(w)); !changes.Empty() {
			t.Fatalf("what was applied differs: %+v", changes)
		}
		other := applied(decode(otherName, otherDescription, otherVPC, otherLabels, otherResources, otherManaged))
		changes := diff(w, other)
		if !slices.IsSorted(changes.Paths) || !slices.IsSorted(changes.Immutable) {
			t.Errorf("not sorted: %+v", changes)
		}
		after := update(w, other, changes)
		if again := diff(w, after); len(again.Paths) > 0 {
			t.Errorf("%q differ again after the update of %q", again.Paths, changes.Paths)
		}
		if w.description == nil && after.Description != other.Description || w.labels == nil && !cmp.Equal(after.Labels, other.Labels) ||
			w.resources == nil && !cmp.Equal(after.Resources, other.Resources) {
			t.Errorf("what is not managed changed from %+v to %+v", other, after)
		}
	})
}
