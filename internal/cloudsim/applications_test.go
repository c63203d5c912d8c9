// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim_test

import (
	"net/http"
	"strings"
	"testing"
)

const (
	app1 = `{"id":"a1","name":"shop","description":"first","project_id":"p1","enterprise_project_id":"0","creator":"bot",
		"create_time":1000,"update_time":1000,"labels":[{"key":"a","value":"1"}]}`
	app1Shown  = `"project_id":"p1","enterprise_project_id":"0","creator":"bot","create_time":1000`
	missingApp = `{"error_code":"SVCSTG.00100401","error_msg":"Application does not exist or you have no permission."}`
)

func TestCreateApplication(t *testing.T) {
	runSteps(t, []step{
		{
			name: "everything given", method: http.MethodPost, path: appsPath, status: 200,
			body: `{"name":"shop","description":"d","enterprise_project_id":"ep","labels":[{"key":"k","value":"v"}]}`,
			want: `{"id":"*","name":"shop","description":"d","project_id":"p1","enterprise_project_id":"ep","creator":"bot",
				"create_time":1767323046000,"update_time":1767323046000,"labels":[{"key":"k","value":"v"}]}`,
		},
		{
			name: "defaults", method: http.MethodPost, path: appsPath, status: 200, body: `{"name":"shop"}`,
			want: `{"id":"*","name":"shop","description":"","project_id":"p1","enterprise_project_id":"0","creator":"bot",
				"create_time":1767323046000,"update_time":1767323046000,"labels":null}`,
		},
		{
			name: "name taken but for case", before: map[string][]string{"applications": {app1}}, method: http.MethodPost, path: appsPath,
			body: `{"name":"SHOP"}`, status: 400, want: `{"error_code":"SVCSTG.00100458","error_msg":"The application name already exists."}`,
		},
		{
			name: "quota as 400", quirks: `{"quotas":{"servicestage/applications":1},"quotaError":"badRequest"}`, before: map[string][]string{"applications": {app1}},
			method: http.MethodPost, path: appsPath, body: `{"name":"app"}`, status: 400,
			want: `{"error_code":"SVCSTG.00100400","error_msg":"The account quota is insufficient: 1 of 1 servicestage/applications are used."}`,
		},
		{name: "no name", method: http.MethodPost, path: appsPath, body: `{}`, status: 400, want: badRequest("name is mandatory.")},
		{
			name: "name against the rule", method: http.MethodPost, path: appsPath, body: `{"name":"9shop"}`, status: 400,
			want: badRequest("name must have 2 to 64 characters, consist of letters, digits, hyphens and underscores, start with a letter and end with a letter or digit."),
		},
		{
			name: "the looser rule", quirks: `{"applicationNames":"loose"}`, method: http.MethodPost, path: appsPath, body: `{"name":"9shop_"}`, status: 200,
			want: `{"id":"*","name":"9shop_","description":"","project_id":"p1","enterprise_project_id":"0","creator":"bot",
				"create_time":1767323046000,"update_time":1767323046000,"labels":null}`,
		},
		{
			name: "description too long", method: http.MethodPost, path: appsPath, body: `{"name":"shop","description":"` + strings.Repeat("d", 129) + `"}`,
			status: 400, want: badRequest("description must have at most 128 characters."),
		},
		{
			name: "labels without key", method: http.MethodPost, path: appsPath, body: `{"name":"shop","labels":[{"key":"","value":""}]}`,
			status: 400, want: badRequest("labels[0].key is mandatory."),
		},
	})
}

