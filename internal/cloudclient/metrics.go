// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts cloud calls. One instance serves all clients.
type Metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// noReply is the code of a call that ended without a reply.
const noReply = "none"

// NewMetrics creates the metrics and registers them with registerer, which may be nil. It panics where they are
// registered already, as prometheus.MustRegister does.
//
// The labels are bounded: accounts are objects, services and operations are constants of this code, and a code is an
// HTTP status or "none".
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	metrics := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "servicestage_cloud_requests_total",
			Help: "Requests sent to the cloud, by account, service, operation and HTTP status (none: no reply).",
		}, []string{"account", "service", "operation", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "servicestage_cloud_request_duration_seconds",
			Help:    "Time from sending a request to having read its reply, by service and operation.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"service", "operation"}),
	}
	if registerer != nil {
		registerer.MustRegister(metrics.requests, metrics.duration)
	}
	return metrics
}

// ForgetAccount drops the series of an account that is gone.
func (m *Metrics) ForgetAccount(account string) {
	m.requests.DeletePartialMatch(prometheus.Labels{"account": account})
}

func (m *Metrics) observe(account string, service Service, operation, code string, took time.Duration) {
	m.requests.WithLabelValues(account, string(service), operation, code).Inc()
	m.duration.WithLabelValues(string(service), operation).Observe(took.Seconds())
}
