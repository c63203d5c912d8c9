// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"encoding/json"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/controller/environment"
	"servicestage.dev/operator/internal/external"
)

const vpc = "29d55020-ae0e-4a18-871c-93e6976ee7bd"

// throttled is a fault of the first call that matches.
func throttled(method, path string) cloudsim.Fault {
	return cloudsim.Fault{
		Name: "throttled", Nth: 1, Match: cloudsim.Match{Method: method, Path: path}, Action: cloudsim.FaultStatus, Status: 429,
		Body: json.RawMessage(`{"error_code":"APIGW.0308","error_msg":"The throttling threshold has been reached: policy user over ratelimit,limit:10,time:1 minute"}`),
	}
}

// env is the Environment "dev", changed as the scenario needs it.
func env(changes ...func(*v1alpha1.EnvironmentSpec)) *v1alpha1.Environment {
	e := &v1alpha1.Environment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "dev"},
		Spec:       v1alpha1.EnvironmentSpec{ResourceSpec: commonSpec(), VPCID: vpc},
	}
	for _, change := range changes {
		change(&e.Spec)
	}
	return e
}

// full sets every field of an Environment but the resources.
func full(s *v1alpha1.EnvironmentSpec) {
	s.Name, s.Description, s.DeployMode, s.EnterpriseProjectID = "production", new("where money is made"), v1alpha1.DeployModeContainer, "ep-1"
	s.Labels = map[string]string{"tier": "gold", "team": "payments"}
}

// bound binds a cluster and an engine.
func bound(s *v1alpha1.EnvironmentSpec) {
	s.Resources = []v1alpha1.EnvironmentResource{{Type: "cce", ID: "cluster-1", Name: "main"}, {Type: "cse", ID: "engine-1"}}
}

// strangers puts environments into the cloud that no object made, one of them called "dev".
func strangers(w *world) {
	for _, name := range []string{"dev", "other"} {
		w.put("environments", cloudsim.Object{
			"id": "stranger-" + name, "name": name, "vpc_id": vpc, "deploy_mode": "container", "enterprise_project_id": "0",
			"labels": []any{map[string]any{"key": "kept", "value": "yes"}},
		})
	}
}

