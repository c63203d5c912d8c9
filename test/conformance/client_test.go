// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/cloudsim"
)

var key = cloudclient.Credentials{AccessKey: accessKey, SecretKey: secretKey}

func wantClass(t *testing.T, what string, err error, want clouderr.Class) {
	t.Helper()
	if got := clouderr.ClassOf(err); got != want {
		t.Errorf("%s: class %q (%v), want %q", what, got, err, want)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func TestOurClientWithEveryKindOfCredentials(t *testing.T) {
	for name, credentials := range map[string]cloudclient.Credentials{
		"key":           key,
		"temporary key": {AccessKey: accessKey, SecretKey: secretKey, SecurityToken: securityToken},
		"user":          {DomainName: domainName, Username: username, Password: password},
	} {
		for project, id := range map[string]string{"configured": projectID, "looked up": ""} {
			t.Run(name+", project "+project, func(t *testing.T) {
				_, url := startSimulator(t, func(o *cloudsim.Options) { o.SecurityToken = credentials.SecurityToken })
				cloud, stage := newClient(t, url, credentials, id)
				if err := cloud.Verify(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got, err := cloud.ProjectID(t.Context()); got != projectID || err != nil {
					t.Errorf("ProjectID = %q, %v; want %q", got, err, projectID)
				}
				if _, err := stage.CreateEnvironment(t.Context(), servicestage.EnvironmentCreate{Name: "dev", VPCID: "v"}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestOurClientIsRefusedOnce(t *testing.T) {
	for name, credentials := range map[string]cloudclient.Credentials{
		"a wrong secret":   {AccessKey: accessKey, SecretKey: "wrong"},
		"an unknown key":   {AccessKey: "UNKNOWN", SecretKey: secretKey},
		"a wrong password": {DomainName: domainName, Username: username, Password: "wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			simulator, url := startSimulator(t)
			cloud, stage := newClient(t, url, credentials, projectID)
			for range 10 {
				_, err := stage.GetEnvironment(t.Context(), "e1")
				wantClass(t, "get", err, clouderr.Unauthorized)
			}
			if got := countCalls(simulator); got != 1 {
				t.Errorf("%d calls, want 1", got)
			}
			wantClass(t, "verify", cloud.Verify(t.Context()), clouderr.Unauthorized)
			if got := countCalls(simulator); got != 2 {
				t.Errorf("%d calls after Verify, want 2", got)
			}
		})
	}
}

func TestOurClientManagesEnvironments(t *testing.T) {
	for name, missing := range map[string]string{"observed": "", "documented": "notFound"} {
		t.Run(name, func(t *testing.T) {
			_, url := startSimulator(t, func(o *cloudsim.Options) { o.Quirks.MissingResource = missing })
			_, stage := newClient(t, url, key, projectID)
			ctx := t.Context()

			created := must[*servicestage.Environment](t)(stage.CreateEnvironment(ctx, servicestage.EnvironmentCreate{
				Name: "dev", Description: "first", DeployMode: "mixed", VPCID: "vpc-1", Labels: []servicestage.Label{{Key: "team", Value: "a"}},
			}))
			if created.ID == "" || created.ProjectID != projectID || created.EnterpriseProjectID != "0" || created.CreateTime == 0 ||
				!slices.Equal(created.Labels, []servicestage.Label{{Key: "team", Value: "a"}}) {
				t.Errorf("created = %+v", created)
			}
			_, err := stage.CreateEnvironment(ctx, servicestage.EnvironmentCreate{Name: "dev", VPCID: "vpc-1"})
			wantClass(t, "the same name again", err, clouderr.Exists)
			_, err = stage.CreateEnvironment(ctx, servicestage.EnvironmentCreate{Name: "1-starts-with-a-digit", VPCID: "vpc-1"})
			wantClass(t, "a bad name", err, clouderr.Invalid)

			changed := must[*servicestage.Environment](t)(stage.UpdateEnvironment(ctx, created.ID, servicestage.EnvironmentUpdate{Name: "dev", Description: pointer("second")}))
			if changed.Description != "second" {
				t.Errorf("changed = %+v", changed)
			}
			resources := []servicestage.EnvironmentResource{{ID: "c1", Type: "cce"}, {ID: "s1", Type: "cse"}}
			set := must[[]servicestage.EnvironmentResource](t)(stage.SetEnvironmentResources(ctx, created.ID, resources))
			read := must[[]servicestage.EnvironmentResource](t)(stage.GetEnvironmentResources(ctx, created.ID))
			got := must[*servicestage.Environment](t)(stage.GetEnvironment(ctx, created.ID))
			for what, list := range map[string][]servicestage.EnvironmentResource{"set": set, "read": read, "detail": got.Resources} {
				if ids := resourceIDs(list); !slices.Equal(ids, []string{"c1", "s1"}) {
					t.Errorf("%s: resources %v, want c1 and s1", what, ids)
				}
			}
			if got.Description != "second" || got.VPCID != "vpc-1" || got.DeployMode != "mixed" {
				t.Errorf("detail = %+v", got)
			}
			labels := func() []servicestage.Label {
				for listed, err := range stage.ListEnvironments(ctx, servicestage.EnvironmentListOptions{EnvironmentID: created.ID}) {
					if err != nil {
						t.Fatal(err)
					}
					return listed.Labels
				}
				t.Fatal("the list lacks the environment")
				return nil
			}
			if got := labels(); len(got) != 1 {
				t.Errorf("labels after an update without them = %v, want them kept", got)
			}
			must[*servicestage.Environment](t)(stage.UpdateEnvironment(ctx, created.ID, servicestage.EnvironmentUpdate{Name: "dev", Labels: new([]servicestage.Label)}))
			if got := labels(); len(got) != 0 {
				t.Errorf("labels after clearing = %v, want none", got)
			}

			if err := stage.DeleteEnvironment(ctx, created.ID); err != nil {
				t.Fatal(err)
			}
			_, err = stage.GetEnvironment(ctx, created.ID)
			wantClass(t, "get after deletion", err, clouderr.NotFound)
			wantClass(t, "delete after deletion", stage.DeleteEnvironment(ctx, created.ID), clouderr.NotFound)
			_, err = stage.SetEnvironmentResources(ctx, created.ID, resources)
			wantClass(t, "set resources after deletion", err, clouderr.NotFound)
		})
	}
}

func resourceIDs(resources []servicestage.EnvironmentResource) []string {
	var ids []string
	for _, resource := range resources {
		ids = append(ids, resource.ID)
	}
	slices.Sort(ids)
	return ids
}

func TestOurClientManagesApplications(t *testing.T) {
	for name, missing := range map[string]string{"observed": "", "documented": "notFound"} {
		t.Run(name, func(t *testing.T) {
			simulator, url := startSimulator(t, func(o *cloudsim.Options) { o.Quirks.MissingResource = missing })
			_, stage := newClient(t, url, key, projectID)
			ctx := t.Context()

			environment := must[*servicestage.Environment](t)(stage.CreateEnvironment(ctx, servicestage.EnvironmentCreate{Name: "dev", VPCID: "vpc-1"}))
			created := must[*servicestage.Application](t)(stage.CreateApplication(ctx, servicestage.ApplicationCreate{Name: "shop", Description: "first"}))
			_, err := stage.CreateApplication(ctx, servicestage.ApplicationCreate{Name: "shop"})
			wantClass(t, "the same name again", err, clouderr.Exists)
			changed := must[*servicestage.Application](t)(stage.UpdateApplication(ctx, created.ID, servicestage.ApplicationUpdate{Description: pointer("")}))
			if changed.Name != "shop" || changed.Description != "" {
				t.Errorf("changed = %+v", changed)
			}

			env := []servicestage.EnvVar{{Name: "MODE", Value: "test"}}
			set := must[*servicestage.ApplicationConfiguration](t)(stage.SetApplicationConfiguration(ctx, created.ID, environment.ID, env))
			if set.ApplicationID != created.ID || set.EnvironmentID != environment.ID || !slices.Equal(set.Env, env) {
				t.Errorf("set = %+v", set)
			}
			for what, environmentID := range map[string]string{"all": "", "one": environment.ID} {
				listed := must[[]servicestage.ApplicationConfiguration](t)(stage.ListApplicationConfigurations(ctx, created.ID, environmentID))
				if len(listed) != 1 || !slices.Equal(listed[0].Env, env) {
					t.Errorf("%s: configurations = %+v", what, listed)
				}
			}
			for range 2 { // the second time it is gone
				if err := stage.DeleteApplicationConfiguration(ctx, created.ID, environment.ID); err != nil {
					t.Error(err)
				}
			}
			_, err = stage.SetApplicationConfiguration(ctx, created.ID, "no-such-environment", env)
			wantClass(t, "set in a missing environment", err, clouderr.Invalid)

			if _, err := simulator.PutResource("servicestage", "components", cloudsim.Object{
				"id": "c1", "name": "web", "application_id": created.ID, "environment_id": environment.ID,
			}); err != nil {
				t.Fatal(err)
			}
			wantClass(t, "delete with a component", stage.DeleteApplication(ctx, created.ID), clouderr.InUse)
			wantClass(t, "delete the environment with a component", stage.DeleteEnvironment(ctx, environment.ID), clouderr.InUse)
			if got := must[*servicestage.Application](t)(stage.GetApplication(ctx, created.ID)); got.ComponentCount != 1 {
				t.Errorf("component count = %d, want 1", got.ComponentCount)
			}
			if err := simulator.DeleteResource("servicestage", "components", "c1"); err != nil {
				t.Fatal(err)
			}
			if err := stage.DeleteApplication(ctx, created.ID); err != nil {
				t.Fatal(err)
			}
			_, err = stage.GetApplication(ctx, created.ID)
			wantClass(t, "get after deletion", err, clouderr.NotFound)
			if err := stage.DeleteApplicationConfiguration(ctx, created.ID, environment.ID); err != nil {
				t.Errorf("delete a configuration of a missing application = %v, want nil", err)
			}
		})
	}
}

func TestOurClientReadsLongLists(t *testing.T) {
	_, url := startSimulator(t)
	_, stage := newClient(t, url, key, projectID)
	var want []string
	for i := range 205 {
		created := must[*servicestage.Application](t)(stage.CreateApplication(t.Context(), servicestage.ApplicationCreate{Name: fmt.Sprintf("app-%03d", i)}))
		want = append(want, created.ID)
	}
	var got []string
	for application, err := range stage.ListApplications(t.Context(), servicestage.ApplicationListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, application.ID)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("listed %d applications, want the %d that were created", len(got), len(want))
	}
}

func TestOurClientAndACloudInTrouble(t *testing.T) {
	create := cloudsim.Match{Method: "POST", Path: "/v3/*/cas/environments"}
	detail := cloudsim.Match{Method: "GET", Path: "/v3/*/cas/environments/*"}
	tests := []struct {
		name    string
		fault   cloudsim.Fault
		create  clouderr.Class
		get     clouderr.Class
		created int // environments in the cloud after one create
	}{
		{"a slow answer", cloudsim.Fault{Action: "delay", Delay: cloudsim.Duration(time.Millisecond), Match: create}, "", "", 1},
		{"500 on create", cloudsim.Fault{Action: "status", Status: 500, Match: create}, clouderr.Transient, "", 0},
		{"garbage on create", cloudsim.Fault{Action: "garbage", Match: create}, clouderr.Transient, "", 1},
		{"a lost request", cloudsim.Fault{Action: "resetBefore", Match: create}, clouderr.Transient, "", 0},
		{"a lost reply", cloudsim.Fault{Action: "resetAfter", Match: create}, clouderr.Transient, "", 1},
		{"503 on every get", cloudsim.Fault{Action: "status", Status: 503, Match: detail}, "", clouderr.Transient, 1},
		{"503 on the first get", cloudsim.Fault{Action: "status", Status: 503, Nth: 1, Match: detail}, "", "", 1},
		{"gone, says the detail, and the list holds it", cloudsim.Fault{Action: "status", Status: 401, Match: detail,
			Body: []byte(`{"error_code":"SVCSTG.00100401","error_msg":"not found"}`)}, "", clouderr.Transient, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			simulator, url := startSimulator(t)
			if err := simulator.SetFaults([]cloudsim.Fault{tt.fault}); err != nil {
				t.Fatal(err)
			}
			_, stage := newClient(t, url, key, projectID)
			created, err := stage.CreateEnvironment(t.Context(), servicestage.EnvironmentCreate{Name: "dev", VPCID: "v"})
			wantClass(t, "create", err, tt.create)
			posts := 0
			for _, call := range simulator.Calls() {
				if call.Method == "POST" {
					posts++
				}
			}
			if posts != 1 {
				t.Errorf("%d POSTs, want 1: a creation is never repeated", posts)
			}
			resources, err := simulator.Resources("servicestage", "environments")
			if err != nil || len(resources) != tt.created {
				t.Errorf("%d environments in the cloud, %v; want %d", len(resources), err, tt.created)
			}
			if created != nil {
				_, err = stage.GetEnvironment(t.Context(), created.ID)
				wantClass(t, "get", err, tt.get)
			}
		})
	}
}

func TestOurClientKeepsToAStatedLimit(t *testing.T) {
	simulator, url := startSimulator(t)
	if err := simulator.SetLimits([]cloudsim.Limit{{Scope: "user", Limit: 3, Period: cloudsim.Duration(time.Minute)}}); err != nil {
		t.Fatal(err)
	}
	cloud, stage := newClient(t, url, key, projectID)
	for range 3 {
		must[*servicestage.Environment](t)(stage.CreateEnvironment(t.Context(), servicestage.EnvironmentCreate{
			Name: fmt.Sprint("dev", countCalls(simulator)), VPCID: "v",
		}))
	}
	for range 5 {
		_, err := stage.CreateEnvironment(t.Context(), servicestage.EnvironmentCreate{Name: "more", VPCID: "v"})
		wantClass(t, "over the limit", err, clouderr.Throttled)
		if got := clouderr.RetryAfter(err); got < 50*time.Second || got > time.Minute+5*time.Second {
			t.Errorf("RetryAfter = %v, want the rest of a minute, and a little more for each that was sent away before", got)
		}
	}
	if got := countCalls(simulator); got != 4 {
		t.Errorf("%d calls, want 4: three, and one that was refused", got)
	}
	want := []cloudclient.Limit{{
		Endpoint: strings.TrimPrefix(url, "http://"), OperationLimit: cloudclient.OperationLimit{
			StatedLimit: cloudclient.StatedLimit{Policy: "user", Requests: 3, Window: time.Minute},
		},
	}}
	if got := cloud.Limits(); !slices.Equal(got, want) {
		t.Errorf("Limits = %v, want %v", got, want)
	}
}
