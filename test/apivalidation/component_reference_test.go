// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apivalidation

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// referenceField is one row of a table of the API reference.
type referenceField struct {
	table, object, parameter string
	mandatory                bool
}

func (f referenceField) name() string { return f.object + "." + f.parameter }

// mapped says which paths of the Component mean a field of the API reference, by object and parameter.
var mapped = map[string][]string{
	"body.name":              {"spec.name"},
	"body.labels":            {"spec.labels"},
	"body.runtime_stack":     {"spec.runtimeStack"},
	"body.environment_id":    {"spec.environmentRef"},
	"body.description":       {"spec.description"},
	"body.source":            {"spec.source"},
	"body.build":             {"spec.build"},
	"body.limit_cpu":         {"spec.resources.limits.cpu"},
	"body.limit_memory":      {"spec.resources.limits.memory"},
	"body.request_cpu":       {"spec.resources.requests.cpu"},
	"body.request_memory":    {"spec.resources.requests.memory"},
	"body.version":           {"spec.version"},
	"body.envs":              {"spec.env"},
	"body.replica":           {"spec.replicas"},
	"body.storages":          {"spec.volumes"},
	"body.deploy_strategy":   {"spec.deployStrategy"},
	"body.command":           {"spec.command", "spec.args"},
	"body.post_start":        {"spec.lifecycle.postStart"},
	"body.pre_stop":          {"spec.lifecycle.preStop"},
	"body.mesher":            {"spec.mesher"},
	"body.timezone":          {"spec.timezone"},
	"body.jvm_opts":          {"spec.jvmOptions"},
	"body.tomcat_opts":       {"spec.tomcat"},
	"body.logs":              {"spec.logs"},
	"body.custom_metrics":    {"spec.customMetrics"},
	"body.custom_metric":     {"spec.customMetrics"},
	"body.affinity":          {"spec.affinity"},
	"body.anti_affinity":     {"spec.antiAffinity"},
	"body.liveness_probe":    {"spec.livenessProbe"},
	"body.readiness_probe":   {"spec.readinessProbe"},
	"body.refer_resources":   {"spec.references", "spec.hosts"},
	"body.external_accesses": {"spec.externalAccesses"},
	"body.update_strategy":   {"spec.updateStrategy"},
	"body.workload_content":  {"spec.workloadContent"},
	"body.application_id":    {"spec.applicationRef"},

	"labels.key":   {"spec.labels"},
	"labels.value": {"spec.labels"},

	"storages.type": {
		"spec.volumes[].hostPath", "spec.volumes[].emptyDir", "spec.volumes[].configMap", "spec.volumes[].secret",
		"spec.volumes[].persistentVolumeClaim",
	},
	"storages.name": {"spec.volumes[].name"},
	"storages.parameters": {
		"spec.volumes[].hostPath", "spec.volumes[].emptyDir", "spec.volumes[].configMap", "spec.volumes[].secret",
		"spec.volumes[].persistentVolumeClaim",
	},
	"storages.mounts":                   {"spec.volumes[].mounts"},
	"component_storage_parameters.path": {"spec.volumes[].hostPath.path"},
	"component_storage_parameters.name": {
		"spec.volumes[].configMap.name", "spec.volumes[].secret.name", "spec.volumes[].persistentVolumeClaim.claimName",
	},
	"component_storage_parameters.default_mode": {"spec.volumes[].configMap.defaultMode", "spec.volumes[].secret.defaultMode"},
	"component_storage_parameters.medium":       {"spec.volumes[].emptyDir.medium"},
	"mounts.path":                               {"spec.volumes[].mounts[].path"},
	"mounts.sub_path":                           {"spec.volumes[].mounts[].subPath"},
	"mounts.read_only":                          {"spec.volumes[].mounts[].readOnly"},

	"deploy_strategy.type":             {"spec.deployStrategy.type"},
	"deploy_strategy.rolling_release":  {"spec.deployStrategy.rollingRelease"},
	"deploy_strategy.gray_release":     {"spec.deployStrategy.grayRelease"},
	"rolling_release.batches":          {"spec.deployStrategy.rollingRelease.batches"},
	"gray_release.type":                {"spec.deployStrategy.grayRelease.trafficType"},
	"gray_release.first_batch_weight":  {"spec.deployStrategy.grayRelease.firstBatchWeight"},
	"gray_release.first_batch_replica": {"spec.deployStrategy.grayRelease.firstBatchReplicas"},
	"gray_release.remaining_batches":   {"spec.deployStrategy.grayRelease.remainingBatches"},
	"gray_release.remaining_batch":     {"spec.deployStrategy.grayRelease.remainingBatches"},
	"gray_release.replica_surge_mode":  {"spec.deployStrategy.grayRelease.replicaSurgeMode"},
	"gray_release.deployment_mode":     {"spec.deployStrategy.grayRelease.deploymentMode"},
	"gray_release.rule_match_mode":     {"spec.deployStrategy.grayRelease.ruleMatchMode"},
	"gray_release.rules":               {"spec.deployStrategy.grayRelease.rules"},
	"gray_release.rules.type":          {"spec.deployStrategy.grayRelease.rules[].type"},
	"gray_release.rules.key":           {"spec.deployStrategy.grayRelease.rules[].key"},
	"gray_release.rules.condition":     {"spec.deployStrategy.grayRelease.rules[].condition"},
	"gray_release.rules.value":         {"spec.deployStrategy.grayRelease.rules[].value"},

	"command.command": {"spec.command"},
	"command.args":    {"spec.args"},

	"component_lifecycle.type": {
		"spec.lifecycle.postStart.exec", "spec.lifecycle.postStart.httpGet", "spec.lifecycle.preStop.exec", "spec.lifecycle.preStop.httpGet",
	},
	"component_lifecycle.scheme":  {"spec.lifecycle.postStart.httpGet.scheme", "spec.lifecycle.preStop.httpGet.scheme"},
	"component_lifecycle.host":    {"spec.lifecycle.postStart.httpGet.host", "spec.lifecycle.preStop.httpGet.host"},
	"component_lifecycle.port":    {"spec.lifecycle.postStart.httpGet.port", "spec.lifecycle.preStop.httpGet.port"},
	"component_lifecycle.path":    {"spec.lifecycle.postStart.httpGet.path", "spec.lifecycle.preStop.httpGet.path"},
	"component_lifecycle.command": {"spec.lifecycle.postStart.exec.command", "spec.lifecycle.preStop.exec.command"},

	"component_probe.type": {
		"spec.livenessProbe.exec", "spec.livenessProbe.httpGet", "spec.livenessProbe.tcpSocket",
		"spec.readinessProbe.exec", "spec.readinessProbe.httpGet", "spec.readinessProbe.tcpSocket",
	},
	"component_probe.delay":   {"spec.livenessProbe.initialDelaySeconds", "spec.readinessProbe.initialDelaySeconds"},
	"component_probe.timeout": {"spec.livenessProbe.timeoutSeconds", "spec.readinessProbe.timeoutSeconds"},
	"component_probe.scheme":  {"spec.livenessProbe.httpGet.scheme", "spec.readinessProbe.httpGet.scheme"},
	"component_probe.host":    {"spec.livenessProbe.httpGet.host", "spec.readinessProbe.httpGet.host"},
	"component_probe.port": {
		"spec.livenessProbe.httpGet.port", "spec.livenessProbe.tcpSocket.port",
		"spec.readinessProbe.httpGet.port", "spec.readinessProbe.tcpSocket.port",
	},
	"component_probe.path":    {"spec.livenessProbe.httpGet.path", "spec.readinessProbe.httpGet.path"},
	"component_probe.command": {"spec.livenessProbe.exec.command", "spec.readinessProbe.exec.command"},

	"mesher.port":              {"spec.mesher.port"},
	"tomcat_opt.server_xml":    {"spec.tomcat.serverXML"},
	"logs.log_path":            {"spec.logs[].path"},
	"logs.rotate":              {"spec.logs[].rotate"},
	"logs.host_path":           {"spec.logs[].hostPath"},
	"logs.host_extend_path":    {"spec.logs[].hostExtendPath"},
	"custom_metric.path":       {"spec.customMetrics.path"},
	"custom_metric.port":       {"spec.customMetrics.port"},
	"custom_metric.dimensions": {"spec.customMetrics.dimensions"},

	"component_affinity.az":                  {"spec.affinity.availabilityZones", "spec.antiAffinity.availabilityZones"},
	"component_affinity.node":                {"spec.affinity.nodes", "spec.antiAffinity.nodes"},
	"component_affinity.component":           {"spec.affinity.components", "spec.antiAffinity.components"},
	"affinity_component.displayName":         {"spec.affinity.components[].displayName", "spec.antiAffinity.components[].displayName"},
	"affinity_component.name":                {"spec.affinity.components[].name", "spec.antiAffinity.components[].name"},
	"component_affinity[].condition":         {"spec.affinity.rules[].condition", "spec.antiAffinity.rules[].condition"},
	"component_affinity[].kind":              {"spec.affinity.rules[].kind", "spec.antiAffinity.rules[].kind"},
	"component_affinity[].weight":            {"spec.affinity.rules[].weight", "spec.antiAffinity.rules[].weight"},
	"component_affinity[].match_expressions": {"spec.affinity.rules[].matchExpressions", "spec.antiAffinity.rules[].matchExpressions"},
	"match_expressions.key":                  {"spec.affinity.rules[].matchExpressions[].key", "spec.antiAffinity.rules[].matchExpressions[].key"},
	"match_expressions.value":                {"spec.affinity.rules[].matchExpressions[].value", "spec.antiAffinity.rules[].matchExpressions[].value"},
	"match_expressions.operation":            {"spec.affinity.rules[].matchExpressions[].operation", "spec.antiAffinity.rules[].matchExpressions[].operation"},

	"refer_resources.id":                 {"spec.references[].id", "spec.references[].engineRef", "spec.hosts"},
	"refer_resources.type":               {"spec.references[].type", "spec.hosts"},
	"refer_resources.parameters":         {"spec.references[].namespace", "spec.hosts"},
	"refer_resource_parameter.namespace": {"spec.references[].namespace"},
	"refer_resource_parameter.hosts":     {"spec.hosts"},

	"env.name":       {"spec.env[].name"},
	"env.value":      {"spec.env[].value"},
	"env.value_from": {"spec.env[].valueFrom"},
	"value_from.reference_type": {
		"spec.env[].valueFrom.configMapKeyRef", "spec.env[].valueFrom.secretKeyRef",
	},
	"value_from.name":     {"spec.env[].valueFrom.configMapKeyRef.name", "spec.env[].valueFrom.secretKeyRef.name"},
	"value_from.key":      {"spec.env[].valueFrom.configMapKeyRef.key", "spec.env[].valueFrom.secretKeyRef.key"},
	"value_from.optional": {"spec.env[].valueFrom.configMapKeyRef.optional", "spec.env[].valueFrom.secretKeyRef.optional"},

	"runtime_stack.name":        {"spec.runtimeStack.name"},
	"runtime_stack.type":        {"spec.runtimeStack.type"},
	"runtime_stack.version":     {"spec.runtimeStack.version"},
	"runtime_stack.deploy_mode": {"spec.runtimeStack.deployMode"},

	"source.kind":           {"spec.source.package", "spec.source.image", "spec.source.code"},
	"source.version":        {"spec.source.package.version", "spec.source.image.version", "spec.source.code.version"},
	"source.url":            {"spec.source.package.url", "spec.source.image.url"},
	"source.storage":        {"spec.source.package.storage", "spec.source.image.storage"},
	"source.auth":           {"spec.source.package.auth", "spec.source.image.auth"},
	"source.repo_auth":      {"spec.source.code.authorization"},
	"source.repo_namespace": {"spec.source.code.namespace"},
	"source.repo_ref":       {"spec.source.code.ref"},
	"source.repo_type":      {"spec.source.code.repoType"},
	"source.web_url":        {"spec.source.code.webURL"},
	"source.repo_url":       {"spec.source.code.repoURL"},

	"build.parameters":                     {"spec.build"},
	"build.parameters.build_cmd":           {"spec.build.command"},
	"build.parameters.dockerfile_path":     {"spec.build.dockerfilePath"},
	"build.parameters.artifact_namespace":  {"spec.build.artifactNamespace"},
	"build.parameters.cluster_id":          {"spec.build.clusterID"},
	"build.parameters.node_label_selector": {"spec.build.nodeSelector"},
	"build.parameters.environment_id":      {"spec.build.environmentRef"},

	"external_accesses.protocol":     {"spec.externalAccesses[].protocol"},
	"external_accesses.address":      {"spec.externalAccesses[].address"},
	"external_accesses.forward_port": {"spec.externalAccesses[].port"},

	"update_strategy.type":                       {"spec.updateStrategy.type"},
	"update_strategy.max_surge":                  {"spec.updateStrategy.maxSurge"},
	"update_strategy.max_unavailable":            {"spec.updateStrategy.maxUnavailable"},
	"update_strategy.min_ready_seconds":          {"spec.updateStrategy.minReadySeconds"},
	"update_strategy.revision_history_limit":     {"spec.updateStrategy.revisionHistoryLimit"},
	"update_strategy.progress_deadline_seconds":  {"spec.updateStrategy.progressDeadlineSeconds"},
	"update_strategy.termination_period_seconds": {"spec.updateStrategy.terminationGracePeriodSeconds"},
}

