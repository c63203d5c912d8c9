// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package planning

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cli/exit"
	"servicestage.dev/operator/internal/cli/output"
	"servicestage.dev/operator/internal/plan"
)

func parse[T any](t *testing.T, text string) *T {
	t.Helper()
	obj := new(T)
	if err := yaml.UnmarshalStrict([]byte(text), obj); err != nil {
		t.Fatal(err)
	}
	return obj
}

func TestChangesShowValuesAndNoSecrets(t *testing.T) {
	wanted := parse[v1alpha1.Application](t, `
metadata: {name: shop}
spec:
  description: new
  labels: {stage: live, token: hunter2}
  configurations:
  - environmentRef: {name: live}
    env:
    - {name: LOG_LEVEL, value: info}
    - {name: DB_PASSWORD, value: hunter2}
    - {name: DATABASE, valueFrom: {secretKeyRef: {name: db, key: url}}}
    - {name: CURRENCY, valueFrom: {configMapKeyRef: {name: shop, key: currency}}}
  - environmentRef: {id: env-9}
    env: [{name: API_KEY, value: hunter2}, {name: MODE, value: x}]
`)
	cloud := parse[v1alpha1.Application](t, `
spec:
  name: Shop
  description: "old\x1b[31m"
  configurations:
  - environmentRef: {id: env-1}
    env:
    - {name: LOG_LEVEL, value: debug}
    - {name: DB_PASSWORD, value: hunter3}
    - {name: DATABASE, value: hunter4}
    - {name: EXTRA, value: "1"}
    - {name: OLD_TOKEN, value: hunter5}
`)
	for path, want := range map[string]string{
		"spec.name":          `~ spec.name: "Shop" -> "shop"`,
		"spec.description":   `~ spec.description: "old\u001b[31m" -> "new"`,
		"spec.labels[stage]": `+ spec.labels[stage]: "live"`,
		"spec.labels[token]": `+ spec.labels[token]: "***"`,
		"spec.configurations[live].env[LOG_LEVEL]":   `~ spec.configurations[live].env[LOG_LEVEL]: "debug" -> "info"`,
		"spec.configurations[live].env[DB_PASSWORD]": `~ spec.configurations[live].env[DB_PASSWORD]: "***" -> "***"`,
		"spec.configurations[live].env[DATABASE]":    `~ spec.configurations[live].env[DATABASE]: "***" -> (key url of Secret db)`,
		"spec.configurations[live].env[CURRENCY]":    `+ spec.configurations[live].env[CURRENCY]: (key currency of ConfigMap shop)`,
		"spec.configurations[live].env[EXTRA]":       `- spec.configurations[live].env[EXTRA]: "1"`,
		"spec.configurations[live].env[OLD_TOKEN]":   `- spec.configurations[live].env[OLD_TOKEN]: "***"`,
		"spec.configurations[env-9]":                 `+ spec.configurations[env-9]: {"env":[{"name":"API_KEY","value":"***"},{"name":"MODE","value":"x"}],"environmentRef":{"id":"env-9"}}`,
		"spec.nothing":                               `~ spec.nothing`,
	} {
		if got := change(path, wanted, cloud, map[string]string{"live": "env-1"}).line(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestChangesOfAComponent(t *testing.T) {
	wanted := parse[v1alpha1.Component](t, `
spec:
  jvmOptions: -Dkey.password=hunter2
  args: [--token, hunter2]
  hosts: [h1]
  references: [{type: cce, id: c1, namespace: shop}]
  source: {code: {repoType: GitHub, repoURL: "https://me:hunter2@github.com/x.git", authorization: shop-github}}
  env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}]
`)
	for path, want := range map[string]string{
		"spec.jvmOptions":         `+ spec.jvmOptions: "***"`,
		"spec.args":               `+ spec.args: "***"`,
		"spec.hosts":              `+ spec.hosts: ["h1"]`,
		"spec.references[cce/c1]": `+ spec.references[cce/c1]: {"id":"c1","namespace":"shop","type":"cce"}`,
		"spec.source":             `+ spec.source: {"code":{"authorization":"shop-github","repoType":"GitHub","repoURL":"***"}}`,
		"spec.env[PASSWORD]":      `+ spec.env[PASSWORD]: (key password of Secret db)`,
	} {
		if got := change(path, wanted, nil, nil).line(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestPlanReadsLikeThis(t *testing.T) {
	p := Plan{Objects: []Entry{
		{Kind: "Environment", Name: "dev", Action: string(plan.Update), Marks: true, Changes: []Change{{Path: "spec.description", To: `"new"`}}},
		{Kind: "Environment", Name: "seen", Action: string(plan.Nothing), Held: "managementPolicy is Observe", Changes: []Change{{Path: "spec.description", From: `"old"`}}},
		{Kind: "Application", Name: "shop", Action: string(plan.Adopt), ID: "app-1"},
		{Kind: "Component", Name: "web", Action: string(plan.Create), Message: "once this is there: spec.applicationRef"},
		{Kind: "Component", Name: "api", Action: unknown, Error: "spec.accountRef: there is none"},
		{Kind: "Component", Name: "old", Action: string(plan.Nothing)},
	}, Summary: map[string]int{"Update": 1, "Nothing": 2, "Adopt": 1, "Create": 1, "Unknown": 1}}
	want := `environment/dev: would be changed
    + spec.description: "new"
    + the claim, a label by which the operator recognises its own
environment/seen: differs, and nothing would change: managementPolicy is Observe
    - spec.description: "old"
application/shop: would be adopted (id app-1)
component/web: would be created: once this is there: spec.applicationRef
component/api: cannot tell: spec.accountRef: there is none
component/old: nothing would change

Plan: 1 to create, 1 to adopt, 1 to change, 2 unchanged, 1 unknown.
`
	if diff := cmp.Diff(want, p.text()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	if got := (Plan{}).text(); got != "No objects.\n" {
		t.Errorf("an empty plan reads %q", got)
	}
}

func TestTheExitCodeSaysWhatWasFound(t *testing.T) {
	for name, tc := range map[string]struct {
		actions []string
		want    int
	}{
		"nothing":            {nil, 0},
		"unchanged":          {[]string{"Nothing"}, 0},
		"a change":           {[]string{"Nothing", "Update"}, exit.Changes},
		"a creation":         {[]string{"Create"}, exit.Changes},
		"a deletion":         {[]string{"Delete"}, exit.Changes},
		"the cloud at work":  {[]string{"Working"}, exit.Changes},
		"blocked":            {[]string{"Update", "Blocked"}, exit.Failed},
		"unknown and change": {[]string{"Update", unknown}, exit.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			p := Plan{Summary: map[string]int{}}
			for _, a := range tc.actions {
				p.Objects = append(p.Objects, Entry{Action: a})
				p.Summary[a]++
			}
			var out bytes.Buffer
			err := p.finish(&out, output.JSON)
			if got := exit.Code(err); got != tc.want {
				t.Errorf("exit code %d (%v), want %d", got, err, tc.want)
			}
			var decoded Plan
			if err := json.Unmarshal(out.Bytes(), &decoded); err != nil || len(decoded.Objects) != len(tc.actions) {
				t.Errorf("wrote %s: %v", out.String(), err)
			}
		})
	}
}

func TestObjectsAndFilesExcludeEachOther(t *testing.T) {
	o := Options{}
	if err := o.Validate([]string{"environment/dev"}); err != nil {
		t.Error(err)
	}
	o.Files.Filenames = []string{"x.yaml"}
	if err := o.Validate(nil); err != nil {
		t.Error(err)
	}
	if err := o.Validate([]string{"environment/dev"}); err == nil || !strings.Contains(err.Error(), "not both") {
		t.Errorf("err = %v", err)
	}
	o.Selector = "a=b"
	if err := o.Validate(nil); err == nil || !strings.Contains(err.Error(), "--selector") {
		t.Errorf("err = %v", err)
	}
}

func TestSilentErrorsHaveACode(t *testing.T) {
	if got := exit.Code(errors.Join(&exit.Error{Code: exit.Partial})); got != exit.Partial {
		t.Errorf("code %d", got)
	}
}
