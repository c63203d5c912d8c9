// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package servicestage

import (
	"net/http"
	"testing"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

// Whatever a list answers: no panic, an error has a class, and a record is yielded once and is never nil.
func FuzzLists(f *testing.F) {
	f.Add([]byte(`{"count":1,"environments":[{"id":"e1","name":"dev","labels":[{"key":"a","value":"1"}],"resources":null}]}`))
	f.Add([]byte(`{"count":1,"applications":[{"id":"a1","labels":null}],"components":[null]}`))
	f.Add([]byte(`{"count":2,"environments":[{"id":"e1"},{"id":"e1"}]}`))
	f.Add([]byte(`{"count":"1","environments":{}}`))
	f.Add([]byte(`{"count":-1,"components":[{"id":"c1","status":{"replica":"2"}}]}`))
	f.Add([]byte(`[`))
	f.Add([]byte(`null`))
	var body []byte
	client := newAnyAnswer(f, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // the client may have heard enough
	}))
	f.Fuzz(func(t *testing.T, answered []byte) {
		body = answered
		seen := map[string]bool{}
		look := func(kind, id string, err error) {
			switch {
			case err != nil && clouderr.ClassOf(err) == "":
				t.Errorf("%s: an error without a class: %v", kind, err)
			case err == nil && seen[kind+" "+id]:
				t.Errorf("the %s %q is there twice", kind, id)
			}
			seen[kind+" "+id] = err == nil
		}
		for e, err := range client.ListEnvironments(t.Context(), EnvironmentListOptions{}) {
			look("environment", orNone(e).ID, err)
		}
		for a, err := range client.ListApplications(t.Context(), ApplicationListOptions{}) {
			look("application", orNone(a).ID, err)
		}
		for c, err := range client.ListComponents(t.Context(), "", ComponentListOptions{}) {
			look("component", orNone(c).ID, err)
		}
	})
}

// orNone stands in for the record that comes with an error.
func orNone[T any](record *T) *T {
	if record == nil {
		return new(T)
	}
	return record
}
