// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"servicestage.dev/operator/internal/cloudsim"
)

const (
	compsPath   = appsPath + "/a1/components"
	missingComp = `{"error_code":"SVCSTG.00100401","error_msg":"Component does not exist or you have no permission."}`
	wrongState  = `{"error_code":"SVCSTG.00100419","error_msg":"The operation cannot be performed in the current state."}`
	boundEnv    = `{"id":"e1","name":"dev","deploy_mode":"mixed","vpc_id":"v1","resources":[{"id":"k1","type":"cce","name":""},{"id":"h1","type":"ecs","name":""}]}`
	shop        = `{"id":"a1","name":"shop"}`
)

// world is where components can live.
var world = map[string][]string{"environments": {boundEnv}, "applications": {shop}}

// webBody is a create of a component from an image, with the fields of the patch on top; null removes.
func webBody(patch string) string {
	return patched(`{"name":"web","version":"1.0.0","environment_id":"e1","replica":3,
		"runtime_stack":{"name":"Docker","type":"Docker","version":"1.0","deploy_mode":"container"},
		"source":{"kind":"image","url":"swr.test/ns/web:1","storage":"swr"},
		"refer_resources":[{"id":"k1","type":"cce","parameters":{"namespace":"default"}}]}`, patch)
}

// jarBody is a create of a component that is built from a package.
func jarBody(patch string) string {
	return patched(webBody(`{"runtime_stack":{"name":"OpenJDK8","type":"Java","version":"1.2.0"},
		"source":{"kind":"package","url":"obs://b/a.jar","storage":"obs"},"build":{"parameters":{"cluster_id":"k1"}}}`), patch)
}

// vmBody is a create of a component on virtual machines.
func vmBody(patch string) string {
	return patched(webBody(`{"runtime_stack":{"name":"OpenJDK8","type":"Java","version":"1.2.0","deploy_mode":"virtualmachine"},
		"source":{"kind":"package","url":"obs://b/a.jar","storage":"obs"},"replica":1,"refer_resources":[{"id":"h1","type":"ecs"}]}`), patch)
}

func patched(body, patch string) string {
	var into, change any
	if err := json.Unmarshal([]byte(body), &into); err != nil {
		panic(err)
	}
	if patch == "" {
		return body
	}
	if err := json.Unmarshal([]byte(patch), &change); err != nil {
		panic(err)
	}
	out, err := json.Marshal(merge(into, change))
	if err != nil {
		panic(err)
	}
	return string(out)
}

func merge(into, change any) any {
	object, ok := change.(map[string]any)
	if !ok {
		return change
	}
	target, ok := into.(map[string]any)
	if !ok {
		target = map[string]any{}
	}
	for name, value := range object {
		if value == nil {
			delete(target, name)
			continue
		}
		target[name] = merge(target[name], value)
	}
	return target
}

