// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package estate

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/external"
)

func TestNamesAreNearAndFree(t *testing.T) {
	var n Names
	n.Reserve("Component", "api")
	for _, tc := range []struct{ kind, cloud, qualifier, want string }{
		{"Environment", "dev", "", "dev"},
		{"Environment", "Dev_2", "", "dev-2"},
		{"Environment", "dev-2", "", "dev-2-2"},
		{"Environment", "DEV__2", "", "dev-2-3"},
		{"Component", "dev", "live", "dev"},
		{"Component", "Dev", "live", "dev-live"},
		{"Component", "dEV", "live", "dev-2"},
		{"Component", "api", "live", "api-live"},
		{"Component", "研发", "live", "component"},
		{"Component", strings.Repeat("a", 80), "", strings.Repeat("a", 63)},
		{"Component", strings.Repeat("a", 90), "", strings.Repeat("a", 61) + "-2"},
	} {
		if got := n.Assign(tc.kind, tc.cloud, tc.qualifier); got != tc.want {
			t.Errorf("Assign(%s, %s, %s) = %s, want %s", tc.kind, tc.cloud, tc.qualifier, got, tc.want)
		}
	}
}

func newEstate() *Estate {
	e := &Estate{
		Session: &account.Session{}, Namespace: "shop",
		Account: v1alpha1.AccountReference{Kind: v1alpha1.AccountKindNamespaced, Name: "default"},
	}
	e.Register("Environment", "env-1", "live")
	e.Register("Application", "app-1", "shop")
	return e
}