func TestReadApplications(t *testing.T) {
	before := map[string][]string{
		"applications": {app1},
		"components":   {`{"id":"c1","application_id":"a1","environment_id":"e1"}`, `{"id":"c2","application_id":"a1","environment_id":"e1"}`, `{"id":"c3","application_id":"a2"}`},
	}
	runSteps(t, []step{
		{
			name: "detail as observed", before: before, method: http.MethodGet, path: appsPath + "/a1", status: 200,
			want: `{"id":"a1","name":"shop","description":"first",` + app1Shown + `,"update_time":1000,"component_count":2}`,
		},
		{
			name: "detail as documented", quirks: `{"detailLabels":true}`, before: before, method: http.MethodGet, path: appsPath + "/a1", status: 200,
			want: `{"id":"a1","name":"shop","description":"first",` + app1Shown + `,"update_time":1000,"component_count":2,"labels":[{"key":"a","value":"1"}]}`,
		},
		{
			name: "list, which has no name filter", before: before, method: http.MethodGet, path: appsPath + "?name=nothing", status: 200,
			want: `{"count":1,"applications":[{"id":"a1","name":"shop","description":"first",` + app1Shown + `,"update_time":1000,"component_count":2,"labels":[{"key":"a","value":"1"}]}]}`,
		},
		{name: "empty list", method: http.MethodGet, path: appsPath, status: 200, want: `{"count":0,"applications":[]}`},
		{name: "bad limit", method: http.MethodGet, path: appsPath + "?limit=1000", status: 400, want: badRequest("limit must be an integer from 0 to 100.")},
		{name: "missing as observed", method: http.MethodGet, path: appsPath + "/a1", status: 401, want: missingApp},
		{
			name: "missing as documented", quirks: `{"missingResource":"notFound"}`, method: http.MethodGet, path: appsPath + "/a1", status: 404,
			want: `{"error_code":"SVCSTG.00100403","error_msg":"Application not found."}`,
		},
	})
}

func TestUpdateApplication(t *testing.T) {
	before := map[string][]string{"applications": {app1, `{"id":"a2","name":"other"}`}}
	runSteps(t, []step{
		{
			name: "nothing given, nothing changed but the time", before: before, method: http.MethodPut, path: appsPath + "/a1", body: `{}`, status: 200,
			want: `{"id":"a1","name":"shop","description":"first",` + app1Shown + `,"update_time":1767323046000,"component_count":0,"labels":[{"key":"a","value":"1"}]}`,
		},
		{
			name: "everything given; the enterprise project stays, as observed", before: before, method: http.MethodPut, path: appsPath + "/a1",
			body: `{"name":"shop2","description":"","enterprise_project_id":"ep","labels":[]}`, status: 200,
			want:  `{"id":"a1","name":"shop2","description":"",` + app1Shown + `,"update_time":1767323046000,"component_count":0,"labels":null}`,
			after: map[string]string{"applications/a1": `{"id":"a1","name":"shop2","description":"",` + app1Shown + `,"update_time":1767323046000,"labels":[]}`},
		},
		{
			name: "the enterprise project moves, as documented", quirks: `{"putMovesEnterpriseProject":true}`, before: before, method: http.MethodPut, path: appsPath + "/a1",
			body: `{"enterprise_project_id":"ep"}`, status: 200,
			want: `{"id":"a1","name":"shop","description":"first","project_id":"p1","enterprise_project_id":"ep","creator":"bot","create_time":1000,
				"update_time":1767323046000,"component_count":0,"labels":[{"key":"a","value":"1"}]}`,
		},
		{
			name: "name of another", before: before, method: http.MethodPut, path: appsPath + "/a1", body: `{"name":"Other"}`, status: 400,
			want: `{"error_code":"SVCSTG.00100458","error_msg":"The application name already exists."}`, after: map[string]string{"applications/a1": app1},
		},
		{
			name: "label twice", before: before, method: http.MethodPut, path: appsPath + "/a1", body: `{"labels":[{"key":"k","value":"1"},{"key":"k","value":"1"}]}`,
			status: 400, want: badRequest("labels[1].key is there twice."), after: map[string]string{"applications/a1": app1},
		},
		{name: "missing", method: http.MethodPut, path: appsPath + "/a1", body: `{}`, status: 401, want: missingApp},
	})
}

