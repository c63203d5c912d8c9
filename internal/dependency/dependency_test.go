// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package dependency

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/conditions"
	"servicestage.dev/operator/internal/external"
)

func env(name string, changes ...func(*v1alpha1.Environment)) *v1alpha1.Environment {
	e := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name}}
	e.Spec.AccountRef = v1alpha1.AccountReference{Kind: v1alpha1.AccountKindCluster, Name: "shared"}
	for _, change := range changes {
		change(e)
	}
	return e
}

func withID(id string) func(*v1alpha1.Environment) {
	return func(e *v1alpha1.Environment) { e.Status.ID = id }
}

// app refers to environments by name, and to the Secret "keys".
func app(name string, environments ...string) *v1alpha1.Application {
	a := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name}}
	for _, e := range environments {
		a.Spec.Configurations = append(a.Spec.Configurations, v1alpha1.ApplicationConfiguration{EnvironmentRef: v1alpha1.Reference{Name: e}})
	}
	return a
}

func environmentsOf(a *v1alpha1.Application) (keys []types.NamespacedName) {
	for _, c := range a.Spec.Configurations {
		keys = append(keys, types.NamespacedName{Namespace: a.Namespace, Name: c.EnvironmentRef.Name})
	}
	return keys
}

func keysOf(a *v1alpha1.Application) []types.NamespacedName {
	return []types.NamespacedName{{Namespace: a.Namespace, Name: "keys"}}
}

func sharedOf(e *v1alpha1.Environment) []types.NamespacedName {
	if e.Spec.AccountRef.Kind != v1alpha1.AccountKindCluster {
		return nil
	}
	return []types.NamespacedName{{Name: e.Spec.AccountRef.Name}}
}

// newGraph returns a graph over a fake API server: Applications refer to Environments (an input, and guarding) and to a
// Secret; Environments to a ClusterCloudAccount (guarding).
func newGraph(t *testing.T, objects ...client.Object) (*Graph, client.WithWatch) {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		must(t, add(scheme))
	}
	api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.Environment{}, &v1alpha1.Application{}).Build()
	graph := NewGraph(api)
	must(t, graph.Add(
		New("spec.configurations.environmentRef", &v1alpha1.Application{}, &v1alpha1.Environment{}, environmentsOf,
			IDVersion[*v1alpha1.Environment]).AsInput().Guarding(),
		ToMetadata("spec.secretRef", &v1alpha1.Application{}, schema.GroupVersionKind{Version: "v1", Kind: "Secret"}, keysOf),
		New("spec.accountRef", &v1alpha1.Environment{}, &v1alpha1.ClusterCloudAccount{}, sharedOf,
			func(a *v1alpha1.ClusterCloudAccount) string { return a.Status.ProjectID }).Guarding(),
	))
	must(t, graph.Index(t.Context(), indexer{api}))
	return graph, api
}

type indexer struct{ api client.Client }

func (i indexer) IndexField(_ context.Context, obj client.Object, field string, extract client.IndexerFunc) error {
	return fake.AddIndex(i.api, obj, field, extract)
}

func TestWithoutLeavesAKindAlone(t *testing.T) {
	_, api := newGraph(t)
	indexed := map[string]bool{}
	graph := NewGraph(api).Without(v1alpha1.GroupVersion.WithKind("ClusterCloudAccount"))
	must(t, graph.Add(
		New("spec.environmentRef", &v1alpha1.Application{}, &v1alpha1.Environment{}, environmentsOf, IDVersion[*v1alpha1.Environment]),
		New("spec.accountRef", &v1alpha1.Environment{}, &v1alpha1.ClusterCloudAccount{}, sharedOf,
			func(a *v1alpha1.ClusterCloudAccount) string { return a.Status.ProjectID }).AsInput().Guarding(),
	))
	must(t, graph.Index(t.Context(), fieldIndexer(func(field string) { indexed[field] = true })))
	if diff := cmp.Diff(map[string]bool{"spec.environmentRef->Environment": true}, indexed); diff != "" {
		t.Errorf("indexes (-want +got):\n%s", diff)
	}
	if inputs, err := graph.Inputs(t.Context(), env("dev")); inputs != "" || err != nil {
		t.Errorf("Inputs = %q, %v, want none", inputs, err)
	}
	shared := &v1alpha1.ClusterCloudAccount{ObjectMeta: metav1.ObjectMeta{Name: "shared"}}
	if names, err := graph.Dependants(t.Context(), shared); names != nil || err != nil {
		t.Errorf("Dependants = %q, %v, want none", names, err)
	}
}

// fieldIndexer is told the names of indexes.
type fieldIndexer func(field string)

