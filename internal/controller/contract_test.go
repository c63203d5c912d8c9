// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"encoding/json"
	"testing"

	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/controller/application"
	"servicestage.dev/operator/internal/controller/environment"
	"servicestage.dev/operator/internal/external"
)

// An Application without spec.labels that adopts by id must see that another object claims the application.
func TestAdoptedApplicationShowsItsClaim(t *testing.T) {
	w := newApplicationWorld(t)
	w.put("applications", cloudsim.Object{"id": "theirs", "name": "shop", "labels": []any{map[string]any{"key": external.LabelKey, "value": "ffffffffffffffffffffffffffffffff"}}})
	handle, err := application.Definition(w.accounts, w.api, w.api).Kind.Bind(t.Context(), app(), external.ForSync)
	must(t, err)
	observed, err := handle.Get(t.Context(), "theirs")
	must(t, err)
	if identity := handle.Identity(observed); !identity.ClaimKnown {
		t.Errorf("identity %+v: two objects can adopt one application, and none is ever marked", identity)
	}
}

// What was done before an error is returned with it (the contract of Update).
func TestEnvironmentUpdateReturnsWhatWasDone(t *testing.T) {
	w := newWorld(t)
	r := drive(w, environment.Definition(w.accounts, w.api), env())
	r.mustCreate()
	r.obj.Spec.Name = "renamed"
	bound(&r.obj.Spec)
	w.fault(cloudsim.Fault{
		Name: "refused", Match: cloudsim.Match{Method: "PUT", Path: "/v3/*/cas/environments/*/resources"}, Action: cloudsim.FaultStatus,
		Status: 400, Body: json.RawMessage(`{"error_code":"SVCSTG.00100422","error_msg":"no such cluster"}`),
	})
	changes, observed, handle, err := r.look()
	must(t, err)
	after, _, err := handle.Update(t.Context(), observed, changes, ourClaim)
	if err == nil || after == nil {
		t.Errorf("Update = %v, %v: the environment was renamed", after, err)
	}
}