// excepted are the fields that no path means, and why; an object stands for all of its parameters.
var excepted = map[string]string{
	"host_aliases":     "printed beside the request, but no field of the request refers to it",
	"dns_config":       "printed beside the request, but no field of the request refers to it",
	"options":          "part of dns_config",
	"security_context": "printed beside the request, but no field of the request refers to it",
	"capabilities":     "part of security_context",

	"body.config_mode":                    "follows from spec.workloadContent: yaml where that is given",
	"body.create_mode":                    "imports a workload that the cloud does not know yet, for which no shape is documented; spec.import adopts components",
	"body.enterprise_project_id":          "a component is in the enterprise project of its application; it occurs in an example only",
	"body.swimlane_id":                    "swim lanes are another resource of the cloud, which this API group does not have",
	"refer_resources.name":                "a display name that the cloud gives back; ids identify resources",
	"refer_resource_parameter.type":       "says VirtualMachine of what spec.runtimeStack.deployMode says already",
	"build.parameters.build_env_selected": "no shape is documented",
	"build.parameters.cluster_namespace":  "no shape is documented",
	"build.parameters.use_public_cluster": "no shape is documented; spec.build.clusterID names the cluster",
}

// looser are the paths of mandatory fields that may be left out, and why.
var looser = map[string]string{
	"spec.name":     "metadata.name where left out",
	"spec.labels":   "a map: every label has a key and a value",
	"spec.replicas": "1 at creation and the cloud's number later where left out",

	"spec.references":             "needed in containers only, which a CEL rule demands",
	"spec.references[].id":        "or engineRef: exactly one, which a CEL rule demands",
	"spec.references[].engineRef": "or id: exactly one, which a CEL rule demands",
	"spec.hosts":                  "needed on virtual machines only, which a CEL rule demands",

	"spec.volumes[].mounts[].subPath":  "empty where left out",
	"spec.volumes[].mounts[].readOnly": "false where left out",
	"spec.logs[].hostExtendPath":       "None where left out",
	"spec.logs[].rotate":               "Hourly where left out",

	"spec.livenessProbe.initialDelaySeconds":  "0 where left out",
	"spec.readinessProbe.initialDelaySeconds": "0 where left out",

	"spec.deployStrategy.grayRelease.trafficType":      "Weight where left out",
	"spec.deployStrategy.grayRelease.replicaSurgeMode": "mandatory in the newer form only, which a CEL rule demands",
	"spec.deployStrategy.grayRelease.deploymentMode":   "mandatory in the newer form only, which a CEL rule demands",

	"spec.affinity.rules[].matchExpressions[].value":     "Exists and DoesNotExist take none, which a CEL rule demands",
	"spec.antiAffinity.rules[].matchExpressions[].value": "Exists and DoesNotExist take none, which a CEL rule demands",
}