func TestCreateComponentRefuses(t *testing.T) {
	nameRule := "name must have 2 to 64 characters, consist of letters, digits, hyphens and underscores, start with a letter and end with a letter or digit."
	var steps []step
	for _, tc := range []struct{ name, body, want string }{
		{"nothing at all", `{}`, "name is mandatory."},
		{"a name against the rule", webBody(`{"name":"9web"}`), nameRule},
		{"a name too long", webBody(`{"name":"` + strings.Repeat("w", 65) + `"}`), nameRule},
		{"no runtime stack", webBody(`{"runtime_stack":null}`), "runtime_stack is mandatory."},
		{"no source", webBody(`{"source":null}`), "source is mandatory."},
		{"no version", webBody(`{"version":null}`), "version is mandatory."},
		{"a version of two parts", webBody(`{"version":"1.0"}`), "version must be three or four numbers joined by dots, for example 1.0.0."},
		{"a version too long", webBody(`{"version":"1.0.` + strings.Repeat("1", 30) + `"}`), "version must have at most 32 characters."},
		{"no replica", webBody(`{"replica":null}`), "replica is mandatory."},
		{"half a replica", webBody(`{"replica":1.5}`), "replica must be an integer."},
		{"less than no replica", webBody(`{"replica":-1}`), "replica must not be negative."},
		{"no environment", webBody(`{"environment_id":null}`), "environment_id is mandatory."},
		{"a description too long", webBody(`{"description":"` + strings.Repeat("d", 129) + `"}`), "description must have at most 128 characters."},
		{"an object that is a list", webBody(`{"source":[]}`), "source must be an object."},
		{"a label without value", webBody(`{"labels":[{"key":"k"}]}`), "labels[0].value is mandatory."},
		{"an unknown deploy mode", webBody(`{"runtime_stack":{"deploy_mode":"vm"}}`), "runtime_stack.deploy_mode must be one of container, virtualmachine."},
		{"Docker on virtual machines", vmBody(`{"runtime_stack":{"type":"Docker"}}`), "runtime_stack.type must be Java, Tomcat or Nodejs when deploy_mode is virtualmachine."},
		{"an unknown kind of source", webBody(`{"source":{"kind":"git"}}`), "source.kind must be one of code, package, image."},
		{"an image without url", webBody(`{"source":{"url":""}}`), "source.url is mandatory when kind is image."},
		{"a package without storage", jarBody(`{"source":{"storage":null}}`), "source.storage is mandatory when kind is package."},
		{"an unknown storage", webBody(`{"source":{"storage":"s3"}}`), "source.storage must be one of swr, codearts, obs."},
		{"code without repository", jarBody(`{"source":{"kind":"code"}}`), "source.repo_url is mandatory when kind is code."},
		{"a package without build", jarBody(`{"build":null}`), "build is mandatory when the component is deployed in containers and no image is used."},
		{"a build without cluster", jarBody(`{"build":{"parameters":{"cluster_id":null}}}`), "build.parameters.cluster_id is mandatory."},
		{"a strategy without its parameters", webBody(`{"deploy_strategy":{"type":"RollingRelease"}}`), "deploy_strategy.rolling_release is mandatory when type is RollingRelease."},
		{"no batches", webBody(`{"deploy_strategy":{"type":"RollingRelease","rolling_release":{"batches":0}}}`), "deploy_strategy.rolling_release.batches must be at least 1."},
		{"gray without parameters", webBody(`{"deploy_strategy":{"type":"GrayRelease"}}`), "deploy_strategy.gray_release is mandatory when type is GrayRelease."},
		{"gray without weight", webBody(`{"deploy_strategy":{"type":"GrayRelease","gray_release":{"type":"weight","first_batch_replica":1,"remaining_batches":1}}}`), "deploy_strategy.gray_release.first_batch_weight is mandatory."},
		{"gray without batches", webBody(`{"deploy_strategy":{"type":"GrayRelease","gray_release":{"type":"weight","first_batch_weight":1,"first_batch_replica":1}}}`), "deploy_strategy.gray_release.remaining_batches is mandatory."},
		{"gray weight above all", webBody(`{"deploy_strategy":{"type":"GrayRelease","gray_release":{"type":"weight","first_batch_weight":101}}}`), "deploy_strategy.gray_release.first_batch_weight must be at most 100."},
		{"gray larger than the component", webBody(`{"deploy_strategy":{"type":"GrayRelease","gray_release":{"type":"weight","first_batch_weight":1,"first_batch_replica":4,"remaining_batch":1}}}`), "deploy_strategy.gray_release.first_batch_replica must not exceed replica, which is 3."},
		{"newer gray, half of it", webBody(`{"deploy_strategy":{"type":"GrayRelease","gray_release":{"type":"WEIGHT","deployment_mode":1}}}`), "deploy_strategy.gray_release.replica_surge_mode is mandatory."},
		{"an http probe without port", webBody(`{"liveness_probe":{"type":"http","delay":1,"timeout":1,"path":"/"}}`), "liveness_probe.port is mandatory when type is http."},
		{"a tcp probe with a command", webBody(`{"readiness_probe":{"type":"tcp","delay":1,"timeout":1,"port":1,"command":["ls"]}}`), "readiness_probe.command is not valid when type is tcp."},
		{"a probe without delay", webBody(`{"readiness_probe":{"type":"tcp","timeout":1,"port":1}}`), "readiness_probe.delay is mandatory."},
		{"a command hook without command", webBody(`{"pre_stop":{"type":"command","command":[]}}`), "pre_stop.command is mandatory when type is command."},
		{"a host path without path", webBody(`{"storages":[{"type":"HostPath","name":"data","parameters":{},"mounts":[{"path":"/d","sub_path":"","read_only":false}]}]}`), "storages[0].parameters.path is mandatory when type is HostPath."},
		{"a claim without name", webBody(`{"storages":[{"type":"PersistentVolumeClaim","name":"data","parameters":{},"mounts":[{"path":"/d","sub_path":"","read_only":false}]}]}`), "storages[0].parameters.name is mandatory when type is PersistentVolumeClaim."},
		{"a mount without sub_path", webBody(`{"storages":[{"type":"EmptyDir","name":"data","parameters":{},"mounts":[{"path":"/d","read_only":false}]}]}`), "storages[0].mounts[0].sub_path is mandatory."},
		{"a storage without mounts", webBody(`{"storages":[{"type":"EmptyDir","name":"data","parameters":{},"mounts":[]}]}`), "storages[0].mounts must not be empty."},
		{"a storage twice", webBody(`{"storages":[{"type":"EmptyDir","name":"d","parameters":{},"mounts":[{"path":"/d","sub_path":"","read_only":false}]},{"type":"EmptyDir","name":"d","parameters":{},"mounts":[{"path":"/e","sub_path":"","read_only":false}]}]}`), "storages[1].name d is there twice."},
		{"a storage in capitals", webBody(`{"storages":[{"type":"EmptyDir","name":"D","parameters":{},"mounts":[]}]}`), "storages[0].name must consist of lower-case letters, digits and hyphens."},
		{"more cpu wanted than allowed", webBody(`{"limit_cpu":1,"request_cpu":2}`), "request_cpu must not exceed limit_cpu."},
		{"more memory wanted than allowed", webBody(`{"limit_memory":1,"request_memory":1.5}`), "request_memory must not exceed limit_memory."},
		{"a variable twice", webBody(`{"envs":[{"name":"A","value":"1"},{"name":"A","value":"2"}]}`), "envs[1].name A is there twice."},
		{"a variable of two sources", webBody(`{"envs":[{"name":"A","value":"1","value_from":{"reference_type":"secretKey","name":"s"}}]}`), "envs[0] must have either value or value_from."},
		{"a reference of unknown type", webBody(`{"envs":[{"name":"A","value_from":{"reference_type":"file","name":"s"}}]}`), "envs[0].value_from.reference_type must be one of configMapKey, secretKey."},
		{"no resources", webBody(`{"refer_resources":null}`), "refer_resources is mandatory."},
		{"a cluster that is not bound", webBody(`{"refer_resources":[{"id":"k2","type":"cce"}]}`), "refer_resources[0].id: the CCE cluster k2 is not bound to the environment."},
		{"containers without cluster", webBody(`{"refer_resources":[{"id":"c","type":"cse"}]}`), "refer_resources must name the CCE cluster (type cce) when deploy_mode is container."},
		{"virtual machines without host", vmBody(`{"refer_resources":[{"id":"Default","type":"ecs","parameters":{"hosts":[]}}]}`), "refer_resources must name at least one host (type ecs) when deploy_mode is virtualmachine."},
		{"Node.js with an engine and no mesher", webBody(`{"runtime_stack":{"name":"Nodejs14","type":"Nodejs","version":"1.0.0"},"refer_resources":[{"id":"k1","type":"cce"},{"id":"c","type":"cse"}]}`), "mesher is mandatory when the runtime stack is Nodejs and a CSE engine is bound."},
		{"a log without rotation", webBody(`{"logs":[{"log_path":"/l","host_path":"/h","host_extend_path":"None"}]}`), "logs[0].rotate is mandatory."},
		{"a metric without dimensions", webBody(`{"custom_metric":{"path":"/m","port":1}}`), "custom_metric.dimensions is mandatory."},
		{"YAML without workload", webBody(`{"config_mode":"yaml"}`), "workload_content is mandatory when config_mode is yaml."},
		{"a port too high", webBody(`{"mesher":{"port":65536}}`), "mesher.port must be at most 65535."},
	} {
		steps = append(steps, step{name: tc.name, before: world, method: http.MethodPost, path: compsPath, body: tc.body, status: 400, want: badRequest(tc.want)})
	}
	unsupported := func(name, body, what string) step {
		return step{name: name, before: world, method: http.MethodPost, path: compsPath, body: body, status: 400,
			want: fmt.Sprintf(`{"error_code":"SVCSTG.00100420","error_msg":"The runtime system is not supported: %s."}`, what)}
	}
	taken := map[string][]string{"environments": {boundEnv}, "applications": {shop}, "components": {`{"id":"c1","name":"WEB","application_id":"a1","environment_id":"e1"}`}}
	runSteps(t, append(steps,
		unsupported("an unknown stack", webBody(`{"runtime_stack":{"name":"Docker2"}}`), "Docker2 1.0 (container)"),
		unsupported("an unknown version of a stack", webBody(`{"runtime_stack":{"version":"2.0"}}`), "Docker 2.0 (container)"),
		unsupported("a deprecated stack", jarBody(`{"runtime_stack":{"version":"1.1.4"}}`), "OpenJDK8 1.1.4 (container)"),
		unsupported("a stack of the other mode", vmBody(`{"runtime_stack":{"name":"Tomcat9","type":"Tomcat"}}`), "Tomcat9 1.2.0 (virtualmachine)"),
		step{
			name: "empty resources", before: world, method: http.MethodPost, path: compsPath, body: webBody(`{"refer_resources":[]}`), status: 400,
			want: `{"error_code":"SVCSTG.00100422","error_msg":"The basic resource cannot be empty."}`,
		},
		step{
			name: "a name taken but for case", before: taken, method: http.MethodPost, path: compsPath, body: webBody(""), status: 409,
			want: `{"error_code":"SVCSTG.00100413","error_msg":"The instance name already exists."}`,
		},
		step{
			name: "quota", quirks: `{"quotas":{"servicestage/components":1}}`, before: taken, method: http.MethodPost, path: compsPath, body: webBody(`{"name":"api"}`), status: 405,
			want: `{"error_code":"SVCSTG.00100421","error_msg":"The account quota is insufficient: 1 of 1 servicestage/components are used."}`,
		},
		step{name: "in no application", before: world, method: http.MethodPost, path: appsPath + "/a9/components", body: webBody(""), status: 401, want: missingApp},
		step{name: "in no environment", before: world, method: http.MethodPost, path: compsPath, body: webBody(`{"environment_id":"e9"}`), status: 401, want: missingBody},
		step{
			name: "containers in an environment of virtual machines", method: http.MethodPost, path: compsPath, body: webBody(""), status: 400,
			before: map[string][]string{"environments": {patched(boundEnv, `{"deploy_mode":"virtualmachine"}`)}, "applications": {shop}},
			want:   badRequest("runtime_stack.deploy_mode container does not fit the environment, whose deploy_mode is virtualmachine."),
		},
		step{
			name: "a stack without version, as documented", quirks: `{"stackVersionMandatory":true}`, before: world, method: http.MethodPost, path: compsPath,
			body: webBody(`{"runtime_stack":{"version":null}}`), status: 400, want: badRequest("runtime_stack.version is mandatory."),
		},
	))
}

