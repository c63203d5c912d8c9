// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/controller/application"
	"servicestage.dev/operator/internal/external"
)

// newApplicationWorld returns a world with two environments in the cloud, one of which the Environment "prod" stands for,
// and a ConfigMap and a Secret with values.
func newApplicationWorld(t *testing.T) *world {
	t.Helper()
	prod := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "prod"}}
	prod.Status.ID = "env-prod"
	w := newWorld(t, prod,
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "settings"}, Data: map[string]string{"level": "debug"}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "db"}, Data: map[string][]byte{"url": []byte("db://prod")}})
	for _, name := range []string{"prod", "test"} {
		w.put("environments", cloudsim.Object{"id": "env-" + name, "name": name, "vpc_id": vpc, "deploy_mode": "container"})
	}
	return w
}

// app is the Application "shop", changed as the scenario needs it.
func app(changes ...func(*v1alpha1.ApplicationSpec)) *v1alpha1.Application {
	a := &v1alpha1.Application{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "shop"}, Spec: v1alpha1.ApplicationSpec{ResourceSpec: commonSpec()},
	}
	for _, change := range changes {
		change(&a.Spec)
	}
	return a
}

// fullApp sets every field of an Application but the configurations.
func fullApp(s *v1alpha1.ApplicationSpec) {
	s.Name, s.Description, s.EnterpriseProjectID = "web-shop", new("sells things"), "ep-1"
	s.Labels = map[string]string{"tier": "gold", "team": "payments"}
}

func plain(name, value string) v1alpha1.EnvVar { return v1alpha1.EnvVar{Name: name, Value: &value} }

// configured sets variables in both environments, from every source of values.
func configured(s *v1alpha1.ApplicationSpec) {
	s.Configurations = []v1alpha1.ApplicationConfiguration{
		{EnvironmentRef: v1alpha1.Reference{Name: "prod"}, Env: []v1alpha1.EnvVar{
			plain("MODE", "live"),
			{Name: "DB", ValueFrom: &v1alpha1.ValueSource{SecretKeyRef: &v1alpha1.KeySelector{Name: "db", Key: "url"}}},
			{Name: "LEVEL", ValueFrom: &v1alpha1.ValueSource{ConfigMapKeyRef: &v1alpha1.KeySelector{Name: "settings", Key: "level"}}},
		}},
		{EnvironmentRef: v1alpha1.Reference{ID: "env-test"}, Env: []v1alpha1.EnvVar{plain("MODE", "dry")}},
	}
}

// strangeApps puts applications into the cloud that no object made, one of them called "shop".
func strangeApps(w *world) {
	for _, name := range []string{"shop", "other"} {
		w.put("applications", cloudsim.Object{
			"id": "stranger-" + name, "name": name, "enterprise_project_id": "0",
			"labels": []any{map[string]any{"key": "kept", "value": "yes"}},
		})
	}
}

