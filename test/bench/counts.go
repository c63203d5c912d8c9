// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/rest"

	"servicestage.dev/operator/test/rig"
)

// calls are the cloud's, by what they cost: a list page, a look at one resource, a change, a login.
type calls struct {
	Lists, Looks, Writes, Refused, Logins int
}

// calls counts the calls that the cloud got since the log was emptied.
func (w *world) calls(ctx context.Context) (calls, error) {
	log, err := w.sim.Calls(ctx)
	return count(log), err
}

// count sorts calls. One that was refused for the rate limit counts as that and as nothing else.
func count(log []rig.Call) calls {
	var c calls
	for _, call := range log {
		switch {
		case isRefused(call):
			c.Refused++
		case isLogin(call):
			c.Logins++
		case call.IsWrite():
			c.Writes++
		case isLook(call):
			c.Looks++
		default:
			c.Lists++
		}
	}
	return c
}

// isPage says whether a call brings a page of a list.
func isPage(c rig.Call) bool { return count([]rig.Call{c}).Lists == 1 }

// pagesPer returns how many list pages an interval takes, of a log that is two intervals long: of each collection the pages from
// the beginning of its first list to that of its last one, by the time between the two. Just counted, they depend on how many lists
// happen to begin in that time, since intervals vary.
func pagesPer(interval time.Duration, log []rig.Call) (float64, error) {
	// whole are the pages of the lists that were over when the last one began.
	type lists struct {
		first, last  time.Time
		pages, whole int
	}
	collections := map[string]*lists{}
	for _, c := range log {
		if !isPage(c) {
			continue
		}
		query, err := url.ParseQuery(c.Query)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", c, err)
		}
		offset, of := query.Get("offset"), collections[c.Operation]
		begins := offset == "" || offset == "0"
		switch {
		case of == nil && !begins: // the rest of a list that began before
			continue
		case of == nil:
			of = &lists{first: c.Time, last: c.Time}
			collections[c.Operation] = of
		case begins:
			of.last, of.whole = c.Time, of.pages
		}
		of.pages++
	}
	perInterval := 0.0
	for operation, of := range collections {
		if of.last.Equal(of.first) {
			return 0, fmt.Errorf("one list began only: %s", operation)
		}
		perInterval += float64(of.whole) * interval.Seconds() / of.last.Sub(of.first).Seconds()
	}
	return perInterval, nil
}

// isLook says whether a GET is about one resource: its pattern ends with a parameter, or it lists what a filter selects.
func isLook(c rig.Call) bool {
	if strings.HasSuffix(c.Operation, "}") {
		return true
	}
	query, err := url.ParseQuery(c.Query)
	for _, paging := range []string{"limit", "offset", "order", "order_by"} {
		query.Del(paging)
	}
	return err != nil || len(query) > 0
}

// apiWrites are the writes that the API server has answered, by everyone, since it started.
type apiWrites struct {
	// Objects counts patches and applies to the operator's own kinds: only the manager makes those while it is measured.
	Objects float64
	// Events counts those that were recorded.
	Events float64
}

func (a apiWrites) minus(b apiWrites) apiWrites {
	return apiWrites{Objects: a.Objects - b.Objects, Events: a.Events - b.Events}
}

// apiWrites reads what the API server has counted, until two looks agree: it counts a request only after it has told those who
// watch what came of it.
func (w *world) apiWrites(ctx context.Context) (counted apiWrites, err error) {
	looks := 0
	err = until(ctx, "the API server has counted its writes", func(ctx context.Context) (bool, error) {
		now, err := w.countedWrites(ctx)
		looks++
		settled := looks > 1 && now == counted
		counted = now
		return settled, err
	})
	return counted, err
}

// countedWrites reads the API server's own metrics.
func (w *world) countedWrites(ctx context.Context) (apiWrites, error) {
	c, err := rest.HTTPClientFor(w.plane.Config)
	if err != nil {
		return apiWrites{}, err
	}
	families, err := scrape(ctx, c, w.plane.Config.Host+"/metrics")
	if err != nil {
		return apiWrites{}, err
	}
	var writes apiWrites
	for _, s := range families {
		if s.name != "apiserver_request_total" {
			continue
		}
		switch verb := s.labels["verb"]; {
		case s.labels["resource"] == "events" && verb != "GET" && verb != "LIST" && verb != "WATCH":
			writes.Events += s.value
		case s.labels["group"] == "servicestage.dev" && (verb == "PATCH" || verb == "APPLY" || verb == "PUT"):
			writes.Objects += s.value
		}
	}
	return writes, nil
}

// cost returns the cloud calls and the API server writes that something causes.
func (w *world) cost(ctx context.Context, do func() error) (calls, apiWrites, error) {
	before, err := w.apiWrites(ctx)
	if err != nil {
		return calls{}, apiWrites{}, err
	}
	if err := w.sim.ResetCalls(ctx); err != nil {
		return calls{}, apiWrites{}, err
	}
	if err := do(); err != nil {
		return calls{}, apiWrites{}, err
	}
	made, err := w.calls(ctx)
	if err != nil {
		return calls{}, apiWrites{}, err
	}
	after, err := w.apiWrites(ctx)
	return made, after.minus(before), err
}

// sample is one value of a metric.
type sample struct {
	name   string
	labels map[string]string
	value  float64
}

// scrape reads a metrics endpoint.
func scrape(ctx context.Context, c *http.Client, url string) ([]sample, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", url, err)
	}
	var samples []sample
	for name, family := range families {
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, pair := range m.GetLabel() {
				labels[pair.GetName()] = pair.GetValue()
			}
			samples = append(samples, sample{name: name, labels: labels, value: m.GetCounter().GetValue() + m.GetGauge().GetValue()})
		}
	}
	return samples, nil
}

// gauge returns the value of a metric without labels that a manager exports, in the metric's own unit.
func (w *world) gauge(ctx context.Context, m *rig.Manager, name string) (float64, error) {
	samples, err := scrape(ctx, http.DefaultClient, m.MetricsURL)
	for _, s := range samples {
		if s.name == name {
			return s.value, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("the manager exports no %s", name)
	}
	return 0, err
}