func TestCreateComponentAccepts(t *testing.T) {
	started := `{"component_id":"*","job_id":"*"}`
	accepts := func(name, body string) step {
		return step{name: name, before: world, method: http.MethodPost, path: compsPath, body: body, status: 200, want: started}
	}
	runSteps(t, []step{
		accepts("an image", webBody("")),
		accepts("a package that is built", jarBody("")),
		accepts("a package on virtual machines", vmBody("")),
		accepts("hosts in one resource", vmBody(`{"refer_resources":[{"id":"Default","type":"ecs","parameters":{"hosts":["h1"]}}]}`)),
		accepts("code", jarBody(`{"source":{"kind":"code","url":null,"storage":null,"repo_url":"https://github.com/example/demo.git"}}`)),
		accepts("a stack without version, as observed", webBody(`{"runtime_stack":{"version":null}}`)),
		accepts("no limit at all", webBody(`{"limit_cpu":0,"request_cpu":4}`)),
		accepts("the newer gray form", webBody(`{"deploy_strategy":{"type":"GrayRelease","gray_release":{"type":"CONTENT","replica_surge_mode":"EXTRA","deployment_mode":1,"rule_match_mode":"all","rules":[{"type":"header","key":"a","value":"b","condition":"equal"}]}}}`)),
		accepts("affinity as a list", webBody(`{"affinity":[{"condition":"required","kind":"node","match_expressions":[]}]}`)),
		accepts("every probe and hook", webBody(`{"liveness_probe":{"type":"http","delay":1,"timeout":1,"port":80,"path":"/","scheme":"HTTP"},"readiness_probe":{"type":"command","delay":1,"timeout":1,"command":["ls"]},
			"post_start":{"type":"http","port":80,"path":"/"},"pre_stop":{"type":"command","command":["sleep"]}}`)),
		{
			name: "a deprecated stack where old ones work", quirks: `{"oldStacks":true}`, before: world, method: http.MethodPost, path: compsPath,
			body: jarBody(`{"runtime_stack":{"version":"1.1.4"}}`), status: 200, want: started,
		},
		{
			name: "the name of one in another environment", method: http.MethodPost, path: compsPath, body: webBody(""), status: 200, want: started,
			before: map[string][]string{"environments": {boundEnv}, "applications": {shop}, "components": {`{"id":"c1","name":"web","application_id":"a1","environment_id":"e2"}`}},
		},
	})
}

