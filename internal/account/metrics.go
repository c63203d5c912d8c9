// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// metricsName is the value of the label "account": namespace/name, or the name of a ClusterCloudAccount.
func metricsName(key Key) string { return strings.TrimPrefix(key.String(), "/") }

const (
	statedLimitName = "servicestage_cloud_stated_limit_requests_per_second"
	foundLimitName  = "servicestage_cloud_found_limit_requests_per_second"
)

var (
	statedLimit = prometheus.NewDesc(statedLimitName,
		"Rate limits that hosts stated in a 429 and that are kept to, by account, host, what they are counted by, and the operation where one is limited alone.",
		[]string{"account", "host", "operation", "policy"}, nil)
	foundLimit = prometheus.NewDesc(foundLimitName,
		"Rate limits that were found where hosts answered 429 and stated none, by account and host.",
		[]string{"account", "host"}, nil)
)

var _ prometheus.Collector = (*Pool)(nil)

// Describe sends what Collect will send.
func (p *Pool) Describe(into chan<- *prometheus.Desc) {
	into <- statedLimit
	into <- foundLimit
}

// Collect sends the limits that are in force now.
func (p *Pool) Collect(into chan<- prometheus.Metric) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, e := range p.sessions {
		for _, limit := range e.session.Cloud.Limits() {
			if limit.Found > 0 {
				into <- prometheus.MustNewConstMetric(foundLimit, prometheus.GaugeValue, limit.Found, metricsName(key), limit.Endpoint)
				continue
			}
			rate := float64(limit.Requests) / limit.Window.Seconds()
			into <- prometheus.MustNewConstMetric(statedLimit, prometheus.GaugeValue, rate, metricsName(key), limit.Endpoint, limit.Operation, limit.Policy)
		}
	}
}
