// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Scopes of a Limit.
const (
	// LimitUser counts each account by itself.
	LimitUser = "user"
	// LimitIP counts each client address by itself.
	LimitIP = "ip"
	// LimitAPI counts each operation by itself, whoever calls it.
	LimitAPI = "api"
)

// Limit allows so many requests per period, in a fixed window that starts with the first request in it. One more
// answers 429 APIGW.0308. ip and api limits count before authentication, user limits after it.
type Limit struct {
	Scope string `json:"scope"`
	Match Match  `json:"match,omitzero"`
	Limit int    `json:"limit"`
	// Period is at least a second, in whole seconds: the answer states it as "time:N second" or "time:N minute".
	Period Duration `json:"period"`
	// Unstated leaves the policy out of the answer.
	Unstated bool `json:"unstated,omitempty"`
}

func (l Limit) validate() error {
	switch l.Scope {
	case LimitUser, LimitIP, LimitAPI:
	default:
		return fmt.Errorf("scope: unknown value %q, use user, ip or api", l.Scope)
	}
	if l.Limit < 1 {
		return fmt.Errorf("limit: %d is less than 1", l.Limit)
	}
	if period := time.Duration(l.Period); period < time.Second || period%time.Second != 0 {
		return fmt.Errorf("period: %s must be whole seconds, at least 1s", period)
	}
	return nil
}

// message states the policy as the gateway does.
func (l Limit) message() string {
	const reached = "The throttling threshold has been reached"
	if l.Unstated {
		return reached
	}
	amount, unit := int64(time.Duration(l.Period)/time.Second), "second"
	if amount%60 == 0 {
		amount, unit = amount/60, "minute"
	}
	return fmt.Sprintf(reached+": policy %s over ratelimit,limit:%d,time:%d %s", l.Scope, l.Limit, amount, unit)
}

type limits struct {
	clock Clock

	mu    sync.Mutex
	rules []*limitRule
}

type limitRule struct {
	limit   Limit
	match   matcher
	windows map[string]*window
}

type window struct {
	start time.Time
	used  int
}

func (l *limits) set(list []Limit) error {
	rules := make([]*limitRule, 0, len(list))
	for i, limit := range list {
		if err := limit.validate(); err != nil {
			return fmt.Errorf("limits[%d].%w", i, err)
		}
		match, err := limit.Match.compile()
		if err != nil {
			return fmt.Errorf("limits[%d].match.%w", i, err)
		}
		rules = append(rules, &limitRule{limit: limit, match: match, windows: map[string]*window{}})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rules = rules
	return nil
}

func (l *limits) list() []Limit {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Limit, len(l.rules))
	for i, rule := range l.rules {
		list[i] = rule.limit
	}
	return list
}

// take counts a request under every rule whose scope has a key, and refuses it where one is used up. A refused
// request does not count.
func (l *limits) take(method, path string, keys map[string]string, retryAfter bool) *apiError {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	var counted []*window
	for _, rule := range l.rules {
		key, ok := keys[rule.limit.Scope]
		if !ok || !rule.match.matches(method, path) {
			continue
		}
		period := time.Duration(rule.limit.Period)
		w := rule.windows[key]
		if w == nil || now.Sub(w.start) >= period {
			w = &window{start: now}
			rule.windows[key] = w
		}
		if w.used >= rule.limit.Limit {
			return throttled(rule.limit, w.start.Add(period).Sub(now), retryAfter)
		}
		counted = append(counted, w)
	}
	for _, w := range counted {
		w.used++
	}
	return nil
}

func throttled(limit Limit, wait time.Duration, retryAfter bool) *apiError {
	refused := &apiError{status: http.StatusTooManyRequests, code: "0308", message: limit.message(), shape: shapeGateway}
	if retryAfter {
		seconds := int((wait + time.Second - 1) / time.Second)
		refused.header = http.Header{"Retry-After": {strconv.Itoa(seconds)}}
	}
	return refused
}