// webRecord is a component that runs.
const webRecord = `{"id":"c1","name":"web","application_id":"a1","environment_id":"e1","creator":"bot","create_time":1000,"update_time":1000,
	"version":"1.0.0","replica":3,"labels":[{"key":"k","value":"v"}],"limit_cpu":0,"envs":[{"name":"A","value":"1"}],
	"runtime_stack":{"name":"Docker","type":"Docker","version":"1.0","deploy_mode":"container"},
	"source":{"kind":"image","url":"swr.test/ns/web:1","storage":"swr"},
	"external_accesses":[{"protocol":"http","address":"web.test","forward_port":80}],
	"refer_resources":[{"id":"k1","type":"cce"}],"status":{"component_status":"RUNNING","available_replica":3}}`

func TestReadComponents(t *testing.T) {
	before := map[string][]string{"environments": {boundEnv}, "applications": {shop, `{"id":"a2","name":"other"}`}, "components": {webRecord}}
	const status = `{"component_status":"RUNNING","available_replica":3,"replica":3,"fail_detail":null,"last_job_id":null,"creator":"bot",
		"create_time":1000,"update_time":1000,"artifact":{"type":"image","url":"swr.test/ns/web:1"}}`
	const shared = `"id":"c1","name":"web","application_id":"a1","environment_id":"e1","version":"1.0.0","status":` + status + `,
		"runtime_stack":{"name":"Docker","type":"Docker","version":"1.0","deploy_mode":"container"},
		"source":{"kind":"image","url":"swr.test/ns/web:1","storage":"swr","auth":"iam"}`
	const item = `{` + shared + `,"application_name":"shop","environment_name":"dev","creator":"bot","platform_type":"cce","labels":[{"key":"k","value":"v"}],"external_accesses":[
		{"protocol":"http","address":"web.test","forward_port":80},{"protocol":"TCP","address":"10.247.0.10","forward_port":3000}]}`
	const plain = shared + `,"description":"","replica":3,"limit_cpu":0,"workload_kind":"deployment","refer_resources":[{"id":"k1","type":"cce","parameters":{"namespace":"default"}}]`
	const oneItem = `{"count":1,"components":[` + item + `]}`
	runSteps(t, []step{
		{
			name: "detail as observed", before: before, method: http.MethodGet, path: compsPath + "/c1", status: 200,
			want: `{` + plain + `,"envs":[{"name":"A","value":"1"},{"name":"CAS_APPLICATION_ID","value":"a1","inner":true},{"name":"CAS_COMPONENT_NAME","value":"web","inner":true},
				{"name":"CAS_ENVIRONMENT_ID","value":"e1"},{"name":"PAAS_PROJECT_ID","value":"p1"},{"name":"AOM_LOG_LEVEL","value":"INFO"},
				{"name":"SERVICE_MAPPING","value":"web","inner":true},{"name":"TZ","value":"UTC"}],
				"update_strategy":{"type":"RollingUpdate","max_surge":"25%","max_unavailable":"25%","min_ready_seconds":0,"revision_history_limit":10,
				"progress_deadline_seconds":600,"termination_period_seconds":30}}`,
		},
		{
			name: "detail with nothing added and all shown", quirks: `{"noServerValues":true,"detailLabels":true,"detailAccesses":true}`, before: before,
			method: http.MethodGet, path: compsPath + "/c1", status: 200,
			want: `{` + plain + `,"envs":[{"name":"A","value":"1"}],"labels":[{"key":"k","value":"v"}],"external_accesses":[{"protocol":"http","address":"web.test","forward_port":80}]}`,
		},
		{
			name: "the fields expected", before: before, method: http.MethodGet, path: compsPath + "/c1?expect_fields=replica,version", status: 200,
			want: `{"id":"c1","name":"web","replica":3,"version":"1.0.0"}`,
		},
		{name: "list of the application", before: before, method: http.MethodGet, path: compsPath, status: 200, want: oneItem},
		{name: "list of another application", before: before, method: http.MethodGet, path: appsPath + "/a2/components", status: 200, want: `{"count":0,"components":[]}`},
		{name: "list of no application", before: before, method: http.MethodGet, path: appsPath + "/a9/components", status: 401, want: missingApp},
		{name: "list of the project", before: before, method: http.MethodGet, path: "/v3/p1/cas/components", status: 200, want: oneItem},
		{name: "by name", before: before, method: http.MethodGet, path: "/v3/p1/cas/components?component_name=web", status: 200, want: oneItem},
		{name: "by another name", before: before, method: http.MethodGet, path: "/v3/p1/cas/components?component_name=api", status: 200, want: `{"count":0,"components":[]}`},
		{name: "by application as observed", before: before, method: http.MethodGet, path: "/v3/p1/cas/components?application_name=other", status: 200, want: oneItem},
		{
			name: "by application as documented", quirks: `{"componentApplicationFilter":true}`, before: before, method: http.MethodGet,
			path: "/v3/p1/cas/components?application_name=other", status: 200, want: `{"count":0,"components":[]}`,
		},
		{name: "an empty page", before: before, method: http.MethodGet, path: "/v3/p1/cas/components?limit=0", status: 200, want: `{"count":1,"components":[]}`},
		{name: "missing as observed", before: before, method: http.MethodGet, path: compsPath + "/c9", status: 401, want: missingComp},
		{
			name: "missing as documented", quirks: `{"missingResource":"notFound"}`, before: before, method: http.MethodGet, path: compsPath + "/c9", status: 404,
			want: `{"error_code":"SVCSTG.00100404","error_msg":"Component not found."}`,
		},
		{name: "of another application", before: before, method: http.MethodGet, path: appsPath + "/a2/components/c1", status: 401, want: missingComp},
		{name: "no records", before: before, method: http.MethodGet, path: compsPath + "/c1/records", status: 200, want: `{"count":0,"records":[]}`},
		{
			name: "no such job", before: before, method: http.MethodGet, path: "/v3/p1/cas/jobs/JOB1", status: 404,
			want: `{"error_code":"SVCSTG.00100429","error_msg":"Build job not found."}`,
		},
		{
			name: "jobs on a cloud that has them in V2 only", quirks: `{"noJobsV3":true}`, before: before, method: http.MethodGet, path: "/v3/p1/cas/jobs/JOB1", status: 404,
			want: `{"error_code":"APIGW.0101","error_msg":"The API does not exist or has not been published in the environment","request_id":"*"}`,
		},
	})
}

