// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package body

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"servicestage.dev/operator/api/v1alpha1"
)

// full is a spec that gives every field that a container component can have.
const full = `
name: shop-web
version: 1.2.0
description: the shop
runtimeStack: {name: OpenJDK8, type: Java, version: 1.2.0, deployMode: container}
source: {package: {url: "obs://bucket/shop.jar", storage: obs, auth: iam, version: "7"}}
build: {command: make, dockerfilePath: ./docker, artifactNamespace: org, clusterID: c1, nodeSelector: {disk: ssd}, environmentRef: {id: e2}}
replicas: 3
resources: {limits: {cpu: 500m, memory: 1Gi}, requests: {cpu: 250m, memory: 512Mi}}
env:
- {name: MODE, value: prod}
- {name: EMPTY}
- {name: PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password, optional: true}}}
- {name: SIZE, valueFrom: {configMapKeyRef: {name: sizes, key: web}}}
volumes:
- {name: host, hostPath: {path: /data}, mounts: [{path: /data, subPath: a, readOnly: true}]}
- {name: tmp, emptyDir: {medium: Memory}, mounts: [{path: /tmp}]}
- {name: conf, configMap: {name: conf, defaultMode: 256}, mounts: [{path: /conf}]}
- {name: keys, secret: {name: keys}, mounts: [{path: /keys}]}
- {name: disk, persistentVolumeClaim: {claimName: disk}, mounts: [{path: /disk}]}
command: [java]
args: [-jar, shop.jar]
lifecycle: {postStart: {exec: {command: [warm]}}, preStop: {httpGet: {path: /stop, port: 8080, scheme: HTTP, host: localhost}}}
livenessProbe: {tcpSocket: {port: 8080}, initialDelaySeconds: 5, timeoutSeconds: 2}
readinessProbe: {httpGet: {path: /ready, port: 8080, scheme: HTTPS}, timeoutSeconds: 1}
mesher: {port: 13092}
timezone: Asia/Shanghai
jvmOptions: -Xmx1024m
tomcat: {serverXML: <Server/>}
logs: [{path: /var/log, hostPath: /tmp/log, hostExtendPath: PodName, rotate: Daily}, {path: /log, hostPath: /tmp/plain}]
customMetrics: {path: /metrics, port: 9090, dimensions: cpu_usage}
affinity: {availabilityZones: [az1], nodes: [n1], components: [{name: db, displayName: DB}]}
antiAffinity: {rules: [{condition: preferred, kind: pod, weight: 50, matchExpressions: [{key: app, operation: In, value: shop}]}]}
references: [{type: cce, id: c1, namespace: shop}, {type: cse, id: eng1}]
externalAccesses: [{protocol: https, address: shop.example.com, port: 8443}]
deployStrategy: {type: GrayRelease, grayRelease: {firstBatchWeight: 20, firstBatchReplicas: 1, remainingBatches: 2}}
updateStrategy: {type: RollingUpdate, maxSurge: 25%, maxUnavailable: 0, minReadySeconds: 3}
`

// component reads a spec.
func component(t *testing.T, spec string) *v1alpha1.Component {
	t.Helper()
	c := &v1alpha1.Component{ObjectMeta: metav1.ObjectMeta{Name: "web"}}
	if err := yaml.UnmarshalStrict([]byte(spec), &c.Spec); err != nil {
		t.Fatal(err)
	}
	return c
}

