// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts cloud calls. One instance serves all clients.
type Metrics struct {
	requests  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	throttled *prometheus.CounterVec
}

// noReply is the code of a call that ended without a reply.
const noReply = "none"

// Who kept a call from being answered: the cloud, by a 429, or the client, which kept within a limit and did not send it.
const (
	throttledByCloud  = "cloud"
	throttledByClient = "client"
)

// NewMetrics creates the metrics and registers them with registerer, which may be nil. It panics where they are
// registered already, as prometheus.MustRegister does.
//
// The labels are bounded: accounts are objects, APIs (services) and operations are constants of this code, and a code is
// an HTTP status or "none". None is called as what Prometheus labels its targets with, such as service and endpoint.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	metrics := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "servicestage_cloud_requests_total",
			Help: "Requests sent to the cloud, by account, API, operation and HTTP status (none: no reply).",
		}, []string{"account", "api", "operation", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "servicestage_cloud_request_duration_seconds",
			Help:    "Time from sending a request to having read its reply, by API and operation.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"api", "operation"}),
		throttled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "servicestage_cloud_throttled_total",
			Help: "Calls that a rate limit cut short, by who kept it: the cloud answered 429, or the client did not send them.",
		}, []string{"account", "api", "by"}),
	}
	if registerer != nil {
		registerer.MustRegister(metrics.requests, metrics.duration, metrics.throttled)
	}
	return metrics
}

// ForgetAccount drops the series of an account that is gone.
func (m *Metrics) ForgetAccount(account string) {
	m.requests.DeletePartialMatch(prometheus.Labels{"account": account})
	m.throttled.DeletePartialMatch(prometheus.Labels{"account": account})
}

// throttle counts a call that a rate limit cut short.
func (m *Metrics) throttle(account string, service Service, by string) {
	m.throttled.WithLabelValues(account, string(service), by).Inc()
}

func (m *Metrics) observe(account string, service Service, operation, code string, took time.Duration) {
	m.requests.WithLabelValues(account, string(service), operation, code).Inc()
	m.duration.WithLabelValues(string(service), operation).Observe(took.Seconds())
}