func TestUpdateComponentRefuses(t *testing.T) {
	before := map[string][]string{"environments": {boundEnv}, "applications": {shop}, "components": {webRecord}}
	refused := func(name, body, want string) step {
		return step{name: name, before: before, method: http.MethodPut, path: compsPath + "/c1", body: body, status: 400, want: badRequest(want)}
	}
	inState := func(status string) step {
		return step{
			name: "while " + status, method: http.MethodPut, path: compsPath + "/c1", body: webBody(""), status: 409, want: wrongState,
			before: map[string][]string{"environments": {boundEnv}, "applications": {shop}, "components": {patched(webRecord, `{"status":{"component_status":"`+status+`"}}`)}},
		}
	}
	runSteps(t, []step{
		refused("no name", webBody(`{"name":null}`), "name is mandatory."),
		refused("no runtime stack", webBody(`{"runtime_stack":null}`), "runtime_stack is mandatory."),
		refused("no source", webBody(`{"source":null}`), "source is mandatory."),
		refused("no version", webBody(`{"version":null}`), "version is mandatory."),
		refused("no replica", webBody(`{"replica":null}`), "replica is mandatory."),
		refused("another name", webBody(`{"name":"api"}`), `name cannot be modified, it is \"web\".`),
		refused("another stack", webBody(`{"runtime_stack":{"name":"Docker2"}}`), `runtime_stack.name cannot be modified, it is \"Docker\".`),
		refused("another version of the stack", webBody(`{"runtime_stack":{"version":"2.0"}}`), `runtime_stack.version cannot be modified, it is \"1.0\".`),
		refused("a cluster without parameters", webBody(`{"refer_resources":[{"id":"k1","type":"cce"}]}`), "refer_resources[0].parameters is mandatory when type is cce."),
		refused("a package without build", webBody(`{"source":{"kind":"package"}}`), "build is mandatory when the component is deployed in containers and no image is used."),
		refused("a variable twice", webBody(`{"envs":[{"name":"A"},{"name":"A"}]}`), "envs[1].name A is there twice."),
		inState("UPGRADING"), inState("DELETING"), inState("STOPPING"),
		{
			name: "another version while gray", method: http.MethodPut, path: compsPath + "/c1", body: webBody(`{"version":"3.0.0"}`), status: 409,
			before: map[string][]string{"environments": {boundEnv}, "applications": {shop}, "components": {patched(webRecord, `{"status":{"component_status":"GRAYING"}}`)}},
			want:   `{"error_code":"SVCSTG.00100432","error_msg":"The component is already in the release task."}`,
		},
		{name: "missing", before: before, method: http.MethodPut, path: compsPath + "/c9", body: webBody(""), status: 401, want: missingComp},
	})
}