// overTheWire is a body as the other side decodes it.
func overTheWire(t *testing.T, body map[string]any) map[string]any {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	decoded := map[string]any{}
	if err := decoder.Decode(&decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

// decode reads JSON as the client does.
func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	decoded := map[string]any{}
	if err := decoder.Decode(&decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

func TestWhatWasAppliedDoesNotDiffer(t *testing.T) {
	wanted := Wanted(component(t, full), Resolved{EnvironmentID: "e1", BuildEnvironmentID: "e2"})
	if paths := Diff(wanted, overTheWire(t, wanted)); len(paths) > 0 {
		t.Errorf("differs from itself in %v", paths)
	}
	again := Overlay(Observed(overTheWire(t, wanted)), wanted)
	if paths := Diff(wanted, overTheWire(t, again)); len(paths) > 0 {
		t.Errorf("differs in %v after an update", paths)
	}
}

func TestTheBodyIsWrittenInTheCloudsWords(t *testing.T) {
	got := overTheWire(t, Overlay(object{}, Wanted(component(t, full), Resolved{EnvironmentID: "e1", BuildEnvironmentID: "e2"})))
	want := decode(t, `{
		"name": "shop-web", "version": "1.2.0", "description": "the shop", "replica": 3,
		"runtime_stack": {"name": "OpenJDK8", "type": "Java", "version": "1.2.0", "deploy_mode": "container"},
		"source": {"kind": "package", "url": "obs://bucket/shop.jar", "storage": "obs", "auth": "iam", "version": "7"},
		"build": {"parameters": {"build_cmd": "make", "dockerfile_path": "./docker", "artifact_namespace": "org",
			"cluster_id": "c1", "node_label_selector": {"disk": "ssd"}, "environment_id": "e2"}},
		"limit_cpu": 0.5, "limit_memory": 1, "request_cpu": 0.25, "request_memory": 0.5,
		"envs": [{"name": "MODE", "value": "prod"}, {"name": "EMPTY", "value": ""},
			{"name": "PASSWORD", "value_from": {"reference_type": "secretKey", "name": "db", "key": "password", "optional": true}},
			{"name": "SIZE", "value_from": {"reference_type": "configMapKey", "name": "sizes", "key": "web"}}],
		"storages": [
			{"name": "host", "type": "HostPath", "parameters": {"path": "/data"}, "mounts": [{"path": "/data", "sub_path": "a", "read_only": true}]},
			{"name": "tmp", "type": "EmptyDir", "parameters": {"medium": "memory"}, "mounts": [{"path": "/tmp", "sub_path": "", "read_only": false}]},
			{"name": "conf", "type": "ConfigMap", "parameters": {"name": "conf", "default_mode": 256}, "mounts": [{"path": "/conf", "sub_path": "", "read_only": false}]},
			{"name": "keys", "type": "Secret", "parameters": {"name": "keys"}, "mounts": [{"path": "/keys", "sub_path": "", "read_only": false}]},
			{"name": "disk", "type": "PersistentVolumeClaim", "parameters": {"name": "disk"}, "mounts": [{"path": "/disk", "sub_path": "", "read_only": false}]}],
		"command": {"command": ["java"], "args": ["-jar", "shop.jar"]},
		"post_start": {"type": "command", "command": ["warm"]},
		"pre_stop": {"type": "http", "path": "/stop", "port": 8080, "scheme": "HTTP", "host": "localhost"},
		"liveness_probe": {"type": "tcp", "port": 8080, "delay": 5, "timeout": 2},
		"readiness_probe": {"type": "http", "path": "/ready", "port": 8080, "scheme": "HTTPS", "delay": 0, "timeout": 1},
		"mesher": {"port": 13092}, "timezone": "Asia/Shanghai", "jvm_opts": "-Xmx1024m", "tomcat_opts": {"server_xml": "<Server/>"},
		"logs": [
			{"log_path": "/var/log", "host_path": "/tmp/log", "host_extend_path": "PodName", "rotate": "Daily"},
			{"log_path": "/log", "host_path": "/tmp/plain", "host_extend_path": "None", "rotate": "Hourly"}
		],
		"custom_metric": {"path": "/metrics", "port": 9090, "dimensions": "cpu_usage"},
		"affinity": {"az": ["az1"], "node": ["n1"], "component": [{"name": "db", "displayName": "DB"}]},
		"anti_affinity": [{"condition": "preferred", "kind": "pod", "weight": 50, "match_expressions": [{"key": "app", "operation": "In", "value": "shop"}]}],
		"refer_resources": [{"type": "cce", "id": "c1", "parameters": {"namespace": "shop"}}, {"type": "cse", "id": "eng1"}],
		"external_accesses": [{"protocol": "https", "address": "shop.example.com", "forward_port": 8443}],
		"update_strategy": {"type": "RollingUpdate", "max_surge": "25%", "max_unavailable": 0, "min_ready_seconds": 3}
	}`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func TestServersAreOneReferenceNamedDefault(t *testing.T) {
	c := component(t, `{version: 1.0.0, hosts: [h1, h2], runtimeStack: {deployMode: virtualmachine}, source: {package: {url: u, storage: obs}}}`)
	got := overTheWire(t, Wanted(c, Resolved{}))["refer_resources"]
	want := decode(t, `{"l": [{"type": "ecs", "id": "Default", "parameters": {"hosts": ["h1", "h2"]}}]}`)["l"]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refer_resources (-want +got):\n%s", diff)
	}
}

func TestEnginesThatAreNamedByObjectsAreReferredToById(t *testing.T) {
	c := component(t, `{version: 1.0.0, references: [{type: cse, engineRef: {name: main}}, {type: cse, id: eng2}], runtimeStack: {deployMode: virtualmachine}, source: {package: {url: u, storage: obs}}}`)
	got := overTheWire(t, Wanted(c, Resolved{EngineIDs: map[string]string{"main": "eng1"}}))["refer_resources"]
	want := decode(t, `{"l": [{"type": "cse", "id": "eng1"}, {"type": "cse", "id": "eng2"}]}`)["l"]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refer_resources (-want +got):\n%s", diff)
	}
}

func TestWhatTheCloudAddsIsNoDrift(t *testing.T) {
	spec := `{version: 1.0.0, runtimeStack: {name: OpenJDK8, type: Java, version: 1.0.0, deployMode: container},
		source: {image: {url: "swr/x:1", storage: swr}}, env: [{name: A, value: "1"}],
		externalAccesses: [{protocol: http, address: a}], updateStrategy: {type: RollingUpdate}}`
	wanted := Wanted(component(t, spec), Resolved{})
	record := decode(t, `{
		"name": "web", "version": "1.0.0", "source": {"kind": "image", "url": "swr/x:1", "storage": "swr", "auth": "iam"},
		"runtime_stack": {"name": "OpenJDK8", "type": "Java", "version": "1.9.9", "deploy_mode": "container"},
		"envs": [{"name": "TZ", "value": "UTC"}, {"name": "A", "value": "1"}, {"name": "PAAS_APP", "value": "x"}, {"name": "X", "inner": true}],
		"external_accesses": [{"protocol": "tcp", "address": "b"}, {"protocol": "HTTP", "address": "a", "forward_port": 80}],
		"update_strategy": {"type": "RollingUpdate", "max_surge": "30%"}, "timezone": "UTC", "workload_kind": "deployment"
	}`)
	record["external_accesses"].([]any)[1].(map[string]any)["protocol"] = "http"
	if paths := Diff(wanted, record); len(paths) > 0 {
		t.Errorf("differs in %v", paths)
	}
}

func TestDriftOnEachFieldIsNamed(t *testing.T) {
	wanted := Wanted(component(t, full), Resolved{EnvironmentID: "e1", BuildEnvironmentID: "e2"})
	tests := map[string]struct {
		field string
		value string
		path  string
	}{
		"version":         {"version", `"9.9.9"`, "spec.version"},
		"description":     {"description", `"theirs"`, "spec.description"},
		"source":          {"source", `{"kind": "package", "url": "other", "storage": "obs", "auth": "iam", "version": "7"}`, "spec.source"},
		"build":           {"build", `{"parameters": {"cluster_id": "c2"}}`, "spec.build"},
		"replicas":        {"replica", `9`, "spec.replicas"},
		"cpu limit":       {"limit_cpu", `2`, "spec.resources.limits.cpu"},
		"memory limit":    {"limit_memory", `2`, "spec.resources.limits.memory"},
		"cpu request":     {"request_cpu", `2`, "spec.resources.requests.cpu"},
		"memory request":  {"request_memory", `2`, "spec.resources.requests.memory"},
		"storages":        {"storages", `[]`, "spec.volumes[host]"},
		"command":         {"command", `{"command": ["sh"]}`, "spec.command"},
		"post start":      {"post_start", `{"type": "command", "command": ["cold"]}`, "spec.lifecycle.postStart"},
		"pre stop":        {"pre_stop", `null`, "spec.lifecycle.preStop"},
		"mesher":          {"mesher", `{"port": 1}`, "spec.mesher"},
		"timezone":        {"timezone", `"UTC"`, "spec.timezone"},
		"jvm options":     {"jvm_opts", `""`, "spec.jvmOptions"},
		"tomcat":          {"tomcat_opts", `{"server_xml": ""}`, "spec.tomcat"},
		"logs":            {"logs", `[]`, "spec.logs"},
		"custom metrics":  {"custom_metric", `{"path": "/m", "port": 9090, "dimensions": "cpu_usage"}`, "spec.customMetrics"},
		"affinity":        {"affinity", `{}`, "spec.affinity"},
		"anti-affinity":   {"anti_affinity", `[]`, "spec.antiAffinity"},
		"liveness probe":  {"liveness_probe", `{"type": "tcp", "port": 1, "delay": 5, "timeout": 2}`, "spec.livenessProbe"},
		"readiness probe": {"readiness_probe", `null`, "spec.readinessProbe"},
		"references":      {"refer_resources", `[{"type": "cce", "id": "c1", "parameters": {"namespace": "shop"}}]`, "spec.references[cse/eng1]"},
		"accesses":        {"external_accesses", `[]`, "spec.externalAccesses"},
		"update strategy": {"update_strategy", `{"type": "Recreate"}`, "spec.updateStrategy"},
		"stack":           {"runtime_stack", `{"name": "OpenJDK11"}`, "spec.runtimeStack"},
		"env changed":     {"envs", `[{"name": "MODE", "value": "dev"}]`, "spec.env[MODE]"},
		"env added":       {"envs", `[{"name": "THEIRS", "value": "1"}]`, "spec.env[THEIRS]"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			record := overTheWire(t, wanted)
			record[test.field] = decode(t, `{"v": `+test.value+`}`)["v"]
			found := false
			for _, path := range Diff(wanted, record) {
				found = found || path == test.path
			}
			if !found {
				t.Errorf("%s is not among %v", test.path, Diff(wanted, record))
			}
			repaired := overTheWire(t, Overlay(Observed(record), wanted))
			if paths := Diff(wanted, repaired); len(paths) > 0 {
				t.Errorf("an update leaves %v", paths)
			}
		})
	}
}

func TestAnUpdateKeepsWhatTheSpecLeavesOut(t *testing.T) {
	wanted := Wanted(component(t, `{version: 1.0.1, runtimeStack: {name: J, type: Java, version: "1", deployMode: container},
		source: {image: {url: new, storage: swr}}, updateStrategy: {type: RollingUpdate}}`), Resolved{})
	record := decode(t, `{
		"name": "web", "version": "1.0.0", "status": {"x": 1}, "id": "i", "replica": 2, "timezone": "UTC",
		"source": {"kind": "package", "url": "old", "storage": "obs"}, "envs": [{"name": "A", "value": "1"}, {"name": "B", "inner": true}],
		"update_strategy": {"type": "Recreate", "max_surge": "30%"}, "custom_metrics": {"path": "/m"}
	}`)
	got := overTheWire(t, Overlay(Observed(record), wanted))
	want := decode(t, `{
		"name": "web", "version": "1.0.1", "replica": 2, "timezone": "UTC",
		"runtime_stack": {"name": "J", "type": "Java", "version": "1", "deploy_mode": "container"},
		"source": {"kind": "image", "url": "new", "storage": "swr"}, "envs": [{"name": "A", "value": "1"}],
		"update_strategy": {"type": "RollingUpdate", "max_surge": "30%"}, "custom_metric": {"path": "/m"}
	}`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func TestGrayReleaseIsWrittenInTheOlderFormUnlessTheNewerIsUsed(t *testing.T) {
	older := component(t, `{deployStrategy: {type: GrayRelease, grayRelease: {firstBatchWeight: 0, firstBatchReplicas: 1, remainingBatches: 2, hold: true}}}`)
	want := decode(t, `{"type": "GrayRelease", "gray_release": {"type": "weight", "first_batch_weight": 0, "first_batch_replica": 1, "remaining_batches": 2, "remaining_batch": 2}}`)
	if diff := cmp.Diff(want, overTheWire(t, Strategy(&older.Spec))); diff != "" {
		t.Errorf("older form (-want +got):\n%s", diff)
	}
	newer := component(t, `{deployStrategy: {type: GrayRelease, grayRelease: {firstBatchWeight: 10, firstBatchReplicas: 1, remainingBatches: 2,
		trafficType: Content, replicaSurgeMode: MIRROR, deploymentMode: 3, ruleMatchMode: all, rules: [{type: header, key: user, condition: equal, value: me}]}}}`)
	want = decode(t, `{"type": "GrayRelease", "gray_release": {"type": "CONTENT", "replica_surge_mode": "MIRROR", "deployment_mode": 3, "rule_match_mode": "all",
		"rules": [{"type": "header", "key": "user", "condition": "equal", "value": "me"}],
		"first_batch_weight": 10, "first_batch_replica": 1, "remaining_batches": 2, "remaining_batch": 2}}`)
	if diff := cmp.Diff(want, overTheWire(t, Strategy(&newer.Spec))); diff != "" {
		t.Errorf("newer form (-want +got):\n%s", diff)
	}
}

func TestAProbeOfAnotherSortKeepsNothingOfTheOld(t *testing.T) {
	wanted := Wanted(component(t, `{version: 1.0.0, livenessProbe: {exec: {command: [check]}, timeoutSeconds: 1}}`), Resolved{})
	record := decode(t, `{"liveness_probe": {"type": "http", "path": "/", "port": 80, "scheme": "HTTP", "delay": 9, "timeout": 1}}`)
	got := overTheWire(t, Overlay(Observed(record), wanted))["liveness_probe"]
	want := decode(t, `{"p": {"type": "command", "command": ["check"], "delay": 0, "timeout": 1}}`)["p"]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("probe (-want +got):\n%s", diff)
	}
}

// What the spec leaves out of an object that means something as a whole only is not to be there.
func TestWhatIsLeftOutOfAWholeDiffers(t *testing.T) {
	const rest = `version: 1.0.0, runtimeStack: {name: J, type: Java, version: "1", deployMode: container}`
	tests := map[string]struct {
		spec, held string
		path       string
	}{
		"the host of a probe": {
			`livenessProbe: {httpGet: {port: 80, scheme: HTTP}, timeoutSeconds: 1}`,
			`{"liveness_probe": {"type": "http", "port": 80, "path": "", "scheme": "HTTP", "host": "127.0.0.1", "delay": 0, "timeout": 1}}`,
			"spec.livenessProbe",
		},
		"where a variable is from": {
			`env: [{name: A}]`, `{"envs": [{"name": "A", "value": "", "value_from": {"reference_type": "configMapKey", "name": "c"}}]}`, "spec.env[A]",
		},
		"the medium of a volume": {
			`volumes: [{name: v, emptyDir: {}, mounts: [{path: /v}]}]`,
			`{"storages": [{"name": "v", "type": "EmptyDir", "parameters": {"medium": "memory"}, "mounts": [{"path": "/v"}]}]}`, "spec.volumes[v]",
		},
		"the nodes of an affinity": {
			`affinity: {availabilityZones: [a]}`, `{"affinity": {"az": ["a"], "node": ["n"]}}`, "spec.affinity",
		},
		"an affinity of the other form": {`affinity: {}`, `{"affinity": [{"condition": "required"}]}`, "spec.affinity"},
		"a label of the nodes that build": {
			`build: {clusterID: c, nodeSelector: {disk: ssd}}`,
			`{"build": {"parameters": {"cluster_id": "c", "node_label_selector": {"disk": "ssd", "gpu": "big"}}}}`, "spec.build",
		},
		"an argument":     {`command: [serve], args: []`, `{"command": {"command": ["serve"], "args": ["-v"]}}`, "spec.args"},
		"the command":     {`command: [serve], args: [-v]`, `{"command": {"command": ["run"], "args": ["-v"]}}`, "spec.command"},
		"an access's end": {`externalAccesses: []`, `{"external_accesses": [{"protocol": "http", "address": "a"}]}`, "spec.externalAccesses"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			wanted := Wanted(component(t, `{`+rest+`, source: {image: {url: u, storage: swr}}, `+test.spec+`}`), Resolved{})
			record := overTheWire(t, Overlay(object{}, wanted))
			for field, value := range decode(t, test.held) {
				record[field] = value
			}
			if diff := cmp.Diff([]string{test.path}, Diff(wanted, record)); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
			repaired := overTheWire(t, Overlay(Observed(record), wanted))
			if paths := Diff(wanted, repaired); len(paths) > 0 {
				t.Errorf("an update leaves %v", paths)
			}
		})
	}
}