var environmentScenarios = []scenario{
	{"create", func(t *testing.T, w *world) {
		must(t, drive(w, environment.Definition(w.accounts, w.api), env()).create())
	}},
	{"create-with-every-field", func(t *testing.T, w *world) {
		must(t, drive(w, environment.Definition(w.accounts, w.api), env(full)).create())
	}},
	{"create-with-resources", func(t *testing.T, w *world) {
		must(t, drive(w, environment.Definition(w.accounts, w.api), env(bound)).create())
	}},
	{"create-with-resources-that-the-cloud-refuses", func(t *testing.T, w *world) {
		w.fault(cloudsim.Fault{
			Name: "refused", Match: cloudsim.Match{Method: "PUT", Path: "/v3/*/cas/environments/*/resources"}, Action: cloudsim.FaultStatus,
			Status: 400, Body: json.RawMessage(`{"error_code":"SVCSTG.00100422","error_msg":"no such cluster"}`),
		})
		r := drive(w, environment.Definition(w.accounts, w.api), env(bound))
		fails(t, r.create(), clouderr.Invalid)
		if r.id() == "" {
			t.Error("the id of what was made is lost")
		}
	}},
	{"create-with-a-name-that-is-taken", func(t *testing.T, w *world) {
		strangers(w)
		fails(t, drive(w, environment.Definition(w.accounts, w.api), env()).create(), clouderr.Exists)
	}},
	{"no-op", func(t *testing.T, w *world) {
		r := drive(w, environment.Definition(w.accounts, w.api), env(full))
		r.mustCreate()
		r.sync()
	}},
	{"no-op-with-resources", func(t *testing.T, w *world) {
		r := drive(w, environment.Definition(w.accounts, w.api), env(bound))
		r.mustCreate()
		r.sync()
	}},
	{"update-name", func(t *testing.T, w *world) {
		r := drive(w, environment.Definition(w.accounts, w.api), env())
		r.mustCreate()
		r.obj.Spec.Name = "renamed"
		r.sync("spec.name")
	}},
	{"update-description", func(t *testing.T, w *world) {
		r := drive(w, environment.Definition(w.accounts, w.api), env())
		r.mustCreate()
		r.obj.Spec.Description = new("new")
		r.sync("spec.description")
	}},
	{"clear-description", func(t *testing.T, w *world) {
		r := drive(w, environment.Definition(w.accounts, w.api), env(full))
		r.mustCreate()
		r.obj.Spec.Description = new("")
		r.sync("spec.description")
	}},
	{"update-labels", func(t *testing.T, w *world) {
		r := drive(w, environment.Definition(w.accounts, w.api), env(full))
		r.mustCreate()
		r.obj.Spec.Labels = map[string]string{"tier": "silver", "region": "south"}
		r.sync("spec.labels[region]", "spec.labels[team]", "spec.labels[tier]")
	}},
	{"clear-labels", func(t *testing.T, w *world) {
		r := drive(w, environment.Definition(w.accounts, w.api), env(full))
		r.mustCreate()
		r.obj.Spec.Labels = map[string]string{}
		r.sync("spec.labels[team]", "spec.labels[tier]")
	}},
	{"update-resources", func(t *testing.T, w *world) {
		r := drive(w, environment.Definition(w.accounts, w.api), env(bound))
		r.mustCreate()
		r.obj.Spec.Resources = []v1alpha1.EnvironmentResource{{Type: "cse", ID: "engine-1"}, {Type: "ecs", ID: "server-1"}}
		r.sync("spec.resources[cce/cluster-1]", "spec.resources[ecs/server-1]")
	}},
	{"clear-resources", func(t *testing.T, w *world) {
		r := drive(w, environment.Definition(w.accounts, w.api), env(bound))
		r.mustCreate()
		r.obj.Spec.Resources = []v1alpha1.EnvironmentResource{}
		r.sync("spec.resources[cce/cluster-1]", "spec.resources[cse/engine-1]")
	}},
	{"drift", func(t *testing.T, w *world) {
		r := drive(w, environment.Definition(w.accounts, w.api), env(full, bound))
		r.mustCreate()
		w.patch("environments", r.id(), cloudsim.Object{
			"description": "changed by hand", "resources": []any{},
			"labels": []any{map[string]any{"key": "tier", "value": "lead"}, map[string]any{"key": "by", "value": "hand"}},
		})
		r.sync("spec.description", "spec.labels[by]", "spec.labels[team]", "spec.labels[tier]",
			"spec.resources[cce/cluster-1]", "spec.resources[cse/engine-1]", "mark")
	}},
	{"drift-of-what-is-not-managed", func(t *testing.T, w *world) {
		r := drive(w, environment.Definition(w.accounts, w.api), env())
		r.mustCreate()
		w.patch("environments", r.id(), cloudsim.Object{
			"description": "set by hand", "resources": []any{map[string]any{"id": "cluster-9", "type": "cce"}},
			"labels": []any{map[string]any{"key": external.LabelKey, "value": ourClaim.Token}, map[string]any{"key": "by", "value": "hand"}},
		})
		r.sync()
	}},
	{"immutable-fields", func(t *testing.T, w *world) {
		r := drive(w, environment.Definition(w.accounts, w.api), env(full))
		r.mustCreate()
		w.patch("environments", r.id(), cloudsim.Object{"vpc_id": "another", "deploy_mode": "mixed", "enterprise_project_id": "ep-2"})
		changes, _, _, err := r.look()
		must(t, err)
		same(t, "immutable", changes.Immutable, "spec.deployMode", "spec.enterpriseProjectID", "spec.vpcID")
	}},
	{"import-by-id", func(t *testing.T, w *world) {
		strangers(w)
		r := drive(w, environment.Definition(w.accounts, w.api), env(func(s *v1alpha1.EnvironmentSpec) { s.Description = new("ours now") }))
		r.obj.Status.ID = "stranger-dev"
		r.sync("spec.description", "mark")
	}},
	{"import-by-name", func(t *testing.T, w *world) {
		strangers(w)
		r := drive(w, environment.Definition(w.accounts, w.api), env(func(s *v1alpha1.EnvironmentSpec) { s.Name = "DEV" }))
		found := r.find()
		same(t, "found", found, "stranger-dev")
		r.obj.Status.ID = found[0]
		r.sync("mark")
	}},
	{"find-by-claim", func(t *testing.T, w *world) {
		strangers(w)
		r := drive(w, environment.Definition(w.accounts, w.api), env(func(s *v1alpha1.EnvironmentSpec) { s.Name = "made-before" }))
		r.mustCreate()
		r.obj.Spec.Name = "other"
		same(t, "found", r.find(), "stranger-other", r.id())
	}},
	{"gone", func(t *testing.T, w *world) {
		strangers(w)
		r := drive(w, environment.Definition(w.accounts, w.api), env())
		r.obj.Status.ID = "gone"
		_, _, _, err := r.look()
		fails(t, err, clouderr.NotFound)
	}},
	{"an-empty-list-is-no-deletion", func(t *testing.T, w *world) {
		r := drive(w, environment.Definition(w.accounts, w.api), env())
		r.mustCreate()
		w.fault(cloudsim.Fault{Name: "empty", Match: cloudsim.Match{Method: "GET", Path: "/v3/*/cas/environments"}, Action: cloudsim.FaultEmptyList})
		r.sync()
	}},
	{"delete", func(t *testing.T, w *world) {
		r := drive(w, environment.Definition(w.accounts, w.api), env())
		r.mustCreate()
		must(t, r.remove())
	}},
	{"delete-what-is-gone", func(t *testing.T, w *world) {
		r := drive(w, environment.Definition(w.accounts, w.api), env())
		r.obj.Status.ID = "gone"
		fails(t, r.remove(), clouderr.NotFound)
	}},
	{"delete-what-is-in-use", func(t *testing.T, w *world) {
		r := drive(w, environment.Definition(w.accounts, w.api), env())
		r.mustCreate()
		w.put("applications", cloudsim.Object{"id": "app-1", "name": "shop"})
		w.put("components", cloudsim.Object{"id": "c-1", "name": "web", "application_id": "app-1", "environment_id": r.id()})
		fails(t, r.remove(), clouderr.InUse)
	}},
	{"throttled", func(t *testing.T, w *world) {
		w.fault(throttled("POST", "/v3/*/cas/environments"))
		err := drive(w, environment.Definition(w.accounts, w.api), env()).create()
		fails(t, err, clouderr.Throttled)
		if clouderr.RetryAfter(err) <= 0 {
			t.Errorf("nothing says how long to wait: %v", err)
		}
	}},
	{"unmark", func(t *testing.T, w *world) {
		strangers(w)
		r := drive(w, environment.Definition(w.accounts, w.api), env(full))
		r.mustCreate()
		r.unmark()
	}},
}

func TestEnvironmentWaitsForReferencesThatAreMissing(t *testing.T) {
	w := newWorld(t)
	e := env(bound)
	e.Spec.Resources[1] = v1alpha1.EnvironmentResource{Type: "cse", EngineRef: &v1alpha1.ObjectReference{Name: "engine"}}
	kind := environment.Definition(w.accounts, w.api).Kind
	_, err := kind.Bind(t.Context(), e, external.ForSync)
	waitsFor(t, err, "spec.resources[1].engineRef")
	if _, err := kind.Bind(t.Context(), e, external.ForDelete); err != nil {
		t.Errorf("a deletion waits for references: %v", err)
	}
}