func TestActionsAreRefusedInWrongStates(t *testing.T) {
	allowed := map[string][]string{
		"start": {"STOPPED"}, "stop": {"RUNNING", "DOWN", "PARTIALLY_FAILED"}, "restart": {"RUNNING", "DOWN", "PARTIALLY_FAILED"},
		"scale": {"RUNNING", "DOWN", "PARTIALLY_FAILED"}, "continue_deploy": {"GRAYING"}, "check_gray_release": {"GRAYING"}, "modify_gray_rule": {"GRAYING"},
	}
	for name, in := range allowed {
		for _, status := range []string{"RUNNING", "STOPPED", "GRAYING", "FAILED", "DOWN", "PARTIALLY_FAILED", "UPGRADING", "DELETING", "INITIALIZING", "STOPPING", "STARTING", "RESTARTING", "UNKNOWN"} {
			t.Run(name+" while "+status, func(t *testing.T) {
				c := newCloud(t)
				c.put("applications", shop)
				c.put("environments", boundEnv)
				c.put("components", patched(webRecord, `{"status":{"component_status":"`+status+`"}}`))
				got := c.call(http.MethodPost, compsPath+"/c1/action", `{"action":"`+name+`","parameters":{"replica":2,"first_batch_weight":5}}`)
				if slices.Contains(in, status) {
					if got.status != 200 || got.field("result") != "succeeded" {
						t.Errorf("%d %s", got.status, got.body)
					}
					return
				}
				check(t, got, 409, wrongState)
			})
		}
	}
}