func (f fieldIndexer) IndexField(_ context.Context, _ client.Object, field string, _ client.IndexerFunc) error {
	f(field)
	return nil
}

func TestDependants(t *testing.T) {
	shared := &v1alpha1.ClusterCloudAccount{ObjectMeta: metav1.ObjectMeta{Name: "shared"}}
	elsewhere := env("prod")
	elsewhere.Namespace = "others"
	foreign := app("foreign", "prod")
	foreign.Namespace = "others"
	graph, _ := newGraph(t, shared, env("prod"), env("dev"), elsewhere, app("shop", "prod"), app("blog", "prod", "dev", "prod"), foreign,
		env("private", func(e *v1alpha1.Environment) { e.Spec.AccountRef.Kind = v1alpha1.AccountKindNamespaced }))
	for _, tc := range []struct {
		name string
		of   client.Object
		want []string
	}{
		{"several, sorted, each once", env("prod"), []string{"Application blog", "Application shop"}},
		{"one", env("dev"), []string{"Application blog"}},
		{"none", env("test"), nil},
		{"of its own namespace only", elsewhere, []string{"Application foreign"}},
		{"of a cluster-wide object, with namespaces", shared, []string{"Environment others/prod", "Environment team/dev", "Environment team/prod"}},
		{"of a kind that nothing refers to", app("shop"), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := graph.Dependants(t.Context(), tc.of)
			must(t, err)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("dependants (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnlyGuardsHoldBack(t *testing.T) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "keys"}}
	graph, _ := newGraph(t, secret, app("shop"))
	got, err := graph.Dependants(t.Context(), secret)
	if err != nil || len(got) > 0 {
		t.Errorf("dependants of a Secret that nothing guards: %q, %v", got, err)
	}
}

func TestInputsMoveWithWhatMatters(t *testing.T) {
	keys := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "keys", UID: "uid"}}
	shop := app("shop", "prod", "dev")
	graph, api := newGraph(t, env("prod", withID("id-1")), env("test"), keys, shop)
	inputs := func() string {
		t.Helper()
		got, err := graph.Inputs(t.Context(), shop)
		must(t, err)
		if again, err := graph.Inputs(t.Context(), shop); err != nil || again != got {
			t.Errorf("inputs %s, then %s, %v", got, again, err)
		}
		return got
	}
	last := inputs()
	if last == "" {
		t.Fatal("there are inputs")
	}
	step := func(what string, moves bool, change func()) {
		t.Helper()
		change()
		next := inputs()
		if moved := next != last; moved != moves {
			t.Errorf("%s: moved %t, want %t", what, moved, moves)
		}
		last = next
	}
	step("nothing", false, func() {})
	step("a missing target appears", true, func() { must(t, api.Create(t.Context(), env("dev"))) })
	step("it gets an id", true, func() {
		e := get(t, api, "dev")
		e.Status.ID = "id-2"
		must(t, api.Status().Update(t.Context(), e))
	})
	step("something else of it changes", false, func() {
		e := get(t, api, "dev")
		e.Labels = map[string]string{"a": "b"}
		must(t, api.Update(t.Context(), e))
	})
	step("an object that is not referred to changes", false, func() {
		e := get(t, api, "test")
		e.Status.ID = "id-3"
		must(t, api.Status().Update(t.Context(), e))
	})
	step("the Secret changes", true, func() {
		must(t, api.Get(t.Context(), client.ObjectKeyFromObject(keys), keys))
		keys.Data = map[string][]byte{"a": []byte("b")}
		must(t, api.Update(t.Context(), keys))
	})
	step("the order of the references changes", false, func() { slices.Reverse(shop.Spec.Configurations) })
	step("a reference is written twice", false, func() {
		shop.Spec.Configurations = append(shop.Spec.Configurations, shop.Spec.Configurations[0])
	})
	step("a reference goes", true, func() { shop.Spec.Configurations = shop.Spec.Configurations[:1] })
	step("the Secret goes", true, func() { must(t, api.Delete(t.Context(), keys)) })

	if got, err := graph.Inputs(t.Context(), env("prod")); err != nil || got != "" {
		t.Errorf("inputs of an object without any: %q, %v", got, err)
	}
}

func get(t *testing.T, api client.Client, name string) *v1alpha1.Environment {
	t.Helper()
	e := &v1alpha1.Environment{}
	must(t, api.Get(t.Context(), types.NamespacedName{Namespace: "team", Name: name}, e))
	return e
}

func TestAddRefusesUnknownKinds(t *testing.T) {
	graph, _ := newGraph(t)
	type stranger struct{ v1alpha1.Environment }
	for _, r := range []Reference{
		{Field: "spec.a", From: &stranger{}, To: &v1alpha1.Environment{}},
		{Field: "spec.b", From: &v1alpha1.Environment{}, To: &stranger{}},
	} {
		if err := graph.Add(r); err == nil || !strings.Contains(err.Error(), "reference "+r.Field) {
			t.Errorf("Add(%s) returned %v", r.Field, err)
		}
	}
}

func TestReferencesOfOtherTypesAreNone(t *testing.T) {
	r := New("spec.x", &v1alpha1.Application{}, &v1alpha1.Environment{}, environmentsOf, IDVersion[*v1alpha1.Environment])
	if got := r.Targets(env("prod")); got != nil {
		t.Errorf("targets of another kind: %v", got)
	}
	if got := r.Version(app("shop")); got != "" {
		t.Errorf("version of another kind: %q", got)
	}
}

func TestID(t *testing.T) {
	deleted := env("going", withID("id-9"), func(e *v1alpha1.Environment) {
		e.Finalizers = []string{v1alpha1.Finalizer}
		e.DeletionTimestamp = new(metav1.Now())
	})
	failing := env("failing", func(e *v1alpha1.Environment) {
		conditions.Set(&e.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: "R", Message: "no quota"})
	})
	_, api := newGraph(t, env("prod", withID("id-1")), env("new"), failing, deleted)
	for _, tc := range []struct {
		name   string
		ref    v1alpha1.Reference
		want   string
		reason external.WaitReason
		words  []string
	}{
		{name: "an id", ref: v1alpha1.Reference{ID: "id-7"}, want: "id-7"},
		{name: "an object", ref: v1alpha1.Reference{Name: "prod"}, want: "id-1"},
		{name: "nothing", ref: v1alpha1.Reference{Name: "nowhere"}, reason: external.NotFound, words: []string{`no Environment "nowhere" in namespace team`, "create it, or correct the name"}},
		{name: "an object that is new", ref: v1alpha1.Reference{Name: "new"}, reason: external.NotReady, words: []string{`Environment "new" has no id in the cloud yet: it was not looked at yet`}},
		{name: "an object that fails", ref: v1alpha1.Reference{Name: "failing"}, reason: external.NotReady, words: []string{"no quota"}},
		{name: "an object that goes", ref: v1alpha1.Reference{Name: "going"}, reason: external.NotReady, words: []string{`Environment "going" is being deleted`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ID(t.Context(), api, "team", "spec.ref", tc.ref, &v1alpha1.Environment{})
			if tc.want != "" {
				if err != nil || got != tc.want {
					t.Errorf("ID = %q, %v, want %q", got, err, tc.want)
				}
				return
			}
			var wait *external.WaitError
			if !errors.As(err, &wait) || wait.Reason != tc.reason || wait.Cause != external.WaitForReference || wait.Stalled || got != "" {
				t.Fatalf("ID = %q, %#v, want a wait for %s", got, err, tc.reason)
			}
			for _, word := range append(tc.words, "spec.ref: ") {
				if !strings.Contains(wait.Message, word) {
					t.Errorf("message %q does not hold %q", wait.Message, word)
				}
			}
		})
	}
}

