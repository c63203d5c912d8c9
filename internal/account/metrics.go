// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// metricsName is the value of the label "account": namespace/name, or the name of a ClusterCloudAccount.
func metricsName(key Key) string { return strings.TrimPrefix(key.String(), "/") }

const statedLimitName = "servicestage_cloud_stated_limit_requests_per_second"

var statedLimit = prometheus.NewDesc(statedLimitName,
	"Rate limits that hosts stated in a 429 and that are kept to, by account, host and what they are counted by.",
	[]string{"account", "host", "policy"}, nil)

var _ prometheus.Collector = (*Pool)(nil)

// Describe sends what Collect will send.
func (p *Pool) Describe(into chan<- *prometheus.Desc) { into <- statedLimit }

// Collect sends the limits that are in force now.
func (p *Pool) Collect(into chan<- prometheus.Metric) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, e := range p.sessions {
		for _, limit := range e.session.Cloud.Limits() {
			rate := float64(limit.Requests) / limit.Window.Seconds()
			into <- prometheus.MustNewConstMetric(statedLimit, prometheus.GaugeValue, rate, metricsName(key), limit.Endpoint, limit.Policy)
		}
	}
}
