// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"servicestage.dev/operator/api/v1alpha1"
)

const (
	resourcesName  = "servicestage_resources"
	conditionsName = "servicestage_resource_conditions"
	driftedName    = "servicestage_drifted_fields"
)

var (
	resourcesDesc = prometheus.NewDesc(resourcesName, "Objects by kind.", []string{"kind"}, nil)
	// The labels are bounded: every reason is a constant of the API.
	conditionsDesc = prometheus.NewDesc(conditionsName,
		"Objects by kind and condition, with the status and the reason that the condition has.",
		[]string{"kind", "condition", "status", "reason"}, nil)
	driftedDesc = prometheus.NewDesc(driftedName,
		"Fields in which the cloud differs from the spec now, as status.drift lists them (16 an object at most), by kind.",
		[]string{"kind"}, nil)
)

// collectTimeout bounds a scrape that meets a cache which is not there yet.
const collectTimeout = 5 * time.Second

// Resources tells how the objects in the manager's cache are. It counts when it is asked, so that nothing can be counted
// twice or missed. Of several managers only the one that acts tells it: sums over all are right.
type Resources struct {
	cache  client.Reader
	scheme *runtime.Scheme
	acts   <-chan struct{}
}

var _ prometheus.Collector = (*Resources)(nil)

// NewResources returns a collector over all kinds of the API. It tells nothing before acts is closed.
func NewResources(cache client.Reader, scheme *runtime.Scheme, acts <-chan struct{}) *Resources {
	return &Resources{cache: cache, scheme: scheme, acts: acts}
}

// Describe sends what Collect will send.
func (r *Resources) Describe(into chan<- *prometheus.Desc) {
	into <- resourcesDesc
	into <- conditionsDesc
	into <- driftedDesc
}

// Collect counts the objects in the cache.
func (r *Resources) Collect(into chan<- prometheus.Metric) {
	select {
	case <-r.acts:
	default:
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	for _, kind := range kindsOf(r.scheme) {
		if err := r.collect(ctx, kind, into); err != nil {
			log.Log.WithName("metrics").Error(err, "Objects cannot be counted", "kind", kind)
		}
	}
}

// kindsOf lists the kinds of the API.
func kindsOf(scheme *runtime.Scheme) []string {
	var kinds []string
	for name := range scheme.KnownTypes(v1alpha1.GroupVersion) {
		if kind, ok := strings.CutSuffix(name, "List"); ok && scheme.Recognizes(v1alpha1.GroupVersion.WithKind(kind)) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// tally is what is counted of a kind.
type tally struct {
	objects, drifted int
	conditions       map[condition]int
}

type condition struct{ kind, status, reason string }

func (r *Resources) collect(ctx context.Context, kind string, into chan<- prometheus.Metric) error {
	created, err := r.scheme.New(v1alpha1.GroupVersion.WithKind(kind + "List"))
	if err != nil {
		return err
	}
	list, ok := created.(client.ObjectList)
	if !ok {
		return fmt.Errorf("%T is no list", created)
	}
	// Nothing below writes to the objects, which are the cache's own.
	if err := r.cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	t := tally{conditions: map[condition]int{}}
	if err := meta.EachListItem(list, t.add); err != nil {
		return err
	}
	gauge := func(desc *prometheus.Desc, value int, labels ...string) {
		into <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value), labels...)
	}
	gauge(resourcesDesc, t.objects, kind)
	gauge(driftedDesc, t.drifted, kind)
	for c, n := range t.conditions {
		gauge(conditionsDesc, n, kind, c.kind, c.status, c.reason)
	}
	return nil
}

// add counts one object.
func (t *tally) add(obj runtime.Object) error {
	t.objects++
	var list []metav1.Condition
	switch o := obj.(type) {
	case interface {
		CommonStatus() *v1alpha1.ResourceStatus
	}:
		list = o.CommonStatus().Conditions
		t.drifted += len(o.CommonStatus().Drift)
	case interface {
		AccountStatus() *v1alpha1.AccountStatus
	}:
		list = o.AccountStatus().Conditions
	default:
		return fmt.Errorf("%T has no conditions", obj)
	}
	for _, c := range list {
		t.conditions[condition{c.Type, string(c.Status), c.Reason}]++
	}
	return nil
}