func TestActionsWantTheirParameters(t *testing.T) {
	with := func(record string) map[string][]string {
		return map[string][]string{"environments": {boundEnv}, "applications": {shop}, "components": {record}}
	}
	act := func(name, record, body string, status int, want string) step {
		return step{name: name, before: with(record), method: http.MethodPost, path: compsPath + "/c1/action", body: body, status: status, want: want}
	}
	onVM := patched(webRecord, `{"runtime_stack":{"deploy_mode":"virtualmachine"}}`)
	runSteps(t, []step{
		act("none", webRecord, `{}`, 400, badRequest("action is mandatory.")),
		act("unknown", webRecord, `{"action":"explode"}`, 400, `{"error_code":"SVCSTG.00100418","error_msg":"The component instance operation is not defined."}`),
		act("scale to nothing said", webRecord, `{"action":"scale"}`, 400, badRequest("parameters.replica is mandatory.")),
		act("scale virtual machines without hosts", onVM, `{"action":"scale","parameters":{"replica":2}}`, 400, badRequest("parameters.hosts is mandatory when the component is deployed on virtual machines.")),
		act("roll back to nothing said", webRecord, `{"action":"rollback"}`, 400, badRequest("parameters.version is mandatory.")),
		act("roll back to what never was", webRecord, `{"action":"rollback","parameters":{"version":"0.1.0"}}`, 404, `{"error_code":"SVCSTG.00100436","error_msg":"Instance snapshot not found."}`),
		act("a gray rule without weight", patched(webRecord, `{"status":{"component_status":"GRAYING"}}`), `{"action":"modify_gray_rule"}`, 400, badRequest("parameters.first_batch_weight is mandatory.")),
	})
}

