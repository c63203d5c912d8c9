// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package metrics counts what the loop does and how its objects are, for Prometheus.
package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics of the loop. Labels are bounded: controllers, classes and verbs are few.
type Metrics struct {
	reconciliations *prometheus.CounterVec
	drift           *prometheus.CounterVec
	operations      *prometheus.HistogramVec
}

// New returns metrics that are registered with r. It panics where r has metrics of these names already.
func New(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		reconciliations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "servicestage_reconciliations_total",
			Help: "Reconciliations by the class of their outcome.",
		}, []string{"controller", "class"}),
		drift: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "servicestage_drift_repaired_fields_total",
			Help: "Fields that were changed behind the operator's back and set right.",
		}, []string{"controller"}),
		operations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "servicestage_operation_duration_seconds",
			Help: "How long jobs of the cloud took, from the call that began them until they were seen to have ended.",
			// From a deployment that takes seconds to an engine that takes an hour.
			Buckets: []float64{5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600},
		}, []string{"controller", "verb", "result"}),
	}
	r.MustRegister(m.reconciliations, m.drift, m.operations)
	return m
}

// Reconciled counts a pass by the class of its outcome.
func (m *Metrics) Reconciled(controller, class string) {
	m.reconciliations.WithLabelValues(controller, class).Inc()
}

// DriftRepaired counts fields that were changed behind the operator's back and set right.
func (m *Metrics) DriftRepaired(controller string, fields int) {
	m.drift.WithLabelValues(controller).Add(float64(fields))
}

// OperationEnded records how long a job of the cloud took, and whether its result is of use.
func (m *Metrics) OperationEnded(controller, verb string, succeeded bool, took time.Duration) {
	result := "Failed"
	if succeeded {
		result = "Succeeded"
	}
	m.operations.WithLabelValues(controller, verb, result).Observe(took.Seconds())
}

// Ages says how old what lists told is, by what they are of.
type Ages func() map[string]time.Duration

// SnapshotAges registers the ages of what is known of engines' configuration items, by feed.
func SnapshotAges(r prometheus.Registerer, ages Ages) {
	r.MustRegister(&snapshotAges{desc: prometheus.NewDesc(snapshotAge.Name, snapshotAge.Help, []string{"feed"}, nil), of: map[string]Ages{"": ages}})
}

// ListAges registers the ages of what is known of cloud resources by lists: by controller, those by account.
func ListAges(r prometheus.Registerer, ages map[string]Ages) {
	r.MustRegister(&snapshotAges{desc: prometheus.NewDesc(listAge.Name, listAge.Help, []string{"account", "controller"}, nil), of: ages})
}

var (
	snapshotAge = prometheus.GaugeOpts{
		Name: "servicestage_kie_snapshot_age_seconds",
		Help: "How long ago an engine last told its configuration items, or that they have not changed.",
	}
	listAge = prometheus.GaugeOpts{
		Name: "servicestage_list_age_seconds",
		Help: "How long ago an account's cloud resources of a kind were last listed.",
	}
)

// snapshotAges asks when it is asked: an age grows by itself.
type snapshotAges struct {
	desc *prometheus.Desc
	// of are the sources, by controller; "" where there is one alone.
	of map[string]Ages
}

// Describe is part of a collector.
func (s *snapshotAges) Describe(out chan<- *prometheus.Desc) { out <- s.desc }

// Collect is part of a collector.
func (s *snapshotAges) Collect(out chan<- prometheus.Metric) {
	for controller, ages := range s.of {
		for feed, age := range ages() {
			labels := []string{feed}
			if controller != "" {
				labels = append(labels, controller)
			}
			out <- prometheus.MustNewConstMetric(s.desc, prometheus.GaugeValue, age.Seconds(), labels...)
		}
	}
}
