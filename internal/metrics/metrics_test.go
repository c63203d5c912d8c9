// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/conditions"
)

func TestLoopMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := New(registry)
	m.Reconciled("environment", "Settled")
	m.Reconciled("environment", "Settled")
	m.DriftRepaired("application", 3)
	m.OperationEnded("component", "Create", true, 90*time.Second)
	m.OperationEnded("component", "Create", false, time.Second)
	want := `
		# HELP servicestage_drift_repaired_fields_total Fields that were changed behind the operator's back and set right.
		# TYPE servicestage_drift_repaired_fields_total counter
		servicestage_drift_repaired_fields_total{controller="application"} 3
		# HELP servicestage_reconciliations_total Reconciliations by the class of their outcome.
		# TYPE servicestage_reconciliations_total counter
		servicestage_reconciliations_total{class="Settled",controller="environment"} 2
	`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "servicestage_drift_repaired_fields_total", "servicestage_reconciliations_total"); err != nil {
		t.Error(err)
	}
	lint(t, registry)
	for result, seconds := range map[string]float64{"Succeeded": 90, "Failed": 1} {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, family := range families {
			for _, metric := range family.GetMetric() {
				for _, label := range metric.GetLabel() {
					if label.GetName() == "result" && label.GetValue() == result {
						found = true
						if h := metric.GetHistogram(); h.GetSampleCount() != 1 || h.GetSampleSum() != seconds {
							t.Errorf("%s: %d operations of %v s, want one of %v s", result, h.GetSampleCount(), h.GetSampleSum(), seconds)
						}
					}
				}
			}
		}
		if !found {
			t.Errorf("no operation %s", result)
		}
	}
}

// lint fails where a metric is not named by Prometheus' conventions.
func lint(t *testing.T, registry *prometheus.Registry) {
	t.Helper()
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
}

// environment is one with a Ready condition.
func environment(name, reason string, status metav1.ConditionStatus, drift ...string) *v1alpha1.Environment {
	e := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name}}
	conditions.Set(&e.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: status, Reason: reason})
	e.Status.Drift = drift
	return e
}

// newCache returns what a manager's cache holds.
func newCache(t *testing.T, objects ...client.Object) (client.WithWatch, *runtime.Scheme) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(), scheme
}

func TestResourcesBeforeAndAfterTheManagerActs(t *testing.T) {
	account := &v1alpha1.CloudAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "default"}}
	conditions.Set(&account.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "Available"})
	cache, scheme := newCache(t, account,
		environment("one", "Available", metav1.ConditionTrue), environment("two", "Available", metav1.ConditionTrue, "spec.name", "spec.labels"),
		environment("three", "Rejected", metav1.ConditionFalse),
	)
	acts := make(chan struct{})
	registry := prometheus.NewRegistry()
	registry.MustRegister(NewResources(cache, scheme, acts))
	if n, err := testutil.GatherAndCount(registry); err != nil || n != 0 {
		t.Errorf("%d series while another manager acts, %v; want none", n, err)
	}

	close(acts)
	want := &strings.Builder{}
	gauge := func(name, help string, value func(kind string) int) {
		fmt.Fprintf(want, "# HELP %s %s\n# TYPE %[1]s gauge\n", name, help)
		for _, kind := range kindsOf(scheme) {
			fmt.Fprintf(want, "%s{kind=%q} %d\n", name, kind, value(kind))
		}
	}
	gauge(driftedName, "Fields in which the cloud differs from the spec now, as status.drift lists them (16 an object at most), by kind.",
		func(kind string) int { return map[string]int{"Environment": 2}[kind] })
	want.WriteString(`
		# HELP servicestage_resource_conditions Objects by kind and condition, with the status and the reason that the condition has.
		# TYPE servicestage_resource_conditions gauge
		servicestage_resource_conditions{condition="Ready",kind="CloudAccount",reason="Available",status="True"} 1
		servicestage_resource_conditions{condition="Ready",kind="Environment",reason="Available",status="True"} 2
		servicestage_resource_conditions{condition="Ready",kind="Environment",reason="Rejected",status="False"} 1
	`)
	gauge(resourcesName, "Objects by kind.", func(kind string) int { return map[string]int{"CloudAccount": 1, "Environment": 3}[kind] })
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want.String())); err != nil {
		t.Error(err)
	}
	lint(t, registry)
}

func TestAKindThatCannotBeListedLeavesTheOthers(t *testing.T) {
	cache, scheme := newCache(t, environment("one", "Available", metav1.ConditionTrue))
	broken := interceptor.NewClient(cache, interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if _, ok := list.(*v1alpha1.ComponentList); ok {
				return errors.New("no such informer")
			}
			return c.List(ctx, list, opts...)
		},
	})
	acts := make(chan struct{})
	close(acts)
	registry := prometheus.NewRegistry()
	registry.MustRegister(NewResources(broken, scheme, acts))
	if n, err := testutil.GatherAndCount(registry, resourcesName); err != nil || n != len(kindsOf(scheme))-1 {
		t.Errorf("%d kinds, %v; want all but one of %q", n, err, kindsOf(scheme))
	}
}
