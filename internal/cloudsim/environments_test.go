// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	env1 = `{"id":"e1","name":"dev-env","description":"first","project_id":"p1","enterprise_project_id":"0","deploy_mode":"mixed",
		"vpc_id":"v1","creator":"bot","create_time":1000,"update_time":1000,"labels":[{"key":"a","value":"1"}],
		"resources":[{"id":"r1","type":"ecs","name":"one"},{"id":"r2","type":"cce","name":"two"}]}`
	missingBody = `{"error_code":"SVCSTG.00100401","error_msg":"Environment does not exist or you have no permission."}`
)

// badRequest is the body of a refused parameter.
func badRequest(message string) string {
	return fmt.Sprintf(`{"error_code":"SVCSTG.00100400","error_msg":"Invalid parameter. %s"}`, message)
}

func TestCreateEnvironment(t *testing.T) {
	const nameRule = "name must have 2 to 64 characters, consist of letters, digits, hyphens and underscores, start with a letter and end with a letter or digit."
	refused := func(name, body, message string) step {
		return step{name: name, method: http.MethodPost, path: envsPath, body: body, status: 400, want: badRequest(message)}
	}
	withName := func(name string) string { return fmt.Sprintf(`{"name":%q,"vpc_id":"v1"}`, name) }
	withLabels := func(labels string) string { return `{"name":"dev","vpc_id":"v1","labels":` + labels + `}` }
	manyLabels := make([]string, 11)
	for i := range manyLabels {
		manyLabels[i] = fmt.Sprintf(`{"key":"k%d","value":""}`, i)
	}
	runSteps(t, []step{
		{
			name: "everything given", method: http.MethodPost, path: envsPath, status: 200,
			body: `{"name":"dev","deploy_mode":"container","description":"d","enterprise_project_id":"ep","vpc_id":"v1","labels":[{"key":"k","value":"v"}],"unknown":1}`,
			want: `{"id":"*","name":"dev","description":"d","project_id":"p1","enterprise_project_id":"ep","deploy_mode":"container","vpc_id":"v1",
				"creator":"bot","create_time":1767323046000,"update_time":1767323046000,"labels":[{"key":"k","value":"v"}]}`,
		},
		{
			name: "defaults", method: http.MethodPost, path: envsPath, status: 200, body: `{"name":"dev","enterprise_project_id":"","vpc_id":"v1"}`,
			want: `{"id":"*","name":"dev","description":"","project_id":"p1","enterprise_project_id":"0","deploy_mode":"mixed","vpc_id":"v1",
				"creator":"bot","create_time":1767323046000,"update_time":1767323046000,"labels":null}`,
		},
		{
			name: "name taken", before: map[string][]string{"environments": {env1}}, method: http.MethodPost, path: envsPath,
			body: withName("dev-env"), status: 400, want: `{"error_code":"SVCSTG.00100449","error_msg":"The environment name already exists."}`,
		},
		{
			name: "name taken but for case", before: map[string][]string{"environments": {env1}}, method: http.MethodPost, path: envsPath,
			body: withName("DEV-env"), status: 400, want: `{"error_code":"SVCSTG.00100449","error_msg":"The environment name already exists."}`,
		},
		{
			name: "name in another case where case counts", quirks: `{"caseSensitiveNames":true}`, before: map[string][]string{"environments": {env1}},
			method: http.MethodPost, path: envsPath, body: withName("DEV-env"), status: 200,
			want: `{"id":"*","name":"DEV-env","description":"","project_id":"p1","enterprise_project_id":"0","deploy_mode":"mixed","vpc_id":"v1",
				"creator":"bot","create_time":1767323046000,"update_time":1767323046000,"labels":null}`,
		},
		{
			name: "name of another project's environment", before: map[string][]string{"environments": {strings.Replace(env1, `"p1"`, `"p2"`, 1)}},
			method: http.MethodPost, path: envsPath, body: withName("dev-env"), status: 200,
			want: `{"id":"*","name":"dev-env","description":"","project_id":"p1","enterprise_project_id":"0","deploy_mode":"mixed","vpc_id":"v1",
				"creator":"bot","create_time":1767323046000,"update_time":1767323046000,"labels":null}`,
		},
		{
			name: "quota", quirks: `{"quotas":{"servicestage/environments":1}}`, before: map[string][]string{"environments": {env1}},
			method: http.MethodPost, path: envsPath, body: withName("dev"), status: 405,
			want: `{"error_code":"SVCSTG.00100421","error_msg":"The account quota is insufficient: 1 of 1 servicestage/environments are used."}`,
		},
		{
			name: "quota as 403", quirks: `{"quotas":{"servicestage/environments":0},"quotaError":"forbidden"}`,
			method: http.MethodPost, path: envsPath, body: withName("dev"), status: 403,
			want: `{"error_code":"SVCSTG.00100421","error_msg":"The account quota is insufficient: 0 of 0 servicestage/environments are used."}`,
		},
		refused("no name", `{"vpc_id":"v1"}`, "name is mandatory."),
		refused("null name", `{"name":null,"vpc_id":"v1"}`, "name is mandatory."),
		refused("no VPC", `{"name":"dev"}`, "vpc_id is mandatory."),
		refused("empty VPC", `{"name":"dev","vpc_id":""}`, "vpc_id is mandatory."),
		refused("name too short", withName("d"), nameRule),
		refused("name too long", withName(strings.Repeat("d", 65)), nameRule),
		refused("name starts with a digit", withName("1dev"), nameRule),
		refused("name ends with a hyphen", withName("dev-"), nameRule),
		refused("name with a dot", withName("d.v"), nameRule),
		refused("name is a number", `{"name":1,"vpc_id":"v1"}`, "name must not be a JSON number."),
		refused("no object", `[]`, "the request body must be a JSON object."),
		refused("no JSON", `{"name"`, "the request body must be a JSON object."),
		refused("description too long", `{"name":"dev","vpc_id":"v1","description":"`+strings.Repeat("你", 129)+`"}`, "description must have at most 128 characters."),
		refused("VPC too long", `{"name":"dev","vpc_id":"`+strings.Repeat("v", 65)+`"}`, "vpc_id must have at most 64 characters."),
		refused("enterprise project too long", `{"name":"dev","vpc_id":"v","enterprise_project_id":"`+strings.Repeat("v", 65)+`"}`, "enterprise_project_id must have at most 64 characters."),
		refused("deploy mode", `{"name":"dev","vpc_id":"v1","deploy_mode":"Container"}`, "deploy_mode must be one of virtualmachine, container, mixed."),
		refused("label without key", withLabels(`[{"value":"v"}]`), "labels[0].key is mandatory."),
		refused("label without value", withLabels(`[{"key":"a","value":"v"},{"key":"k"}]`), "labels[1].value is mandatory."),
		refused("label twice", withLabels(`[{"key":"k","value":"1"},{"key":"k","value":"2"}]`), "labels[1].key is there twice."),
		refused("label key of the system", withLabels(`[{"key":"_sys_k","value":"1"}]`), "labels[0].key must have 1 to 128 of the characters that a tag key allows."),
		refused("label key with a slash", withLabels(`[{"key":"a/b","value":"1"}]`), "labels[0].key must have 1 to 128 of the characters that a tag key allows."),
		refused("label value too long", withLabels(`[{"key":"k","value":"`+strings.Repeat("v", 256)+`"}]`), "labels[0].value must have at most 255 of the characters that a tag value allows."),
		refused("too many labels", withLabels("["+strings.Join(manyLabels, ",")+"]"), "labels must have at most 10 items."),
		refused("labels are a map", withLabels(`{"k":"v"}`), "labels must not be a JSON object."),
		{
			name: "strict labels", quirks: `{"labelRule":"strict"}`, method: http.MethodPost, path: envsPath,
			body: withLabels(`[{"key":"` + strings.Repeat("k", 37) + `","value":"1"}]`), status: 400,
			want: badRequest("labels[0].key must have 1 to 36 of the characters that a tag key allows."),
		},
		{
			name: "lower-case names only", quirks: `{"environmentNames":"lowercase"}`, method: http.MethodPost, path: envsPath,
			body: withName("Dev"), status: 400, want: badRequest("name must have 2 to 64 characters, consist of lower-case letters, digits and hyphens."),
		},
	})
}

func TestGetEnvironment(t *testing.T) {
	before := map[string][]string{"environments": {env1, `{"id":"e2","name":"bare","vpc_id":"v2"}`, `{"id":"e3","name":"other","project_id":"p2"}`}}
	runSteps(t, []step{
		{
			name: "as observed: no labels, resources without names and in another order", before: before, method: http.MethodGet, path: envsPath + "/e1", status: 200,
			want: `{"id":"e1","name":"dev-env","description":"first","project_id":"p1","enterprise_project_id":"0","deploy_mode":"mixed","vpc_id":"v1",
				"creator":"bot","create_time":1000,"update_time":1000,"resources":[{"id":"r2","type":"cce","name":""},{"id":"r1","type":"ecs","name":""}]}`,
		},
		{
			name: "as documented", before: before, method: http.MethodGet, path: envsPath + "/e1", status: 200,
			quirks: `{"detailLabels":true,"keepResourceNames":true,"keepResourceOrder":true,"detailListsVPC":true}`,
			want: `{"id":"e1","name":"dev-env","description":"first","project_id":"p1","enterprise_project_id":"0","deploy_mode":"mixed","vpc_id":"v1",
				"creator":"bot","create_time":1000,"update_time":1000,"labels":[{"key":"a","value":"1"}],
				"resources":[{"id":"r1","type":"ecs","name":"one"},{"id":"r2","type":"cce","name":"two"},{"id":"v1","type":"vpc","name":""}]}`,
		},
		{
			name: "nulls for what is empty", before: before, method: http.MethodGet, path: envsPath + "/e2", status: 200, quirks: `{"detailLabels":true}`,
			want: `{"id":"e2","name":"bare","description":"","project_id":"p1","enterprise_project_id":"","deploy_mode":"","vpc_id":"v2",
				"creator":"","create_time":1767323045000,"update_time":1767323045000,"labels":null,"resources":null}`,
		},
		{
			name: "empty arrays", before: before, method: http.MethodGet, path: envsPath + "/e2/resources", status: 200,
			quirks: `{"emptyCollections":"array"}`, want: `{"resources":[]}`,
		},
		{
			name: "resources", before: before, method: http.MethodGet, path: envsPath + "/e1/resources", status: 200,
			want: `{"resources":[{"id":"r2","type":"cce","name":""},{"id":"r1","type":"ecs","name":""}]}`,
		},
		{name: "missing as observed", before: before, method: http.MethodGet, path: envsPath + "/nope", status: 401, want: missingBody},
		{name: "another project's", before: before, method: http.MethodGet, path: envsPath + "/e3", status: 401, want: missingBody},
		{
			name: "missing as documented", before: before, quirks: `{"missingResource":"notFound"}`, method: http.MethodGet, path: envsPath + "/nope",
			status: 404, want: `{"error_code":"SVCSTG.00100411","error_msg":"Environment not found."}`,
		},
		{name: "resources of none", method: http.MethodGet, path: envsPath + "/nope/resources", status: 401, want: missingBody},
		{
			name: "error body of another shape", quirks: `{"errorShape":"camelCase"}`, method: http.MethodGet, path: envsPath + "/nope", status: 401,
			want: `{"errorCode":"SVCSTG.00100401","errorMessage":"Unauthorized","detail":"Environment does not exist or you have no permission."}`,
		},
		{name: "no error body", quirks: `{"errorShape":"empty"}`, method: http.MethodGet, path: envsPath + "/nope", status: 401},
	})
}

func TestOrderOfResourcesIsNotThatOfTheRequest(t *testing.T) {
	c := newCloud(t)
	c.put("environments", env1)
	for _, sent := range [][]string{{"a", "b"}, {"b", "a"}, {"a", "b", "c"}, {"c", "b", "a"}, {"b", "c", "a"}} {
		var items []string
		for _, id := range sent {
			items = append(items, fmt.Sprintf(`{"id":%q,"type":"ecs"}`, id))
		}
		body := `{"resources":[` + strings.Join(items, ",") + `]}`
		put := c.call(http.MethodPut, envsPath+"/e1/resources", body)
		got := c.call(http.MethodGet, envsPath+"/e1/resources", "")
		var shown struct{ Resources []struct{ ID string } }
		if err := json.Unmarshal([]byte(got.body), &shown); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, r := range shown.Resources {
			ids = append(ids, r.ID)
		}
		if len(ids) != len(sent) || cmp.Equal(ids, sent) || put.body != got.body {
			t.Errorf("sent %v: the PUT answers %s, the GET %s", sent, put.body, got.body)
		}
	}
}

func TestErrorBodyAsText(t *testing.T) {
	c := newCloud(t)
	c.sim(http.MethodPut, "quirks", `{"errorShape":"text"}`, 200)
	got := c.call(http.MethodGet, envsPath+"/nope", "")
	if got.status != 401 || got.body != "SVCSTG.00100401 Environment does not exist or you have no permission." || !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") {
		t.Errorf("answer %+v", got)
	}
}

func TestUpdateEnvironment(t *testing.T) {
	before := map[string][]string{"environments": {env1, `{"id":"e2","name":"other","vpc_id":"v1"}`}}
	const shown = `"project_id":"p1","enterprise_project_id":"0","deploy_mode":"mixed","vpc_id":"v1","creator":"bot","create_time":1000,"update_time":1767323046000,
		"resources":[{"id":"r2","type":"cce","name":""},{"id":"r1","type":"ecs","name":""}]`
	const kept = `"project_id":"p1","enterprise_project_id":"0","deploy_mode":"mixed","vpc_id":"v1","creator":"bot","create_time":1000,"update_time":1767323046000,
		"resources":[{"id":"r1","type":"ecs","name":"one"},{"id":"r2","type":"cce","name":"two"}]`
	runSteps(t, []step{
		{
			name: "absent fields stay, what cannot change is ignored", before: before, method: http.MethodPut, path: envsPath + "/e1",
			body:   `{"name":"dev-env","vpc_id":"v9","deploy_mode":"container","enterprise_project_id":"9"}`,
			status: 200, want: `{"id":"e1","name":"dev-env","description":"first",` + shown + `,"labels":[{"key":"a","value":"1"}]}`,
			after: map[string]string{"environments/e1": `{"id":"e1","name":"dev-env","description":"first",` + kept + `,"labels":[{"key":"a","value":"1"}]}`},
		},
		{
			name: "labels [] clears", before: before, method: http.MethodPut, path: envsPath + "/e1", body: `{"name":"dev-env","description":"","labels":[]}`,
			status: 200, want: `{"id":"e1","name":"dev-env","description":"",` + shown + `,"labels":null}`,
			after: map[string]string{"environments/e1": `{"id":"e1","name":"dev-env","description":"",` + kept + `,"labels":[]}`},
		},
		{
			name: "labels null keeps", before: before, method: http.MethodPut, path: envsPath + "/e1", body: `{"name":"dev-env","labels":null}`,
			status: 200, want: `{"id":"e1","name":"dev-env","description":"first",` + shown + `,"labels":[{"key":"a","value":"1"}]}`,
		},
		{
			name: "renamed", before: before, method: http.MethodPut, path: envsPath + "/e1", body: `{"name":"Dev-Env"}`,
			status: 200, want: `{"id":"e1","name":"Dev-Env","description":"first",` + shown + `,"labels":[{"key":"a","value":"1"}]}`,
		},
		{
			name: "name of another", before: before, method: http.MethodPut, path: envsPath + "/e1", body: `{"name":"OTHER"}`,
			status: 400, want: `{"error_code":"SVCSTG.00100449","error_msg":"The environment name already exists."}`,
			after: map[string]string{"environments/e1": env1Stored},
		},
		{name: "no name", before: before, method: http.MethodPut, path: envsPath + "/e1", body: `{"description":"x"}`, status: 400, want: badRequest("name is mandatory.")},
		{
			name: "description too long", before: before, method: http.MethodPut, path: envsPath + "/e1",
			body: `{"name":"dev-env","description":"` + strings.Repeat("d", 129) + `"}`, status: 400, want: badRequest("description must have at most 128 characters."),
		},
		{name: "missing", method: http.MethodPut, path: envsPath + "/nope", body: `{"name":"dev"}`, status: 401, want: missingBody},
	})
}

const env1Stored = `{"id":"e1","name":"dev-env","description":"first","project_id":"p1","enterprise_project_id":"0","deploy_mode":"mixed",
	"vpc_id":"v1","creator":"bot","create_time":1000,"update_time":1000,"labels":[{"key":"a","value":"1"}],
	"resources":[{"id":"r1","type":"ecs","name":"one"},{"id":"r2","type":"cce","name":"two"}]}`

func TestUpdateEnvironmentResources(t *testing.T) {
	before := map[string][]string{"environments": {env1}}
	path := envsPath + "/e1/resources"
	refused := func(name, resource, message string) step {
		return step{
			name: name, before: before, method: http.MethodPut, path: path, body: `{"resources":[` + resource + `]}`, status: 400,
			want: badRequest(message), after: map[string]string{"environments/e1": env1Stored},
		}
	}
	stored := func(resources string) map[string]string {
		return map[string]string{"environments/e1": `{"id":"e1","name":"dev-env","description":"first","project_id":"p1","enterprise_project_id":"0","deploy_mode":"mixed",
			"vpc_id":"v1","creator":"bot","create_time":1000,"update_time":1767323046000,"labels":[{"key":"a","value":"1"}],"resources":` + resources + `}`}
	}
	runSteps(t, []step{
		{
			name: "replaces the whole list", before: before, method: http.MethodPut, path: path, body: `{"resources":[{"id":"r3","type":"cse","name":"three"}]}`,
			status: 200, want: `{"resources":[{"id":"r3","type":"cse","name":""}]}`, after: stored(`[{"id":"r3","type":"cse","name":"three"}]`),
		},
		{
			name: "adds where that is the switch", quirks: `{"addResources":true,"keepResourceOrder":true}`, before: before, method: http.MethodPut, path: path,
			body:   `{"resources":[{"id":"r3","type":"cse"},{"id":"r1","type":"ecs","name":"new"}]}`,
			status: 200, want: `{"resources":[{"id":"r1","type":"ecs","name":""},{"id":"r2","type":"cce","name":""},{"id":"r3","type":"cse","name":""}]}`,
			after: stored(`[{"id":"r1","type":"ecs","name":"new"},{"id":"r2","type":"cce","name":"two"},{"id":"r3","type":"cse","name":""}]`),
		},
		{
			name: "[] clears", before: before, method: http.MethodPut, path: path, body: `{"resources":[]}`, status: 200,
			want: `{"resources":null}`, after: stored(`null`),
		},
		{name: "no list", before: before, method: http.MethodPut, path: path, body: `{}`, status: 400, want: badRequest("resources is mandatory.")},
		refused("no id", `{"type":"cse"}`, "resources[0].id is mandatory."),
		refused("no type", `{"id":"r1"}`, "resources[0].type is mandatory."),
		refused("unknown type", `{"id":"r1","type":"ecs"},{"id":"r1","type":"CSE"}`,
			"resources[1].type must be one of eip, elb, cce, ecs, as, cse, dcs, rds, nacos, ms_gateway, subnet, acl."),
		refused("name too long", `{"id":"r1","type":"cse","name":"`+strings.Repeat("n", 65)+`"}`, "resources[0].name must have at most 64 characters."),
		{name: "missing", method: http.MethodPut, path: path, body: `{"resources":[]}`, status: 401, want: missingBody},
	})
}

func TestDeleteEnvironment(t *testing.T) {
	inUse := map[string][]string{"environments": {env1}, "components": {`{"id":"c1","application_id":"a1","environment_id":"e1"}`}}
	runSteps(t, []step{
		{
			name: "deleted", before: map[string][]string{"environments": {env1}}, method: http.MethodDelete, path: envsPath + "/e1", status: 204,
			after: map[string]string{"environments/e1": ""},
		},
		{
			name: "in use", before: inUse, method: http.MethodDelete, path: envsPath + "/e1", status: 409,
			want:  `{"error_code":"SVCSTG.00100426","error_msg":"The environment is in use."}`,
			after: map[string]string{"environments/e1": env1Stored},
		},
		{
			name: "an application's configuration does not hold it back", method: http.MethodDelete, path: envsPath + "/e1", status: 204,
			before: map[string][]string{
				"environments": {env1}, "applications": {`{"id":"a1","name":"app"}`},
				"configurations": {`{"id":"a1:e1","application_id":"a1","environment_id":"e1"}`},
			},
			after: map[string]string{"environments/e1": "", "configurations/a1:e1": ""},
		},
		{name: "missing", method: http.MethodDelete, path: envsPath + "/e1", status: 401, want: missingBody},
	})
}

func TestEnvironmentIsFreeOnceItsComponentIsGone(t *testing.T) {
	c := newCloud(t)
	c.put("environments", env1)
	c.put("components", `{"id":"c1","application_id":"a1","environment_id":"e1"}`)
	check(t, c.call(http.MethodDelete, envsPath+"/e1", ""), 409, `"*"`)
	if err := c.DeleteResource("servicestage", "components", "c1"); err != nil {
		t.Fatal(err)
	}
	check(t, c.call(http.MethodDelete, envsPath+"/e1", ""), 204, "")
}

func TestListEnvironments(t *testing.T) {
	c := newCloud(t)
	for i, name := range []string{"bravo", "alpha", "delta", "charlie", "alpha-2"} {
		c.put("environments", fmt.Sprintf(`{"id":"e%d","name":%q,"create_time":%d,"update_time":%d,"enterprise_project_id":"%d","labels":[{"key":"k","value":"v"}]}`,
			i, name, 1000+i, 2000+(i*3)%5, i%2))
	}
	c.put("environments", `{"id":"foreign","name":"foreign","project_id":"p2"}`)
	names := func(t *testing.T, query string) (found []string, count int) {
		t.Helper()
		got := c.call(http.MethodGet, envsPath+query, "")
		if got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		var body struct {
			Count        *int
			Environments []struct{ Name string }
		}
		if err := json.Unmarshal([]byte(got.body), &body); err != nil || body.Count == nil || body.Environments == nil {
			t.Fatalf("%v in %s", err, got.body)
		}
		found = []string{}
		for _, env := range body.Environments {
			found = append(found, env.Name)
		}
		return found, *body.Count
	}
	for _, tc := range []struct {
		query string
		want  []string
		count int
	}{
		{"", []string{"alpha-2", "charlie", "delta", "alpha", "bravo"}, 5},
		{mustQuery("order", "asc"), []string{"bravo", "alpha", "delta", "charlie", "alpha-2"}, 5},
		{mustQuery("order_by", "name", "order", "asc"), []string{"alpha", "alpha-2", "bravo", "charlie", "delta"}, 5},
		{mustQuery("order_by", "name"), []string{"delta", "charlie", "bravo", "alpha-2", "alpha"}, 5},
		{mustQuery("order_by", "update_time", "order", "asc"), []string{"bravo", "delta", "alpha-2", "alpha", "charlie"}, 5},
		{mustQuery("order_by", "size", "order", "up"), []string{"alpha-2", "charlie", "delta", "alpha", "bravo"}, 5},
		{mustQuery("limit", "2"), []string{"alpha-2", "charlie"}, 5},
		{mustQuery("limit", "2", "offset", "2"), []string{"delta", "alpha"}, 5},
		{mustQuery("limit", "100", "offset", "4"), []string{"bravo"}, 5},
		{mustQuery("limit", "2", "offset", "5"), []string{}, 5},
		{mustQuery("limit", "0"), []string{}, 5},
		{mustQuery("name", "alpha"), []string{"alpha"}, 1},
		{mustQuery("name", "ALPHA"), []string{"alpha"}, 1},
		{mustQuery("name", "foreign"), []string{}, 0},
		{mustQuery("environment_id", "e2"), []string{"delta"}, 1},
		{mustQuery("environment_id", "e2", "name", "alpha"), []string{}, 0},
		{mustQuery("environment_id", "foreign"), []string{}, 0},
		{mustQuery("enterprise_project_id", "1"), []string{"charlie", "alpha"}, 2},
		{mustQuery("enterprise_project_id", "1", "limit", "1", "offset", "1"), []string{"alpha"}, 2},
	} {
		t.Run("list"+tc.query, func(t *testing.T) {
			got, count := names(t, tc.query)
			if diff := cmp.Diff(tc.want, got); diff != "" || count != tc.count {
				t.Errorf("count %d, want %d; names (-want +got):\n%s", count, tc.count, diff)
			}
		})
	}
	for _, query := range []string{"?limit=101", "?limit=-1", "?limit=ten", "?limit=", "?offset=-1", "?offset=1.5"} {
		got := c.call(http.MethodGet, envsPath+query, "")
		if got.status != 400 || got.field("error_code") != "SVCSTG.00100400" {
			t.Errorf("%s: %d %s, want a refusal", query, got.status, got.body)
		}
	}
	t.Run("what an item holds", func(t *testing.T) {
		const item = `{"id":"e2","name":"delta","description":"","project_id":"p1","enterprise_project_id":"0","deploy_mode":"","vpc_id":"","creator":"",
			"create_time":1002,"update_time":2001%s}`
		check(t, c.call(http.MethodGet, envsPath+"?environment_id=e2", ""), 200,
			fmt.Sprintf(`{"count":1,"environments":[`+item+`]}`, `,"labels":[{"key":"k","value":"v"}]`))
		c.sim(http.MethodPut, "quirks", `{"hideListLabels":true}`, 200)
		check(t, c.call(http.MethodGet, envsPath+"?environment_id=e2", ""), 200, fmt.Sprintf(`{"count":1,"environments":[`+item+`]}`, ""))
	})
	t.Run("fuzzy name", func(t *testing.T) {
		c.sim(http.MethodPut, "quirks", `{"fuzzyNameFilter":true}`, 200)
		got, count := names(t, "?name=ALPHA")
		if diff := cmp.Diff([]string{"alpha-2", "alpha"}, got); diff != "" || count != 2 {
			t.Errorf("count %d, names (-want +got):\n%s", count, diff)
		}
	})
	t.Run("page without limit", func(t *testing.T) {
		c.sim(http.MethodPut, "quirks", `{"unpagedLimit":3}`, 200)
		got, count := names(t, "?offset=1")
		if diff := cmp.Diff([]string{"charlie", "delta", "alpha"}, got); diff != "" || count != 5 {
			t.Errorf("count %d, names (-want +got):\n%s", count, diff)
		}
	})
}

func TestListFollowsChanges(t *testing.T) {
	c := newCloud(t)
	for i := range 4 {
		c.put("environments", fmt.Sprintf(`{"id":"e%d","name":"env-%d","vpc_id":"v"}`, i, i))
		c.clock.Advance(time.Millisecond)
	}
	list := func(query string) string {
		var ids []string
		var body struct{ Environments []struct{ ID string } }
		if err := json.Unmarshal([]byte(c.call(http.MethodGet, envsPath+query, "").body), &body); err != nil {
			t.Fatal(err)
		}
		for _, env := range body.Environments {
			ids = append(ids, env.ID)
		}
		return strings.Join(ids, " ")
	}
	// Each order is built by its first list and must follow what happens afterwards.
	const byName, byUpdate = "?order_by=name&order=asc", "?order_by=update_time"
	if got := list(byName) + "|" + list(byUpdate) + "|" + list(""); got != "e0 e1 e2 e3|e3 e2 e1 e0|e3 e2 e1 e0" {
		t.Fatalf("before: %s", got)
	}
	check(t, c.call(http.MethodPut, envsPath+"/e1", `{"name":"zulu"}`), 200, `"*"`)
	check(t, c.call(http.MethodDelete, envsPath+"/e2", ""), 204, "")
	if got := list(byName) + "|" + list(byUpdate) + "|" + list(""); got != "e0 e3 e1|e1 e3 e0|e3 e1 e0" {
		t.Errorf("after a change and a deletion: %s", got)
	}
	check(t, c.call(http.MethodPost, envsPath, `{"name":"env-1","vpc_id":"v"}`), 200, `"*"`)
	check(t, c.call(http.MethodPost, envsPath, `{"name":"Zulu","vpc_id":"v"}`), 400, `"*"`)
}

func TestUpdateTimeGrowsWithEveryChange(t *testing.T) {
	c := newCloud(t)
	c.put("environments", `{"id":"e1","name":"dev","vpc_id":"v"}`)
	var last float64
	for i := range 3 {
		got := c.call(http.MethodPut, envsPath+"/e1", `{"name":"dev"}`)
		updated, ok := got.field("update_time").(float64)
		if !ok || updated <= last {
			t.Fatalf("change %d: update_time %v after %v", i, got.field("update_time"), last)
		}
		last = updated
	}
	if last != startMillis+3 {
		t.Errorf("three changes within one millisecond end at %v, want %d", last, startMillis+3)
	}
}