func TestRuntimeStacks(t *testing.T) {
	const path = "/v3/p1/cas/runtimestacks"
	c := newCloud(t)
	seen := map[string]bool{}
	var body struct{ Runtimestacks []cloudsim.RuntimeStack }
	if err := json.Unmarshal([]byte(c.call(http.MethodGet, path, "").body), &body); err != nil {
		t.Fatal(err)
	}
	for _, stack := range body.Runtimestacks {
		seen[stack.DeployMode+" "+stack.Status] = true
	}
	if len(seen) != 6 {
		t.Errorf("the stacks cover %v, want every status in both modes", seen)
	}
	const one = `[{"name":"Go1","deploy_mode":"container","version":"1.0.0","type":"Docker","status":"Supported"}]`
	compareJSON(t, c.sim(http.MethodPut, "runtimestacks", one, 200).body, one)
	check(t, c.call(http.MethodGet, path, ""), 200, `{"runtimestacks":`+one+`}`)
	for document, want := range map[string]string{
		`[{"name":"Go1","deploy_mode":"container","version":"1","type":"Docker","status":"Old"}]`: `runtimestacks[0].status: unknown value`,
		`[{"name":"Go1","version":"1","type":"Docker","status":"Supported"}]`:                     `runtimestacks[0].deploy_mode: must be set`,
	} {
		if got := c.sim(http.MethodPut, "runtimestacks", document, 400).body; !strings.Contains(got, want) {
			t.Errorf("%s: want %q", got, want)
		}
	}
	c.sim(http.MethodPut, "runtimestacks", `[]`, 200)
	check(t, c.call(http.MethodGet, path, ""), 200, `{"runtimestacks":[]}`)
	c.sim(http.MethodPost, "reset", "", 204)
	if got := c.RuntimeStacks(); len(got) != len(cloudsim.DefaultRuntimeStacks()) {
		t.Errorf("%d stacks after a reset", len(got))
	}
}
