// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package application

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/controller/internal/labels"
	"servicestage.dev/operator/internal/external"
)

var claim = external.Claim{Token: "token", MintedAt: time.Unix(0, 0)}

func vars(pairs ...string) []servicestage.EnvVar {
	list := []servicestage.EnvVar{}
	for pair := range slices.Chunk(pairs, 2) {
		list = append(list, servicestage.EnvVar{Name: pair[0], Value: pair[1]})
	}
	return list
}

// applied is what the cloud holds once what is wanted arrived: with the claim, and the variables in another order.
func applied(w wanted) *observed {
	o := &observed{labelsKnown: true, configurations: map[string][]servicestage.EnvVar{}}
	o.ID, o.Name, o.EnterpriseProjectID = "id", w.name, w.enterpriseProjectID
	if w.description != nil {
		o.Description = *w.description
	}
	o.Labels = labels.Merge(w.labels, nil, claim)
	for _, c := range w.configurations {
		env := slices.Clone(c.env)
		slices.Reverse(env)
		o.configurations[c.environmentID] = env
	}
	return o
}

func full() wanted {
	return wanted{
		name: "shop", description: new("text"), enterpriseProjectID: "ep-1", labels: map[string]string{"a": "1", "b": "2"},
		configurations: []configuration{
			{environmentID: "e1", label: "prod", env: vars("A", "1", "B", "2")},
			{environmentID: "e2", label: "e2", env: vars()},
		},
		written: []string{"e1", "e2"},
	}
}