var applicationScenarios = []scenario{
	{"create", func(t *testing.T, w *world) {
		must(t, drive(w, application.Definition(w.accounts, w.api, w.api), app()).create())
	}},
	{"create-with-every-field", func(t *testing.T, w *world) {
		must(t, drive(w, application.Definition(w.accounts, w.api, w.api), app(fullApp)).create())
	}},
	{"create-with-configurations", func(t *testing.T, w *world) {
		must(t, drive(w, application.Definition(w.accounts, w.api, w.api), app(configured)).create())
	}},
	{"create-with-a-configuration-that-the-cloud-refuses", func(t *testing.T, w *world) {
		w.fault(cloudsim.Fault{
			Name: "refused", Nth: 2, Match: cloudsim.Match{Method: "PUT", Path: "/v3/*/cas/applications/*/configuration"}, Action: cloudsim.FaultStatus,
			Status: 400, Body: json.RawMessage(`{"error_code":"SVCSTG.00100400","error_msg":"too many variables"}`),
		})
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app(configured))
		fails(t, r.create(), clouderr.Invalid)
		if got := r.obj.Status.Configurations; len(got) != 1 || got[0].EnvironmentID != "env-prod" || r.id() == "" {
			t.Errorf("id %q, configurations %+v: want what was made", r.id(), got)
		}
	}},
	{"create-with-a-name-that-is-taken", func(t *testing.T, w *world) {
		strangeApps(w)
		fails(t, drive(w, application.Definition(w.accounts, w.api, w.api), app()).create(), clouderr.Exists)
	}},
	{"no-op", func(t *testing.T, w *world) {
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app())
		r.mustCreate()
		r.sync()
	}},
	{"no-op-with-labels", func(t *testing.T, w *world) {
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app(fullApp))
		r.mustCreate()
		r.sync()
	}},
	{"no-op-with-configurations", func(t *testing.T, w *world) {
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app(configured))
		r.mustCreate()
		r.sync()
	}},
	{"update-name", func(t *testing.T, w *world) {
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app())
		r.mustCreate()
		r.obj.Spec.Name = "renamed"
		r.sync("spec.name")
	}},
	{"update-description", func(t *testing.T, w *world) {
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app())
		r.mustCreate()
		r.obj.Spec.Description = new("new")
		r.sync("spec.description")
	}},
	{"clear-description", func(t *testing.T, w *world) {
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app(fullApp))
		r.mustCreate()
		r.obj.Spec.Description = new("")
		r.sync("spec.description")
	}},
	{"update-labels", func(t *testing.T, w *world) {
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app(fullApp))
		r.mustCreate()
		r.obj.Spec.Labels = map[string]string{"tier": "silver", "region": "south"}
		r.sync("spec.labels[region]", "spec.labels[team]", "spec.labels[tier]")
	}},
	{"clear-labels", func(t *testing.T, w *world) {
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app(fullApp))
		r.mustCreate()
		r.obj.Spec.Labels = map[string]string{}
		r.sync("spec.labels[team]", "spec.labels[tier]")
	}},
	{"update-enterprise-project", func(t *testing.T, w *world) {
		must(t, w.cloud.MergeQuirks([]byte(`{"putMovesEnterpriseProject": true}`)))
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app(fullApp))
		r.mustCreate()
		r.obj.Spec.EnterpriseProjectID = "ep-2"
		r.sync("spec.enterpriseProjectID")
	}},
	{"update-enterprise-project-without-effect", func(t *testing.T, w *world) {
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app(fullApp))
		r.mustCreate()
		r.obj.Spec.EnterpriseProjectID = "ep-2"
		changes, observed, handle, err := r.look()
		must(t, err)
		same(t, "paths", changes.Paths, "spec.enterpriseProjectID")
		w.traffic.heading("update spec.enterpriseProjectID")
		_, _, err = handle.Update(t.Context(), observed, changes, ourClaim)
		fails(t, err, clouderr.Invalid)
	}},
	{"update-configurations", func(t *testing.T, w *world) {
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app(configured))
		r.mustCreate()
		r.obj.Spec.Configurations[1].Env = []v1alpha1.EnvVar{plain("MODE", "wet"), plain("NEW", "")}
		r.sync("spec.configurations[env-test].env[MODE]", "spec.configurations[env-test].env[NEW]")
	}},
	{"drop-a-configuration", func(t *testing.T, w *world) {
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app(configured))
		r.mustCreate()
		r.obj.Spec.Configurations = r.obj.Spec.Configurations[:1]
		r.sync("spec.configurations[env-test]")
	}},
	{"drop-all-configurations", func(t *testing.T, w *world) {
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app(configured))
		r.mustCreate()
		r.obj.Spec.Configurations = nil
		r.sync("spec.configurations[env-prod]", "spec.configurations[env-test]")
	}},
	{"configurations-of-others-are-left-alone", func(t *testing.T, w *world) {
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app(configured))
		r.obj.Spec.Configurations = r.obj.Spec.Configurations[:1]
		r.mustCreate()
		w.put("configurations", cloudsim.Object{
			"id": r.id() + ":env-test", "application_id": r.id(), "environment_id": "env-test", "env": []any{map[string]any{"name": "BY", "value": "hand"}},
		})
		r.sync()
	}},
	{"drift", func(t *testing.T, w *world) {
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app(fullApp, configured))
		r.mustCreate()
		w.patch("applications", r.id(), cloudsim.Object{
			"description": "changed by hand", "labels": []any{map[string]any{"key": "tier", "value": "lead"}},
		})
		w.patch("configurations", r.id()+":env-prod", cloudsim.Object{"env": []any{map[string]any{"name": "MODE", "value": "off"}}})
		must(t, w.cloud.DeleteResource("servicestage", "configurations", r.id()+":env-test"))
		r.sync("spec.configurations[env-test]", "spec.configurations[prod].env[DB]", "spec.configurations[prod].env[LEVEL]",
			"spec.configurations[prod].env[MODE]", "spec.description", "spec.labels[team]", "spec.labels[tier]", "mark")
	}},
	{"import-by-id", func(t *testing.T, w *world) {
		strangeApps(w)
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app(func(s *v1alpha1.ApplicationSpec) {
			s.Description, s.Labels = new("ours now"), map[string]string{"kept": "yes"}
		}))
		r.obj.Status.ID = "stranger-shop"
		r.sync("spec.description", "mark")
	}},
	{"import-by-name", func(t *testing.T, w *world) {
		strangeApps(w)
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app(func(s *v1alpha1.ApplicationSpec) { s.Labels = map[string]string{"kept": "yes"} }))
		found := r.find()
		same(t, "found", found, "stranger-shop")
		r.obj.Status.ID = found[0]
		r.sync("mark")
	}},
	{"find-by-claim", func(t *testing.T, w *world) {
		strangeApps(w)
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app(func(s *v1alpha1.ApplicationSpec) { s.Name = "made-before" }))
		r.mustCreate()
		r.obj.Spec.Name = "other"
		same(t, "found", r.find(), "stranger-other", r.id())
	}},
	{"gone", func(t *testing.T, w *world) {
		strangeApps(w)
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app())
		r.obj.Status.ID = "gone"
		_, _, _, err := r.look()
		fails(t, err, clouderr.NotFound)
	}},
	{"delete", func(t *testing.T, w *world) {
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app(configured))
		r.mustCreate()
		must(t, r.remove())
	}},
	{"delete-what-is-gone", func(t *testing.T, w *world) {
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app())
		r.obj.Status.ID = "gone"
		fails(t, r.remove(), clouderr.NotFound)
	}},
	{"delete-what-is-in-use", func(t *testing.T, w *world) {
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app())
		r.mustCreate()
		w.put("components", cloudsim.Object{"id": "c-1", "name": "web", "application_id": r.id(), "environment_id": "env-prod"})
		fails(t, r.remove(), clouderr.InUse)
	}},
	{"throttled", func(t *testing.T, w *world) {
		w.fault(throttled("POST", "/v3/*/cas/applications"))
		err := drive(w, application.Definition(w.accounts, w.api, w.api), app()).create()
		fails(t, err, clouderr.Throttled)
		if clouderr.RetryAfter(err) <= 0 {
			t.Errorf("nothing says how long to wait: %v", err)
		}
	}},
	{"unmark", func(t *testing.T, w *world) {
		strangeApps(w)
		r := drive(w, application.Definition(w.accounts, w.api, w.api), app(fullApp))
		r.mustCreate()
		r.unmark()
	}},
}

func TestApplicationWaitsForReferencesThatAreMissing(t *testing.T) {
	w := newApplicationWorld(t)
	for field, change := range map[string]func(*v1alpha1.ApplicationConfiguration){
		"spec.configurations[0].environmentRef": func(c *v1alpha1.ApplicationConfiguration) { c.EnvironmentRef.Name = "nowhere" },
		"spec.configurations[0].env[DB].valueFrom": func(c *v1alpha1.ApplicationConfiguration) {
			c.Env[1].ValueFrom.SecretKeyRef.Key = "nothing"
		},
	} {
		a := app(configured)
		change(&a.Spec.Configurations[0])
		kind := application.Definition(w.accounts, w.api, w.api).Kind
		_, err := kind.Bind(t.Context(), a, external.ForSync)
		waitsFor(t, err, field)
		if _, err := kind.Bind(t.Context(), a, external.ForDelete); err != nil {
			t.Errorf("a deletion waits for references: %v", err)
		}
	}
	if calls := w.cloud.Calls(); len(calls) > 0 {
		t.Errorf("the cloud was called: %v", calls)
	}
}