func TestFailuresOfTheAPIServerAreNoWaits(t *testing.T) {
	down := errors.New("etcd is down")
	_, api := newGraph(t)
	broken := interceptor.NewClient(api, interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return down
		},
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return down },
	})
	graph, _ := newGraph(t)
	graph.client = broken
	_, idErr := ID(t.Context(), broken, "team", "spec.ref", v1alpha1.Reference{Name: "prod"}, &v1alpha1.Environment{})
	_, inputsErr := graph.Inputs(t.Context(), app("shop", "prod"))
	_, dependantsErr := graph.Dependants(t.Context(), env("prod"))
	for what, err := range map[string]error{"ID": idErr, "Inputs": inputsErr, "Dependants": dependantsErr} {
		var wait *external.WaitError
		if !errors.Is(err, down) || errors.As(err, &wait) {
			t.Errorf("%s returned %v", what, err)
		}
	}
}

// A client that puts a name into the URL as it is would read from wherever it leads.
func TestNamesThatLeadElsewhereAreNotRead(t *testing.T) {
	graph, api := newGraph(t)
	var read []string
	graph.client = interceptor.NewClient(api, interceptor.Funcs{
		Get: func(_ context.Context, _ client.WithWatch, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
			read = append(read, key.Name)
			return nil
		},
	})
	for _, name := range []string{"../../other/environments/prod", "other/prod", "prod/status", "..", "prod%2fstatus"} {
		if _, err := graph.Inputs(t.Context(), app("shop", name)); err != nil {
			t.Errorf("%q: %v, want what is said of a missing object", name, err)
		}
	}
	if slices.ContainsFunc(read, func(name string) bool { return name != "keys" }) {
		t.Errorf("the API server was asked for %q", read)
	}
}