func TestDiff(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*wanted, *observed)
		want   []string
	}{
		{"nothing", func(*wanted, *observed) {}, nil},
		{"name", func(_ *wanted, o *observed) { o.Name = "old" }, []string{"spec.name"}},
		{"the case of the name", func(_ *wanted, o *observed) { o.Name = "SHOP" }, []string{"spec.name"}},
		{"description", func(_ *wanted, o *observed) { o.Description = "else" }, []string{"spec.description"}},
		{"a description to clear", func(w *wanted, _ *observed) { w.description = new("") }, []string{"spec.description"}},
		{"a description that is not managed", func(w *wanted, _ *observed) { w.description = nil }, nil},
		{"enterprise project", func(_ *wanted, o *observed) { o.EnterpriseProjectID = "ep-2" }, []string{"spec.enterpriseProjectID"}},
		{"the default enterprise project", func(w *wanted, o *observed) { w.enterpriseProjectID, o.EnterpriseProjectID = "0", "" }, nil},
		{"the account's enterprise project", func(w *wanted, _ *observed) { w.enterpriseProjectID, w.defaultEnterpriseProjectID = "", "ep-9" }, nil},
		{"a label", func(_ *wanted, o *observed) { o.Labels[0].Value = "9" }, []string{"spec.labels[a]"}},
		{"labels that are not managed", func(w *wanted, _ *observed) { w.labels = nil }, nil},
		{"labels that are not known", func(_ *wanted, o *observed) { o.Labels, o.labelsKnown = nil, false }, nil},
		{"a variable", func(_ *wanted, o *observed) { o.configurations["e1"] = vars("A", "1", "B", "9") }, []string{"spec.configurations[prod].env[B]"}},
		{"a variable more and one fewer", func(_ *wanted, o *observed) { o.configurations["e1"] = vars("A", "1", "C", "") }, []string{"spec.configurations[prod].env[B]", "spec.configurations[prod].env[C]"}},
		{"an empty variable", func(w *wanted, _ *observed) { w.configurations[1].env = vars("EMPTY", "") }, []string{"spec.configurations[e2].env[EMPTY]"}},
		{"a configuration that is missing", func(_ *wanted, o *observed) { delete(o.configurations, "e1") }, []string{"spec.configurations[prod]"}},
		{"an empty configuration that is missing", func(_ *wanted, o *observed) { delete(o.configurations, "e2") }, []string{"spec.configurations[e2]"}},
		{"a configuration that was dropped", func(w *wanted, _ *observed) { w.configurations = w.configurations[:1] }, []string{"spec.configurations[e2]"}},
		{"a configuration that was dropped and is gone", func(w *wanted, o *observed) {
			w.configurations = w.configurations[:1]
			delete(o.configurations, "e2")
		}, nil},
		{"a configuration of others", func(_ *wanted, o *observed) { o.configurations["e9"] = vars("X", "1") }, nil},
		{"configurations that were not looked at", func(_ *wanted, o *observed) { o.configurations = nil }, nil},
		{"everything", func(w *wanted, o *observed) {
			*o = observed{labelsKnown: true, configurations: map[string][]servicestage.EnvVar{"e3": nil}}
			w.written = append(w.written, "e3")
		}, []string{
			"spec.configurations[e2]", "spec.configurations[e3]", "spec.configurations[prod]", "spec.description",
			"spec.enterpriseProjectID", "spec.labels[a]", "spec.labels[b]", "spec.name",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := full()
			o := applied(w)
			tc.change(&w, o)
			if diff := cmp.Diff(external.Changes{Paths: tc.want}, diff(w, o)); diff != "" {
				t.Errorf("diff (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUpdateOfTouchesWhatDiffersAndNothingElse(t *testing.T) {
	token := servicestage.Label{Key: external.LabelKey, Value: "token"}
	wantedLabels := &[]servicestage.Label{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}, token}
	for _, tc := range []struct {
		name    string
		changes external.Changes
		want    servicestage.ApplicationUpdate
		needed  bool
	}{
		{"nothing", external.Changes{}, servicestage.ApplicationUpdate{}, false},
		{"name", external.Changes{Paths: []string{"spec.name"}}, servicestage.ApplicationUpdate{Name: new("shop")}, true},
		{"description", external.Changes{Paths: []string{"spec.description"}}, servicestage.ApplicationUpdate{Description: new("text")}, true},
		{"enterprise project", external.Changes{Paths: []string{"spec.enterpriseProjectID"}}, servicestage.ApplicationUpdate{EnterpriseProjectID: new("ep-1")}, true},
		{"labels", external.Changes{Paths: []string{"spec.labels[a]"}}, servicestage.ApplicationUpdate{Labels: wantedLabels}, true},
		{"the mark", external.Changes{Mark: true}, servicestage.ApplicationUpdate{Labels: wantedLabels}, true},
		{"no mark", external.Changes{Unmark: true}, servicestage.ApplicationUpdate{Labels: &[]servicestage.Label{{Key: "old", Value: "1"}}}, true},
		{"configurations", external.Changes{Paths: []string{"spec.configurations[prod].env[A]"}}, servicestage.ApplicationUpdate{}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := &observed{labelsKnown: true}
			o.Name, o.Labels = "was", []servicestage.Label{{Key: "old", Value: "1"}, token}
			got, needed := updateOf(full(), o, tc.changes, claim)
			if diff := cmp.Diff(tc.want, got); diff != "" || needed != tc.needed {
				t.Errorf("needed %t, want %t; update (-want +got):\n%s", needed, tc.needed, diff)
			}
		})
	}
}

func TestLooksAtConfigurationsOnlyWhereTheyMatter(t *testing.T) {
	for name, tc := range map[string]struct {
		w    wanted
		want bool
	}{
		"none wanted, none written": {wanted{}, false},
		"wanted":                    {wanted{configurations: []configuration{{environmentID: "e1"}}}, true},
		"written before":            {wanted{written: []string{"e1"}}, true},
	} {
		if got := tc.w.looksAtConfigurations(); got != tc.want {
			t.Errorf("%s: %t, want %t", name, got, tc.want)
		}
	}
}

func TestWantedOf(t *testing.T) {
	a := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
	unexported := cmp.AllowUnexported(wanted{}, configuration{})
	if diff := cmp.Diff(wanted{name: "shop", defaultEnterpriseProjectID: "ep", unclaimed: true}, wantedOf(a, "ep"), unexported); diff != "" {
		t.Errorf("what is left out is managed (-want +got):\n%s", diff)
	}
	a.Spec = v1alpha1.ApplicationSpec{Name: "web", Description: new(""), EnterpriseProjectID: "ep-1", Labels: map[string]string{}}
	a.Status.ID = "id-1"
	a.Status.Configurations = []v1alpha1.ObservedApplicationConfiguration{{EnvironmentID: "e1"}, {EnvironmentID: "e2"}}
	want := wanted{name: "web", description: new(""), enterpriseProjectID: "ep-1", labels: map[string]string{}, written: []string{"e1", "e2"}}
	if diff := cmp.Diff(want, wantedOf(a, ""), unexported); diff != "" {
		t.Errorf("what is empty is managed (-want +got):\n%s", diff)
	}
}

func TestReport(t *testing.T) {
	a := &v1alpha1.Application{}
	w := full()
	o := applied(w)
	o.ComponentCount = 3
	o.configurations["of-others"] = vars("X", "1")
	(&resource{wanted: w}).claimConfigurations(o)
	health := report(a, o)
	want := v1alpha1.ApplicationStatus{
		Name: "shop", EnterpriseProjectID: "ep-1", ComponentCount: 3,
		Configurations: []v1alpha1.ObservedApplicationConfiguration{{EnvironmentID: "e1", Variables: 2}, {EnvironmentID: "e2"}},
	}
	if diff := cmp.Diff(want, a.Status); diff != "" || health.State != external.Healthy || !strings.Contains(health.Message, "shop") {
		t.Errorf("health %+v, status (-want +got):\n%s", health, diff)
	}
	// What a call leaves out is kept.
	o.configurations, o.ours = nil, nil
	report(a, o)
	if len(a.Status.Configurations) != 2 {
		t.Errorf("configurations %+v", a.Status.Configurations)
	}
}

func TestReferences(t *testing.T) {
	a := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "shop"}}
	from := func(secret, configMap string) v1alpha1.EnvVar {
		v := v1alpha1.EnvVar{ValueFrom: &v1alpha1.ValueSource{}}
		if secret != "" {
			v.ValueFrom.SecretKeyRef = &v1alpha1.KeySelector{Name: secret}
		}
		if configMap != "" {
			v.ValueFrom.ConfigMapKeyRef = &v1alpha1.KeySelector{Name: configMap}
		}
		return v
	}
	a.Spec.Configurations = []v1alpha1.ApplicationConfiguration{
		{EnvironmentRef: v1alpha1.Reference{Name: "prod"}, Env: []v1alpha1.EnvVar{from("db", ""), from("", "settings"), {Value: new("x")}}},
		{EnvironmentRef: v1alpha1.Reference{ID: "e2"}, Env: []v1alpha1.EnvVar{from("mq", "")}},
	}
	got := map[string][]types.NamespacedName{}
	for _, r := range Definition(nil, nil, nil).References {
		got[r.Field] = r.Targets(a)
		if !r.Input {
			t.Errorf("a change of %s is not looked at", r.Field)
		}
	}
	key := func(name string) types.NamespacedName { return types.NamespacedName{Namespace: "team", Name: name} }
	want := map[string][]types.NamespacedName{
		"spec.configurations.environmentRef":                {key("prod")},
		"spec.configurations.env.valueFrom.secretKeyRef":    {key("db"), key("mq")},
		"spec.configurations.env.valueFrom.configMapKeyRef": {key("settings")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
}

// decode makes what is wanted of text, as the fuzzer needs it: labels as "key=value" and variables as
// "environment/NAME=value", each on a line of its own.
func decode(name, description, labelLines, envLines string, managed byte) wanted {
	w := wanted{name: name, enterpriseProjectID: []string{"", "0", "ep"}[managed/4%3]}
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
	byEnvironment := map[string]map[string]string{}
	for line := range strings.Lines(envLines) {
		environment, variable, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "/")
		name, value, _ := strings.Cut(variable, "=")
		if byEnvironment[environment] == nil {
			byEnvironment[environment] = map[string]string{}
		}
		byEnvironment[environment][name] = value
	}
	for _, id := range slices.Sorted(maps.Keys(byEnvironment)) {
		c := configuration{environmentID: id, label: id}
		for _, name := range slices.Sorted(maps.Keys(byEnvironment[id])) {
			c.env = append(c.env, servicestage.EnvVar{Name: name, Value: byEnvironment[id][name]})
		}
		w.configurations = append(w.configurations, c)
	}
	return w
}

// update makes the changes to an observation, as the cloud does.
func update(w wanted, o *observed, changes external.Changes) *observed {
	after := *o
	after.configurations = maps.Clone(o.configurations)
	if u, needed := updateOf(w, o, changes, claim); needed {
		if u.Name != nil {
			after.Name = *u.Name
		}
		if u.Description != nil {
			after.Description = *u.Description
		}
		if u.EnterpriseProjectID != nil {
			after.EnterpriseProjectID = *u.EnterpriseProjectID
		}
		if u.Labels != nil {
			after.Labels = *u.Labels
		}
	}
	for _, c := range w.configurations {
		if changes.Within(c.path()) {
			after.configurations[c.environmentID] = c.env
		}
	}
	for _, id := range w.dropped(&after) {
		delete(after.configurations, id)
	}
	return &after
}

func FuzzDiff(f *testing.F) {
	f.Add("shop", "text", "a=1\nb=2\n", "e1/A=1\ne1/B=2\ne2/A=\n", byte(7), "old", "else", "a=2\nc=3\n", "e1/A=2\ne3/C=3\n", byte(3))
	f.Add("shop", "", "", "", byte(3), "shop", "x", "=\n", "/=\n", byte(0))
	f.Add("shop", "text", "a=1\n", "e1/A\n", byte(0), "Shop", "text", "b=1\n", "", byte(255))
	f.Add("", "", "servicestage-dev-claim=x\n", "/\n", byte(6), "", "", "", "", byte(9))
	f.Fuzz(func(t *testing.T, name, description, labelLines, envLines string, managed byte,
		otherName, otherDescription, otherLabels, otherEnv string, otherManaged byte) {
		w := decode(name, description, labelLines, envLines, managed)
		if changes := diff(w, applied(w)); !changes.Empty() {
			t.Fatalf("what was applied differs: %+v", changes)
		}
		before := decode(otherName, otherDescription, otherLabels, otherEnv, otherManaged)
		other := applied(before)
		for _, c := range before.configurations {
			if managed&128 != 0 {
				w.written = append(w.written, c.environmentID)
			}
		}
		changes := diff(w, other)
		if !slices.IsSorted(changes.Paths) || len(changes.Immutable) > 0 {
			t.Errorf("changes are %+v", changes)
		}
		after := update(w, other, changes)
		if again := diff(w, after); !again.Empty() {
			t.Errorf("%q differ again after the update of %q", again.Paths, changes.Paths)
		}
		if w.description == nil && after.Description != other.Description || w.labels == nil && !cmp.Equal(after.Labels, other.Labels) {
			t.Errorf("what is not managed changed from %+v to %+v", other, after)
		}
		for id, env := range other.configurations {
			ours := slices.Contains(w.written, id) || slices.ContainsFunc(w.configurations, func(c configuration) bool { return c.environmentID == id })
			if !ours && !cmp.Equal(after.configurations[id], env) {
				t.Errorf("the configuration %s of others changed", id)
			}
		}
	})
}