// choices are the fields whose values are members of which exactly one is given, which a CEL rule demands.
var choices = []string{"storages.type", "storages.parameters", "component_lifecycle.type", "component_probe.type", "value_from.reference_type", "source.kind"}

// own are the paths that say what no field of the two calls says.
var own = []string{
	"spec.accountRef", "spec.managementPolicy", "spec.deletionPolicy", "spec.import", "spec.resyncInterval", // every cloud resource has them
	"spec.applicationRef",                  // the path of the calls
	"spec.state",                           // the actions start and stop
	"spec.deployStrategy.grayRelease.hold", // the action continue_deploy
}

func TestComponentHasEveryFieldOfTheReference(t *testing.T) {
	schema := specSchema(t)
	for _, field := range referenceFields(t) {
		paths, isMapped := mapped[field.name()]
		_, isExcepted := exception(field)
		if isMapped == isExcepted {
			t.Errorf("table %s: %s must be either mapped to a path of the Component or excepted with a reason", field.table, field.name())
		}
		for _, path := range paths {
			at, ok := schema[path]
			switch {
			case !ok:
				t.Errorf("table %s: %s is mapped to %s, which the Component does not have", field.table, field.name(), path)
			case field.mandatory && !at.assured && looser[path] == "" && !slices.Contains(choices, field.name()):
				t.Errorf("table %s: %s is mandatory, but %s may be left out", field.table, field.name(), path)
			}
		}
	}
}

