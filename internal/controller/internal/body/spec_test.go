// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package body

import (
	cmpor "cmp"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/api/resource"

	"servicestage.dev/operator/api/v1alpha1"
)

// equalSpecs compares specs; an empty value of a variable is none, and what a log leaves out is what it stands for.
var equalSpecs = cmp.Options{
	cmpopts.EquateEmpty(),
	cmp.Comparer(func(a, b resource.Quantity) bool { return a.Cmp(b) == 0 }),
	cmp.Comparer(func(a, b v1alpha1.ComponentEnvVar) bool {
		value := func(e v1alpha1.ComponentEnvVar) string {
			if e.Value == nil {
				return ""
			}
			return *e.Value
		}
		return a.Name == b.Name && value(a) == value(b) && cmp.Equal(a.ValueFrom, b.ValueFrom)
	}),
	cmp.Transformer("whole", func(l v1alpha1.LogCollection) [4]string {
		return [4]string{l.Path, l.HostPath, cmpor.Or(l.HostExtendPath, "None"), cmpor.Or(l.Rotate, "Hourly")}
	}),
}

func TestSpecIsTheInverseOfWanted(t *testing.T) {
	want := component(t, full)
	record := overTheWire(t, Wanted(want, Resolved{EnvironmentID: "e1", BuildEnvironmentID: "e2"}))
	want.Spec.Name, want.Spec.DeployStrategy = "", nil
	if diff := cmp.Diff(want.Spec, Spec(record), equalSpecs); diff != "" {
		t.Errorf("spec (-applied +read back):\n%s", diff)
	}
}

func TestSpecOfWhatTheCloudShowsDiffersInNothing(t *testing.T) {
	for name, record := range map[string]string{
		"with what the cloud adds": `{"name": "web", "version": "1.0.0", "replica": 2, "description": "",
			"runtime_stack": {"name": "Docker", "type": "Docker", "version": "1.0", "deploy_mode": "container"},
			"source": {"kind": "image", "url": "swr/x:1", "storage": "swr", "auth": "iam"},
			"build": {"parameters": {"dockerfile_path": "./", "artifact_namespace": "cas_p"}},
			"envs": [{"name": "TZ", "value": "UTC"}, {"name": "A", "value": ""}, {"name": "PAAS_APP", "value": "x"}, {"name": "X", "inner": true}],
			"external_accesses": [{"protocol": "TCP", "address": "b", "forward_port": 3000}, {"protocol": "http", "address": "a", "forward_port": 80}],
			"tomcat_opts": {"http_port": 0, "context_path": null},
			"refer_resources": [{"type": "cce", "id": "c", "parameters": {"namespace": "default"}}, {"type": "vpcep", "id": "v"}],
			"update_strategy": {"type": "RollingUpdate", "max_surge": "25%", "max_unavailable": 1, "min_ready_seconds": 0},
			"limit_cpu": 0.333333, "limit_memory": 0.3, "request_cpu": 0, "request_memory": "0.25"}`,
		"servers": `{"name": "billing", "version": "1.0.0.1", "replica": 2,
			"runtime_stack": {"name": "OpenJDK8", "type": "Java", "version": "1.2.0", "deploy_mode": "virtualmachine"},
			"source": {"kind": "package", "url": "obs://p/b.jar", "storage": "obs", "auth": "iam"},
			"refer_resources": [{"type": "ecs", "id": "Default", "parameters": {"hosts": ["h1", "h2"]}}]}`,
		"nothing": `{}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := decode(t, record)
			c := &v1alpha1.Component{Spec: Spec(r)}
			c.Name, _ = r["name"].(string)
			if paths := Diff(Wanted(c, Resolved{}), r); len(paths) > 0 {
				t.Errorf("the spec read from the record differs from it in %v", paths)
			}
		})
	}
}

func TestServersAreReadBackAsHosts(t *testing.T) {
	want := component(t, `{version: 1.0.0, hosts: [h1, h2], runtimeStack: {deployMode: virtualmachine}, source: {package: {url: u, storage: obs}}}`)
	if diff := cmp.Diff(want.Spec, Spec(overTheWire(t, Wanted(want, Resolved{}))), equalSpecs); diff != "" {
		t.Errorf("spec (-applied +read back):\n%s", diff)
	}
}

func FuzzSpec(f *testing.F) {
	f.Add(`{"envs": [{"name": 1}, 2, null], "storages": {}, "affinity": [[]], "replica": 1e99, "limit_cpu": -1}`)
	f.Add(`{"source": {"kind": "code"}, "refer_resources": [{"type": "ecs", "parameters": {"hosts": [1]}}], "command": {"command": "x"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var record map[string]any
		if json.Unmarshal([]byte(text), &record) != nil {
			t.Skip()
		}
		Spec(record) // whatever the cloud answers, nothing panics
	})
}

func TestHeldStrategyKeepsAGrayReleaseWhereItIs(t *testing.T) {
	want := component(t, `{deployStrategy: {type: GrayRelease, grayRelease: {firstBatchWeight: 0, firstBatchReplicas: 1, remainingBatches: 2, hold: true}}}`)
	got := HeldStrategy(overTheWire(t, map[string]any{"deploy_strategy": Strategy(&want.Spec)}))
	if diff := cmp.Diff(want.Spec.DeployStrategy, got); diff != "" {
		t.Errorf("strategy (-want +got):\n%s", diff)
	}
}
