// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// FaultAction is what a fault does to a request.
type FaultAction string

// The actions. "Before" and "after" are about the effect: after means that the cloud has done what was asked.
const (
	// FaultDelay only waits; the request then goes its way.
	FaultDelay FaultAction = "delay"
	// FaultStatus answers Status, Headers and Body without an effect.
	FaultStatus FaultAction = "status"
	// FaultStatusAfter answers Status, Headers and Body although the effect has happened.
	FaultStatusAfter FaultAction = "statusAfter"
	// FaultEcho answers Status (0 takes 400), without an effect, with an error whose message quotes the request: its body,
	// or, where it has none, the headers that authenticate it.
	FaultEcho FaultAction = "echo"
	// FaultResetBefore cuts the connection without an effect.
	FaultResetBefore FaultAction = "resetBefore"
	// FaultResetAfter cuts the connection after the effect: the lost reply.
	FaultResetAfter FaultAction = "resetAfter"
	// FaultEmptyList answers a list with no items and a count of 0.
	FaultEmptyList FaultAction = "emptyList"
	// FaultTruncatedList answers a list with its first Keep items only, and a count that says so.
	FaultTruncatedList FaultAction = "truncatedList"
	// FaultGarbage answers, after the effect, 200 and a body that is no JSON (Body replaces it).
	FaultGarbage FaultAction = "garbage"
)

// garbageBody is a JSON document that breaks off, as behind a proxy that gives up.
const garbageBody = `{"count": 1, "environments": [{"id": "`

// Fault is a rule that makes the cloud misbehave. Rules are tried in order, before authentication: a fault stands for
// the network or the gateway. Each rule counts the requests that it matches while no earlier rule has fired for them.
//
// A rule without Nth, Count and Probability fires every time. Nth starts it at the Nth matching request (1 is the
// first) and, without Count, fires once. Count ends it after so many firings. Probability makes each firing a throw
// of a die that Seed starts (0 takes the simulator's own seed).
type Fault struct {
	// Name shows up in the call log; empty takes the action's name.
	Name        string      `json:"name,omitempty"`
	Match       Match       `json:"match,omitzero"`
	Nth         int         `json:"nth,omitempty"`
	Count       int         `json:"count,omitempty"`
	Probability float64     `json:"probability,omitempty"`
	Seed        int64       `json:"seed,omitempty"`
	Action      FaultAction `json:"action"`
	// Delay is waited before the effect, whatever the action. A client that gives up does not undo the effect.
	Delay Duration `json:"delay,omitempty"`
	// Status is the status of status and statusAfter; 0 takes 500.
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	// Body: a JSON string is sent as it is, as text; any other value as JSON; absent is no body.
	Body json.RawMessage `json:"body,omitempty"`
	// Keep is how many items truncatedList leaves.
	Keep int `json:"keep,omitempty"`
}

// FaultState is a rule with its counters.
type FaultState struct {
	Fault
	// Matches counts the requests that the rule was tried on and fitted, Hits those that it fired for.
	Matches int `json:"matches"`
	Hits    int `json:"hits"`
}

func (f Fault) validate() error {
	switch f.Action {
	case FaultStatus, FaultStatusAfter, FaultEcho, FaultResetBefore, FaultResetAfter, FaultEmptyList, FaultTruncatedList, FaultGarbage:
	case FaultDelay:
		if f.Delay == 0 {
			return fmt.Errorf("delay: must be set for action delay")
		}
	default:
		return fmt.Errorf("action: unknown value %q, use delay, status, statusAfter, echo, resetBefore, resetAfter, emptyList, truncatedList or garbage", f.Action)
	}
	if f.Probability < 0 || f.Probability > 1 {
		return fmt.Errorf("probability: %v is not between 0 and 1", f.Probability)
	}
	if f.Nth < 0 || f.Count < 0 || f.Keep < 0 {
		return fmt.Errorf("nth, count and keep must not be negative")
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return fmt.Errorf("status: %d is not between 200 and 599", f.Status)
	}
	return nil
}

func (f Fault) label() string {
	if f.Name != "" {
		return f.Name
	}
	return string(f.Action)
}

// faults is the set of rules.
type faults struct {
	mu    sync.Mutex
	seed  int64
	rules []*faultRule
}

type faultRule struct {
	state FaultState
	match matcher
	rng   *random
}