func TestComponentHasNoFieldOfItsOwnMaking(t *testing.T) {
	var meant []string
	for _, paths := range mapped {
		meant = append(meant, paths...)
	}
	for path := range specSchema(t) {
		said := slices.ContainsFunc(meant, func(m string) bool { return m == path || below(m, path) })
		referring := slices.ContainsFunc(meant, func(m string) bool { return strings.HasSuffix(m, "Ref") && below(path, m) })
		apart := slices.ContainsFunc(own, func(o string) bool { return o == path || below(path, o) })
		if !said && !referring && !apart {
			t.Errorf("%s means no field of the API reference", path)
		}
	}
}

func TestComponentReferenceTablesAreCurrent(t *testing.T) {
	fields := referenceFields(t)
	for _, tables := range [][2]int{{96, 127}, {156, 187}} {
		for n := tables[0]; n <= tables[1]; n++ {
			if table := fmt.Sprintf("5-%d", n); !slices.ContainsFunc(fields, func(f referenceField) bool { return f.table == table }) {
				t.Errorf("table %s is not in testdata", table)
			}
		}
	}
	for name := range mapped {
		if !slices.ContainsFunc(fields, func(f referenceField) bool { return f.name() == name }) {
			t.Errorf("%s is mapped, but no field of the reference", name)
		}
	}
	for name := range excepted {
		if !slices.ContainsFunc(fields, func(f referenceField) bool { return f.name() == name || f.object == name }) {
			t.Errorf("%s is excepted, but no field of the reference", name)
		}
	}
	schema := specSchema(t)
	for path := range looser {
		at, ok := schema[path]
		if !ok || at.assured {
			t.Errorf("%s is listed as one that may be left out, which it may not", path)
		}
	}
}

