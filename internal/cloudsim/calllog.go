// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"time"
)

const (
	// maxLoggedBody is the largest request body that the log keeps, in bytes; maxLoggedBodies is what it keeps of all
	// bodies together, the oldest going first.
	maxLoggedBody   = 16 << 10
	maxLoggedBodies = 64 << 20
)

// Call is one request that the cloud answered, or cut.
type Call struct {
	Time time.Time `json:"time"`
	// Account is the access key or user name that the request named, whether or not it was believed.
	Account string `json:"account"`
	Method  string `json:"method"`
	Path    string `json:"path"`
	Query   string `json:"query,omitempty"`
	// Operation is the method and the path pattern, "GET /v3/{project_id}/cas/environments"; empty for an unknown API.
	Operation string `json:"operation,omitempty"`
	// Status is 0 where the connection was cut.
	Status int `json:"status"`
	// Duration is in seconds, on the simulator's clock.
	Duration  float64 `json:"duration"`
	RequestID string  `json:"requestID"`
	// Fault is the name of the fault that fired.
	Fault string `json:"fault,omitempty"`
	// Engine is the id of the engine whose own address was called; empty for the cloud's address.
	Engine string `json:"engine,omitempty"`
	// Body is the request's JSON body without secrets; never kept for IAM, nor above 16 KiB.
	Body json.RawMessage `json:"body,omitempty"`
}

// callLog is a ring.
type callLog struct {
	mu      sync.Mutex
	max     int
	entries []Call
	start   int
	// bodies is the size of the kept bodies; stripped counts the oldest entries that have lost theirs.
	bodies   int
	stripped int
}

func (l *callLog) add(c Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bodies += len(c.Body)
	if len(l.entries) < l.max {
		l.entries = append(l.entries, c)
	} else {
		l.bodies -= len(l.entries[l.start].Body)
		l.entries[l.start] = c
		l.start = (l.start + 1) % l.max
		l.stripped = max(0, l.stripped-1)
	}
	for l.bodies > maxLoggedBodies {
		oldest := &l.entries[(l.start+l.stripped)%len(l.entries)]
		l.bodies -= len(oldest.Body)
		oldest.Body = nil
		l.stripped++
	}
}

// list returns the calls, the oldest first.
func (l *callLog) list() []Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	calls := make([]Call, 0, len(l.entries))
	calls = append(calls, l.entries[l.start:]...)
	return append(calls, l.entries[:l.start]...)
}

func (l *callLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries, l.start, l.bodies, l.stripped = nil, 0, 0, 0
}

// secretWords are parts of the names of fields whose values never reach the log.
var secretWords = []string{"password", "secret", "token", "pwd", "credential"}

// loggableBody is the body as the log may keep it, or nil.
func loggableBody(body []byte) json.RawMessage {
	if len(body) == 0 || len(body) > maxLoggedBody {
		return nil
	}
	var document any
	if json.Unmarshal(body, &document) != nil {
		return nil
	}
	// An escape may hide a word, so such bodies take the long way too.
	if !hasSecretWord(string(body)) && !bytes.Contains(body, []byte(`\u`)) {
		return bytes.Clone(body)
	}
	return encodeJSON(redact(document))
}

func hasSecretWord(text string) bool {
	text = strings.ToLower(text)
	for _, word := range secretWords {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// redact replaces secret values, also those of {"name": "DB_PASSWORD", "value": "..."}.
func redact(v any) any {
	const redacted = "REDACTED"
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, value := range v {
			out[name] = redact(value)
			if hasSecretWord(name) {
				out[name] = redacted
			}
		}
		for _, label := range []string{"name", "key"} {
			if name, ok := v[label].(string); ok && hasSecretWord(name) && v["value"] != nil {
				out["value"] = redacted
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = redact(item)
		}
		return out
	default:
		return v
	}
}