// set replaces the rules; an error leaves the old ones.
func (f *faults) set(list []Fault) error {
	rules := make([]*faultRule, 0, len(list))
	for i, fault := range list {
		if err := fault.validate(); err != nil {
			return fmt.Errorf("faults[%d].%w", i, err)
		}
		match, err := fault.Match.compile()
		if err != nil {
			return fmt.Errorf("faults[%d].match.%w", i, err)
		}
		seed := fault.Seed
		if seed == 0 {
			seed = f.seed
		}
		if fault.Nth > 0 && fault.Count == 0 {
			fault.Count = 1
		}
		rules = append(rules, &faultRule{state: FaultState{Fault: fault}, match: match, rng: newRandom(seed)})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = rules
	return nil
}

func (f *faults) list() []FaultState {
	f.mu.Lock()
	defer f.mu.Unlock()
	states := make([]FaultState, len(f.rules))
	for i, rule := range f.rules {
		states[i] = rule.state
	}
	return states
}

// next returns the fault that fires for a request, or nil.
func (f *faults) next(method, path string) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, rule := range f.rules {
		if rule.match.matches(method, path) && rule.fires() {
			fault := rule.state.Fault
			return &fault
		}
	}
	return nil
}

func (r *faultRule) fires() bool {
	r.state.Matches++
	f := r.state.Fault
	if r.state.Matches < f.Nth || (f.Count > 0 && r.state.Hits >= f.Count) {
		return false
	}
	if f.Probability > 0 && r.rng.float() >= f.Probability {
		return false
	}
	r.state.Hits++
	return true
}

// beforeEffect says whether the fault answers in the cloud's place, without an effect.
func (f *Fault) beforeEffect() bool {
	return f != nil && (f.Action == FaultStatus || f.Action == FaultEcho || f.Action == FaultResetBefore)
}

// cuts says whether the connection ends without an answer.
func (f *Fault) cuts() bool {
	return f != nil && (f.Action == FaultResetBefore || f.Action == FaultResetAfter)
}

// delay is how long the request waits first.
func (f *Fault) delay() time.Duration {
	if f == nil {
		return 0
	}
	return time.Duration(f.Delay)
}

// apply turns the cloud's answer to a request into the faulty one.
func (f *Fault) apply(out rendered, r *http.Request, body []byte) rendered {
	if f == nil {
		return out
	}
	switch f.Action {
	case FaultStatus, FaultStatusAfter:
		return f.answer(f.Status, http.StatusInternalServerError)
	case FaultEcho:
		return f.echo(r, body)
	case FaultGarbage:
		if len(f.Body) > 0 {
			return f.answer(f.Status, http.StatusOK)
		}
		return rendered{status: http.StatusOK, header: http.Header{"Content-Type": {contentTypeJSON}}, body: []byte(garbageBody)}
	case FaultEmptyList:
		return shortenList(out, 0)
	case FaultTruncatedList:
		return shortenList(out, f.Keep)
	case FaultDelay, FaultResetBefore, FaultResetAfter:
	}
	return out
}

func (f *Fault) answer(status, otherwise int) rendered {
	if status == 0 {
		status = otherwise
	}
	out := rendered{status: status, header: http.Header{}}
	if len(f.Body) > 0 {
		out.header.Set("Content-Type", contentTypeJSON)
		out.body = f.Body
		var text string
		if json.Unmarshal(f.Body, &text) == nil {
			out.header.Set("Content-Type", "text/plain;charset=utf-8")
			out.body = []byte(text)
		}
	}
	for name, value := range f.Headers {
		out.header.Set(name, value)
	}
	return out
}

// echo is the answer of a server that quotes what it was asked, as some do with what they cannot read.
func (f *Fault) echo(r *http.Request, body []byte) rendered {
	quoted := string(body)
	for _, name := range []string{"Authorization", "X-Auth-Token", "X-Security-Token"} {
		if value := r.Header.Get(name); value != "" && len(body) == 0 {
			quoted += name + ": " + value + " "
		}
	}
	echoed := *f
	echoed.Body = encodeJSON(map[string]string{"error_code": "SVCSTG.00100400", "error_msg": "Cannot read " + quoted})
	return echoed.answer(f.Status, http.StatusBadRequest)
}

// shortenList cuts every list in a successful answer to its first items and lets the count agree.
func shortenList(out rendered, keep int) rendered {
	if out.status != http.StatusOK {
		return out
	}
	var body map[string]json.RawMessage
	if err := json.Unmarshal(out.body, &body); err != nil {
		return out
	}
	for name, value := range body {
		var items []json.RawMessage
		if !strings.HasPrefix(string(value), "[") || json.Unmarshal(value, &items) != nil {
			continue
		}
		items = items[:min(keep, len(items))]
		body[name] = encodeJSON(items)
		for _, total := range []string{"count", "total"} {
			if _, ok := body[total]; ok {
				body[total] = encodeJSON(len(items))
			}
		}
	}
	out.body = encodeJSON(body)
	return out
}

// cut ends the connection the hard way, with a TCP reset where the transport allows it.
func cut(w http.ResponseWriter) {
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	conn, _, err := hijacker.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(interface{ SetLinger(seconds int) error }); ok {
		// Without the linger the peer sees an orderly end, which is no less an answer that never came.
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