// exception says why no path means the field.
func exception(field referenceField) (string, bool) {
	if reason, ok := excepted[field.object]; ok {
		return reason, true
	}
	reason, ok := excepted[field.name()]
	return reason, ok
}

// below says whether a path is inside another.
func below(path, other string) bool {
	return strings.HasPrefix(path, other+".") || strings.HasPrefix(path, other+"[]")
}

// schemaField is a path of the CRD.
type schemaField struct {
	// assured is set where the API server sees to it that the field has a value: it is required or has a default.
	assured bool
}

// specSchema lists every path of a Component's spec.
func specSchema(t *testing.T) map[string]schemaField {
	t.Helper()
	out := map[string]schemaField{}
	root := readCRDs(t, filepath.Join("..", "..", "config", "crd", "bases"))[component].Spec.Versions[0].Schema.OpenAPIV3Schema
	walk(root, "", func(path string, schema *apiextensionsv1.JSONSchemaProps) {
		for name, property := range schema.Properties {
			at := strings.TrimPrefix(path+"."+name, ".")
			if strings.HasPrefix(at, "spec.") {
				out[at] = schemaField{assured: slices.Contains(schema.Required, name) || property.Default != nil}
			}
		}
	})
	return out
}

// referenceFields reads the tables of the API reference.
func referenceFields(t *testing.T) []referenceField {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "component_fields.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	var out []referenceField
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		columns := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(columns) != 4 || (columns[3] != "Yes" && columns[3] != "No") {
			t.Fatalf("not table, object, parameter, mandatory: %q", line)
		}
		out = append(out, referenceField{columns[0], columns[1], columns[2], columns[3] == "Yes"})
	}
	return out
}