func TestEnvironmentBecomesAnObject(t *testing.T) {
	item := newEstate().environment(&servicestage.Environment{
		ID: "env-2", Name: "Stage", VPCID: "vpc-1", DeployMode: "mixed", EnterpriseProjectID: "0",
		Labels: []servicestage.Label{{Key: "a", Value: "1"}, {Key: external.LabelKey, Value: "x"}},
	}, []servicestage.EnvironmentResource{{Type: "vpc", ID: "vpc-1"}, {Type: "cce", ID: "c", Name: "cluster"}})
	want := v1alpha1.EnvironmentSpec{
		ResourceSpec: v1alpha1.ResourceSpec{
			AccountRef:       v1alpha1.AccountReference{Kind: v1alpha1.AccountKindNamespaced, Name: "default"},
			ManagementPolicy: v1alpha1.ManagementPolicyObserve, Import: &v1alpha1.Import{ID: "env-2"},
		},
		Name: "Stage", VPCID: "vpc-1", DeployMode: "mixed", Labels: map[string]string{"a": "1"},
		Resources: []v1alpha1.EnvironmentResource{{Type: "cce", ID: "c", Name: "cluster"}},
	}
	if diff := cmp.Diff(want, item.Object.(*v1alpha1.Environment).Spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	if item.Object.GetName() != "stage" || item.Object.GetNamespace() != "shop" {
		t.Errorf("named %s/%s", item.Object.GetNamespace(), item.Object.GetName())
	}
}

func TestManageLeavesWhatOthersClaimToThem(t *testing.T) {
	e := newEstate()
	e.Manage = true
	free := e.environment(&servicestage.Environment{ID: "env-2", Name: "free"}, nil)
	taken := e.environment(&servicestage.Environment{ID: "env-3", Name: "taken", Labels: []servicestage.Label{{Key: external.LabelKey, Value: "x"}}}, nil)
	if got := free.Object.CommonSpec().ManagementPolicy; got != v1alpha1.ManagementPolicyManage || len(free.Notes) > 0 {
		t.Errorf("what is free: policy %s, notes %v", got, free.Notes)
	}
	if got := taken.Object.CommonSpec().ManagementPolicy; got != v1alpha1.ManagementPolicyObserve || len(taken.Notes) != 1 {
		t.Errorf("what is claimed: policy %s, notes %v", got, taken.Notes)
	}
}

func TestSecretVariablesOfAnApplicationComeFromASecret(t *testing.T) {
	item := newEstate().application(&servicestage.Application{ID: "app-2", Name: "Shop"}, []servicestage.ApplicationConfiguration{
		{EnvironmentID: "env-1", Env: []servicestage.EnvVar{{Name: "MODE", Value: "x"}, {Name: "DB_PASSWORD", Value: "hunter2"}}},
		{EnvironmentID: "env-9", Env: nil},
	})
	value := "x"
	want := []v1alpha1.ApplicationConfiguration{
		{EnvironmentRef: v1alpha1.Reference{Name: "live"}, Env: []v1alpha1.EnvVar{
			{Name: "MODE", Value: &value},
			{Name: "DB_PASSWORD", ValueFrom: &v1alpha1.ValueSource{SecretKeyRef: &v1alpha1.KeySelector{Name: "shop-live-variables", Key: "DB_PASSWORD"}}},
		}},
		{EnvironmentRef: v1alpha1.Reference{ID: "env-9"}, Env: []v1alpha1.EnvVar{}},
	}
	if diff := cmp.Diff(want, item.Object.(*v1alpha1.Application).Spec.Configurations); diff != "" {
		t.Errorf("configurations (-want +got):\n%s", diff)
	}
	if len(item.Secrets) != 1 || string(item.Secrets[0].Data["DB_PASSWORD"]) != "hunter2" || len(item.Secrets[0].Data) != 1 {
		t.Errorf("secrets = %v", item.Secrets)
	}
	notes := strings.Join(item.Notes, "\n")
	if strings.Contains(notes, "hunter2") || !strings.Contains(notes, "kubectl create secret generic shop-live-variables --namespace=shop --from-file=DB_PASSWORD") {
		t.Errorf("notes = %s", notes)
	}
}

func TestSecretsOfAComponentAreLeftOut(t *testing.T) {
	fields := map[string]any{
		"jvm_opts":       "-Ddb.password=hunter2",
		"command":        map[string]any{"command": []any{"java"}, "args": []any{"--token", "hunter2"}},
		"envs":           []any{map[string]any{"name": "API_KEY", "value": "hunter2"}, map[string]any{"name": "MODE", "value": "x"}},
		"liveness_probe": map[string]any{"type": "command", "command": []any{"curl", "http://u:hunter2@localhost"}},
		"post_start":     map[string]any{"type": "command", "command": []any{"login", "--password=hunter2"}},
		"tomcat_opts":    map[string]any{"server_xml": `<Realm connectionPassword="hunter2"/>`},
		"build":          map[string]any{"parameters": map[string]any{"cluster_id": "c", "build_cmd": "mvn -Dtoken=hunter2"}},
		"description":    "kept",
	}
	record := &servicestage.Component{ID: "c1", Name: "web", ApplicationID: "app-1", EnvironmentID: "env-1", Fields: fields}
	item := newEstate().component(record, record)
	spec := item.Object.(*v1alpha1.Component).Spec
	kept := "kept"
	want := v1alpha1.ComponentSpec{
		ResourceSpec: spec.ResourceSpec, Description: &kept, Command: []string{"java"},
		ApplicationRef: v1alpha1.Reference{Name: "shop"}, EnvironmentRef: v1alpha1.Reference{Name: "live"},
	}
	if diff := cmp.Diff(want, spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	notes := strings.Join(item.Notes, "\n")
	for _, field := range []string{"spec.env ", "API_KEY", "spec.jvmOptions", "spec.args", "spec.livenessProbe", "spec.lifecycle", "spec.tomcat", "spec.build"} {
		if !strings.Contains(notes, field) {
			t.Errorf("no note names %s:\n%s", field, notes)
		}
	}
	if strings.Contains(notes, "hunter2") {
		t.Errorf("a note holds the secret:\n%s", notes)
	}
}

func TestASourceWithAPasswordCannotBeWritten(t *testing.T) {
	for url, want := range map[string]bool{"https://github.com/example/shop.git": false, "https://me:hunter2@github.com/example/shop.git": true} {
		if got := holdsSecret(v1alpha1.ComponentSource{Code: &v1alpha1.CodeSource{RepoURL: url}}); got != want {
			t.Errorf("%s: %t, want %t", url, got, want)
		}
	}
}

// listed yields applications, and then the error.
func listed(err error, names ...string) iter.Seq2[*servicestage.Application, error] {
	return func(yield func(*servicestage.Application, error) bool) {
		for _, name := range names {
			if !yield(&servicestage.Application{ID: "id-" + name, Name: name}, nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

func TestWhatMayNotBeReadIsLeftOut(t *testing.T) {
	forbidden := clouderr.New(clouderr.Forbidden, "no permission")
	broken := clouderr.New(clouderr.Transient, "out of order")
	reads := map[string]error{"secret": forbidden, "gone": clouderr.New(clouderr.NotFound, "gone"), "broken": broken}
	for name, tc := range map[string]struct {
		list iter.Seq2[*servicestage.Application, error]
		want []string
		gaps []string
		err  error
	}{
		"everything":            {list: listed(nil, "b", "a"), want: []string{"a", "b"}},
		"not the list":          {list: listed(forbidden, "a"), gaps: []string{"applications: the account may not list them: no permission"}},
		"not one of them":       {list: listed(nil, "a", "secret", "z"), want: []string{"a", "z"}, gaps: []string{`Application "secret" (id id-secret): the account may not read it: no permission`}},
		"gone meanwhile":        {list: listed(nil, "a", "gone"), want: []string{"a"}},
		"there already":         {list: listed(nil, "a", "known"), want: []string{"a"}},
		"a cloud that fails":    {list: listed(broken, "a"), err: broken},
		"a read that fails":     {list: listed(nil, "a", "broken", "z"), want: []string{"a"}, err: broken},
		"a key that is refused": {list: listed(clouderr.New(clouderr.Unauthorized, "who are you")), err: clouderr.New(clouderr.Unauthorized, "who are you")},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEstate()
			e.Register("Application", "id-known", "known")
			var got []string
			var failed error
			for item, err := range items(t.Context(), e, collection[servicestage.Application]{
				kind: "Application", plural: "applications", list: tc.list,
				id: func(a *servicestage.Application) string { return a.ID }, name: func(a *servicestage.Application) string { return a.Name },
				read: func(_ context.Context, a *servicestage.Application) (*Item, error) {
					return e.application(a, nil), reads[a.Name]
				},
			}) {
				if err != nil {
					failed = err
					break
				}
				got = append(got, item.Object.GetName())
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("items %v, want %v", got, tc.want)
			}
			if (failed == nil) != (tc.err == nil) || failed != nil && clouderr.ClassOf(failed) != clouderr.ClassOf(tc.err) {
				t.Errorf("err = %v, want %v", failed, errors.Unwrap(tc.err))
			}
			var gaps []string
			for _, g := range e.Gaps {
				gaps = append(gaps, g.What+": "+g.Why)
			}
			if !slices.Equal(gaps, tc.gaps) {
				t.Errorf("gaps %v, want %v", gaps, tc.gaps)
			}
			if name == "there already" && !slices.Equal(e.Present, []string{`Application "known" (id id-known) is Application/known`}) {
				t.Errorf("present = %v", e.Present)
			}
		})
	}
}