func TestDeleteApplication(t *testing.T) {
	runSteps(t, []step{
		{
			name: "deleted with its configurations", method: http.MethodDelete, path: appsPath + "/a1", status: 204,
			before: map[string][]string{
				"applications": {app1}, "environments": {env1},
				"configurations": {`{"id":"a1:e1","application_id":"a1","environment_id":"e1"}`},
			},
			after: map[string]string{"applications/a1": "", "configurations/a1:e1": "", "environments/e1": env1Stored},
		},
		{
			name: "not empty", before: map[string][]string{"applications": {app1}, "components": {`{"id":"c1","application_id":"a1"}`}},
			method: http.MethodDelete, path: appsPath + "/a1", status: 409,
			want: `{"error_code":"SVCSTG.00100401","error_msg":"The application is not empty."}`, after: map[string]string{"applications/a1": app1},
		},
		{name: "missing", method: http.MethodDelete, path: appsPath + "/a1", status: 401, want: missingApp},
	})
}

func TestConfigurations(t *testing.T) {
	const path = appsPath + "/a1/configuration"
	const stored = `{"id":"a1:e1","application_id":"a1","environment_id":"e1","env":[{"name":"A","value":"1"}]}`
	before := map[string][]string{"applications": {app1}, "environments": {env1, `{"id":"e2","name":"two"}`}}
	with := map[string][]string{
		"applications": before["applications"], "environments": before["environments"],
		"configurations": {stored, `{"id":"a1:e2","application_id":"a1","environment_id":"e2","assign_strategy":true}`},
	}
	const first = `{"application_id":"a1","environment_id":"e1","configuration":{"env":[{"name":"A","value":"1"}]}}`
	const second = `{"application_id":"a1","environment_id":"e2","configuration":{"env":null,"assign_strategy":true}}`
	put := func(name, body string, status int, want string) step {
		return step{name: name, before: before, method: http.MethodPut, path: path, body: body, status: status, want: want}
	}
	runSteps(t, []step{
		{name: "all", before: with, method: http.MethodGet, path: path, status: 200, want: `{"configuration":[` + first + `,` + second + `]}`},
		{name: "of one environment", before: with, method: http.MethodGet, path: path + "?environment_id=e1", status: 200, want: `{"configuration":[` + first + `]}`},
		{name: "none", before: before, method: http.MethodGet, path: path, status: 200, want: `{"configuration":null}`},
		{name: "of no application", method: http.MethodGet, path: path, status: 401, want: missingApp},
		put("created", `{"environment_id":"e1","configuration":{"env":[{"name":"A","value":"1"}]}}`, 200, first),
		put("no environment", `{"configuration":{"env":[]}}`, 400, badRequest("environment_id is mandatory.")),
		put("no configuration", `{"environment_id":"e1"}`, 400, badRequest("configuration is mandatory.")),
		put("no env", `{"environment_id":"e1","configuration":{}}`, 400, badRequest("configuration.env is mandatory.")),
		put("variable without name", `{"environment_id":"e1","configuration":{"env":[{"value":"1"}]}}`, 400, badRequest("configuration.env[0].name is mandatory.")),
		put("variable without value", `{"environment_id":"e1","configuration":{"env":[{"name":"A"}]}}`, 400, badRequest("configuration.env[0].value is mandatory.")),
		put("unknown environment", `{"environment_id":"e9","configuration":{"env":[]}}`, 401, missingBody),
		{
			name: "replaced", before: with, method: http.MethodPut, path: path, body: `{"environment_id":"e1","configuration":{"env":[{"name":"B","value":""}]}}`, status: 200,
			want: `{"application_id":"a1","environment_id":"e1","configuration":{"env":[{"name":"B","value":""}]}}`,
		},
		{
			name: "deleted", before: with, method: http.MethodDelete, path: path + "?environment_id=e1", status: 204,
			after: map[string]string{"configurations/a1:e1": "", "applications/a1": app1},
		},
		{name: "deleted though not there", before: before, method: http.MethodDelete, path: path + "?environment_id=e1", status: 204},
		{name: "delete without environment", before: with, method: http.MethodDelete, path: path, status: 400, want: badRequest("environment_id is mandatory.")},
	})
}