// edgeTo returns the graph's edge from one kind to another.
func edgeTo(t *testing.T, g *Graph, from, to string) edge {
	t.Helper()
	for _, e := range g.edges {
		if e.from.Kind == from && e.to.Kind == to {
			return e
		}
	}
	t.Fatalf("no edge from %s to %s", from, to)
	return edge{}
}

func names(requests []reconcile.Request) (got []string) {
	for _, r := range requests {
		got = append(got, r.String())
	}
	return got
}

func TestWakeDependants(t *testing.T) {
	graph, _ := newGraph(t, app("shop", "prod"), app("blog", "prod"), app("wiki", "dev"))
	wake := graph.wakeDependants(edgeTo(t, graph, "Application", "Environment"))
	if diff := cmp.Diff([]string{"team/blog", "team/shop"}, names(wake(t.Context(), env("prod")))); diff != "" {
		t.Errorf("woken (-want +got):\n%s", diff)
	}
	if got := names(wake(t.Context(), env("test"))); got != nil {
		t.Errorf("woken by what nothing refers to: %q", got)
	}
}

func TestWakeDeletedWakesWhatIsHeldBack(t *testing.T) {
	going := env("going", func(e *v1alpha1.Environment) {
		e.Finalizers = []string{v1alpha1.Finalizer}
		e.DeletionTimestamp = new(metav1.Now())
	})
	graph, _ := newGraph(t, going, env("staying"))
	wake := graph.wakeDeleted(edgeTo(t, graph, "Application", "Environment"))
	got := names(wake(t.Context(), app("shop", "going", "staying", "gone")))
	if diff := cmp.Diff([]string{"team/going"}, got); diff != "" {
		t.Errorf("woken (-want +got):\n%s", diff)
	}
}

func TestVersionChangedPassesWhatMatters(t *testing.T) {
	graph, _ := newGraph(t)
	passes := versionChanged(edgeTo(t, graph, "Application", "Environment"))
	for name, tc := range map[string]struct {
		before, after *v1alpha1.Environment
		want          bool
	}{
		"an id appears":         {env("prod"), env("prod", withID("id-1")), true},
		"an id goes":            {env("prod", withID("id-1")), env("prod"), true},
		"the same id":           {env("prod", withID("id-1")), env("prod", withID("id-1")), false},
		"a label, the same id":  {env("prod"), env("prod", func(e *v1alpha1.Environment) { e.Labels = map[string]string{"a": "b"} }), false},
		"another id altogether": {env("prod", withID("id-1")), env("prod", withID("id-2")), true},
	} {
		if got := passes.Update(event.UpdateEvent{ObjectOld: tc.before, ObjectNew: tc.after}); got != tc.want {
			t.Errorf("%s: passes %t, want %t", name, got, tc.want)
		}
	}
	if !passes.Create(event.CreateEvent{Object: env("prod")}) || !passes.Delete(event.DeleteEvent{Object: env("prod")}) {
		t.Error("a target that appears or goes wakes nobody")
	}
}

func TestLetGoPassesWhatMayFreeATarget(t *testing.T) {
	graph, _ := newGraph(t)
	passes := letGo(edgeTo(t, graph, "Application", "Environment"))
	for name, tc := range map[string]struct {
		before, after *v1alpha1.Application
		want          bool
	}{
		"the same references":   {app("shop", "a", "b"), app("shop", "b", "a"), false},
		"one more":              {app("shop", "a"), app("shop", "a", "b"), false},
		"one fewer":             {app("shop", "a", "b"), app("shop", "b"), true},
		"another":               {app("shop", "a"), app("shop", "b"), true},
		"none and none":         {app("shop"), app("shop"), false},
		"one that is gone both": {app("shop", "a", "a"), app("shop", "a"), false},
	} {
		if got := passes.Update(event.UpdateEvent{ObjectOld: tc.before, ObjectNew: tc.after}); got != tc.want {
			t.Errorf("%s: passes %t, want %t", name, got, tc.want)
		}
	}
	if passes.Create(event.CreateEvent{Object: app("shop", "a")}) {
		t.Error("a new dependant frees nothing")
	}
	if !passes.Delete(event.DeleteEvent{Object: app("shop", "a")}) {
		t.Error("a dependant that goes wakes nobody")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
