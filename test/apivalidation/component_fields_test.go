// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apivalidation

import (
	"fmt"
	"strings"
)

// componentRows are the rules of a Component alone.
func componentRows() []fieldRow {
	return join(
		componentIdentityRows(), componentSourceRows(), componentWorkloadRows(), componentVolumeRows(), componentHealthRows(),
		componentPlacementRows(), componentReleaseRows(), componentStatusRows())
}

func componentIdentityRows() []fieldRow {
	return join(
		referenceRows("spec.applicationRef", "spec: {applicationRef: {name: null, id: app-1}}"),
		referenceRows("spec.environmentRef", "spec: {environmentRef: {name: null, id: env-1}}"),
		with(`spec: {tomcat: null}`, []fieldRow{
			row("spec.runtimeStack.type", "enum", values("Java", "Tomcat", "Nodejs", "Php", "Docker", "Python"), values("", "java", "Go")),
		}),
		[]fieldRow{
			required("spec"),
			required("spec.applicationRef"),
			required("spec.environmentRef"),
			row("spec.labels", "maxProperties", values(labels(31)), values(labels(32))),
			row("spec.version", "pattern", values("1.0.0", "2023.1102.17105", "1.2.3.4"), values("", "1.0", "v1.0.0", "1.0.0-rc1", "1.2.3.4.5", "1.0.", "1a0b0")),
			row("spec.version", "maxLength", values(longVersion(32)), values(longVersion(33))),
			required("spec.version"),
			row("spec.runtimeStack.name", "minLength", values("T"), values("")),
			row("spec.runtimeStack.name", "maxLength", text(64), text(65)),
			required("spec.runtimeStack.name"),
			required("spec.runtimeStack.type"),
			row("spec.runtimeStack.version", "minLength", values("1"), values("")),
			row("spec.runtimeStack.version", "maxLength", text(64), text(65)),
			required("spec.runtimeStack.version"),
			row("spec.runtimeStack.deployMode", "enum", values("container", "virtualmachine"), values("", "mixed", "Container")),
			required("spec.runtimeStack.deployMode"),
			required("spec.runtimeStack"),
			row("spec.workloadContent", "minLength", values("{"), values("")),
			row("spec.workloadContent", "maxLength", text(65536), text(65537)),
		})
}

func componentSourceRows() []fieldRow {
	return join(
		artifactRows("spec.source.package"),
		[]fieldRow{required("spec.source"), required("spec.source.package.storage")},
		with(`spec: {source: {package: null, image: {url: "swr.example.com/shop:1", storage: swr, auth: iam, version: 1.0.0}}}`,
			artifactRows("spec.source.image")),
		with(`spec: {source: {package: null, code: {repoType: GitHub, repoURL: "https://github.com/example/demo.git", webURL: "https://github.com/example/demo", namespace: example, ref: main, authorization: github, version: 1.0.0}}}`,
			[]fieldRow{
				row("spec.source.code.repoType", "enum", values("GitHub", "BitBucket", "GitLab"), values("", "github", "Gitee")),
				required("spec.source.code.repoType"),
				row("spec.source.code.repoURL", "minLength", values("r"), values("")),
				row("spec.source.code.repoURL", "maxLength", text(1024), text(1025)),
				required("spec.source.code.repoURL"),
				row("spec.source.code.webURL", "maxLength", text(1024), text(1025)),
				row("spec.source.code.namespace", "maxLength", text(256), text(257)),
				row("spec.source.code.ref", "maxLength", text(256), text(257)),
				row("spec.source.code.authorization", "minLength", values("a"), values("")),
				row("spec.source.code.authorization", "maxLength", text(64), text(65)),
				row("spec.source.code.version", "maxLength", text(64), text(65)),
			}),
		referenceRows("spec.build.environmentRef", "spec: {build: {environmentRef: {name: null, id: env-1}}}"),
		[]fieldRow{
			row("spec.build.command", "maxLength", text(512), text(513)),
			row("spec.build.dockerfilePath", "maxLength", text(128), text(129)),
			row("spec.build.artifactNamespace", "maxLength", text(64), text(65)),
			row("spec.build.clusterID", "minLength", values("c"), values("")),
			row("spec.build.clusterID", "maxLength", text(64), text(65)),
			required("spec.build.clusterID"),
			row("spec.build.nodeSelector", "maxProperties", values(labels(32)), values(labels(33))),
		})
}

// artifactRows are the rules of a package and of an image.
func artifactRows(path string) []fieldRow {
	return []fieldRow{
		row(path+".url", "minLength", values("u"), values("")),
		row(path+".url", "maxLength", text(1024), text(1025)),
		required(path + ".url"),
		row(path+".storage", "enum", values("obs", "codearts", "swr"), values("", "OBS", "s3")),
		row(path+".auth", "enum", values("iam", "none"), values("", "IAM")),
		row(path+".version", "maxLength", text(64), text(65)),
	}
}

func componentWorkloadRows() []fieldRow {
	var amounts []fieldRow
	for _, amount := range []string{"limits.cpu", "limits.memory", "requests.cpu", "requests.memory"} {
		amounts = append(amounts, row("spec.resources."+amount, "pattern",
			values(1, "1", "0.25", "250m", "2Gi", "1e3"), values("", "much", "1 Gi", "1GiB", "1,5")))
	}
	return join(
		with("spec: {resources: {limits: {cpu: null, memory: null}, requests: {cpu: null, memory: null}}}", amounts),
		workloadSelectorRows("spec.env[1].valueFrom.configMapKeyRef"),
		workloadSelectorRows("spec.env[2].valueFrom.secretKeyRef"),
		[]fieldRow{
			row("spec.replicas", "minimum", values(0), values(-1)),
			row("spec.replicas", "maximum", values(1000), values(1001)),
			row("spec.state", "enum", values("Running", "Stopped"), values("", "running", "Paused")),
			row("spec.env", "maxItems", values(variables(256)), values(variables(257))),
			row("spec.env", "unique", values(list(variable("A", "1"), variable("B", "1"))), values(list(variable("A", "1"), variable("A", "2")))),
			row("spec.env[0].name", "pattern",
				values("PATH", "_x", "spring.profiles.active", "-D", "a1"), values("", "1A", "A B", "Ä", "A=B")),
			row("spec.env[0].name", "maxLength", text(64), text(65)),
			required("spec.env[0].name"),
			row("spec.env[0].value", "maxLength", text(2048), text(2049)),
			row("spec.command", "maxItems", values(texts(64)), values(texts(65))),
			row("spec.args", "maxItems", values(texts(64)), values(texts(65))),
			row("spec.mesher.port", "minimum", values(1), values(0)),
			row("spec.mesher.port", "maximum", values(65535), values(65536)),
			required("spec.mesher.port"),
			row("spec.timezone", "maxLength", text(64), text(65)),
			row("spec.jvmOptions", "maxLength", text(1024), text(1025)),
			row("spec.tomcat.serverXML", "minLength", values("<"), values("")),
			row("spec.tomcat.serverXML", "maxLength", text(65536), text(65537)),
			required("spec.tomcat.serverXML"),
		})
}

// workloadSelectorRows are the rules of the selector of a ConfigMap or Secret in the cluster that a component runs in.
func workloadSelectorRows(path string) []fieldRow {
	return []fieldRow{
		row(path+".name", "minLength", values("n"), values("")),
		row(path+".name", "maxLength", text(253), text(254)),
		required(path + ".name"),
		row(path+".key", "maxLength", text(253), text(254)),
	}
}

func componentVolumeRows() []fieldRow {
	rows := []fieldRow{
		row("spec.volumes", "maxItems", values(volumes(32)), values(volumes(33))),
		row("spec.volumes", "unique", values(list(volume("a"), volume("b"))), values(list(volume("a"), volume("a")))),
		row("spec.volumes[0].name", "pattern", values("a", "shop-data", "9"), values("", "Data", "a_b", "-a", "a-")),
		row("spec.volumes[0].name", "maxLength", text(63), text(64)),
		required("spec.volumes[0].name"),
		row("spec.volumes[0].hostPath.path", "minLength", values("/"), values("")),
		row("spec.volumes[0].hostPath.path", "maxLength", text(512), text(513)),
		required("spec.volumes[0].hostPath.path"),
		row("spec.volumes[1].emptyDir.medium", "enum", values("Memory"), values("", "memory", "Disk")),
		row("spec.volumes[4].persistentVolumeClaim.claimName", "minLength", values("c"), values("")),
		row("spec.volumes[4].persistentVolumeClaim.claimName", "maxLength", text(253), text(254)),
		required("spec.volumes[4].persistentVolumeClaim.claimName"),
		row("spec.volumes[0].mounts", "minItems", values(mounts(1)), values(list())),
		row("spec.volumes[0].mounts", "maxItems", values(mounts(16)), values(mounts(17))),
		required("spec.volumes[0].mounts"),
		row("spec.volumes[0].mounts[0].path", "minLength", values("/"), values("")),
		row("spec.volumes[0].mounts[0].path", "maxLength", text(512), text(513)),
		required("spec.volumes[0].mounts[0].path"),
		row("spec.volumes[0].mounts[0].subPath", "maxLength", text(512), text(513)),
	}
	for _, path := range []string{"spec.volumes[2].configMap", "spec.volumes[3].secret"} {
		rows = append(rows,
			row(path+".name", "minLength", values("n"), values("")),
			row(path+".name", "maxLength", text(253), text(254)),
			required(path+".name"),
			row(path+".defaultMode", "minimum", values(0), values(-1)),
			row(path+".defaultMode", "maximum", values(511), values(512)))
	}
	return rows
}

func componentHealthRows() []fieldRow {
	const (
		exec      = `{exec: {command: [a]}, httpGet: null, tcpSocket: null}`
		httpGet   = `{exec: null, httpGet: {path: /, port: 80, host: a, scheme: HTTP}, tcpSocket: null}`
		tcpSocket = `{exec: null, httpGet: null, tcpSocket: {port: 80}}`
	)
	var rows []fieldRow
	for _, name := range []string{"livenessProbe", "readinessProbe"} {
		path := "spec." + name
		patch := "spec: {" + name + ": %s}"
		rows = join(rows,
			with(fmt.Sprintf(patch, exec), execRows(path)),
			with(fmt.Sprintf(patch, httpGet), httpGetRows(path)),
			with(fmt.Sprintf(patch, tcpSocket), portRows(path+".tcpSocket.port")),
			[]fieldRow{
				row(path+".initialDelaySeconds", "minimum", values(0), values(-1)),
				row(path+".initialDelaySeconds", "maximum", values(86400), values(86401)),
				row(path+".timeoutSeconds", "minimum", values(1), values(0)),
				row(path+".timeoutSeconds", "maximum", values(86400), values(86401)),
			})
	}
	for _, name := range []string{"postStart", "preStop"} {
		path := "spec.lifecycle." + name
		patch := "spec: {lifecycle: {" + name + ": %s}}"
		rows = join(rows,
			with(fmt.Sprintf(patch, `{exec: {command: [a]}, httpGet: null}`), execRows(path)),
			with(fmt.Sprintf(patch, `{exec: null, httpGet: {path: /, port: 80, host: a, scheme: HTTP}}`), httpGetRows(path)))
	}
	return join(rows, portRows("spec.customMetrics.port"), []fieldRow{
		row("spec.customMetrics.path", "minLength", values("/"), values("")),
		row("spec.customMetrics.path", "maxLength", text(512), text(513)),
		required("spec.customMetrics.path"),
		row("spec.customMetrics.dimensions", "minLength", values("d"), values("")),
		row("spec.customMetrics.dimensions", "maxLength", text(512), text(513)),
		required("spec.customMetrics.dimensions"),
		row("spec.logs", "maxItems", values(logs(16)), values(logs(17))),
		row("spec.logs[0].path", "minLength", values("/"), values("")),
		row("spec.logs[0].path", "maxLength", text(512), text(513)),
		required("spec.logs[0].path"),
		row("spec.logs[0].hostPath", "minLength", values("/"), values("")),
		row("spec.logs[0].hostPath", "maxLength", text(512), text(513)),
		required("spec.logs[0].hostPath"),
		row("spec.logs[0].hostExtendPath", "enum",
			values("None", "PodUID", "PodName", "PodUID/ContainerName", "PodName/ContainerName"), values("", "none", "ContainerName")),
		row("spec.logs[0].rotate", "enum", values("Hourly", "Daily", "Weekly"), values("", "daily", "Monthly")),
	})
}

func execRows(path string) []fieldRow {
	return []fieldRow{
		row(path+".exec.command", "minItems", values(texts(1)), values(list())),
		row(path+".exec.command", "maxItems", values(texts(64)), values(texts(65))),
		required(path + ".exec.command"),
	}
}

func httpGetRows(path string) []fieldRow {
	return join(portRows(path+".httpGet.port"), []fieldRow{
		row(path+".httpGet.path", "maxLength", text(512), text(513)),
		row(path+".httpGet.host", "maxLength", text(253), text(254)),
		row(path+".httpGet.scheme", "enum", values("HTTP", "HTTPS"), values("", "http")),
	})
}

// portRows are the rules of a port that must be given.
func portRows(path string) []fieldRow {
	return []fieldRow{
		row(path, "minimum", values(1), values(0, -1)),
		row(path, "maximum", values(65535), values(65536)),
		required(path),
	}
}

func componentPlacementRows() []fieldRow {
	var rows []fieldRow
	for _, name := range []string{"affinity", "antiAffinity"} {
		path := "spec." + name
		rows = join(rows,
			with("spec: {"+name+": {rules: null, availabilityZones: [zone-1], nodes: [node-1], components: [{name: a, displayName: b}]}}", []fieldRow{
				row(path+".availabilityZones", "maxItems", values(texts(16)), values(texts(17))),
				row(path+".nodes", "maxItems", values(texts(64)), values(texts(65))),
				row(path+".components", "maxItems", values(neighbours(64)), values(neighbours(65))),
				row(path+".components[0].name", "maxLength", text(64), text(65)),
				row(path+".components[0].displayName", "maxLength", text(64), text(65)),
			}),
			with(byRule(name, `{condition: preferred, kind: pod, weight: 1, matchExpressions: [{key: a, operation: In, value: b}]}`),
				affinityRuleRows(path+".rules[0]")),
			with(byRule(name, `{condition: required, kind: pod, matchExpressions: [{key: a, operation: Exists}]}`), []fieldRow{
				row(path+".rules", "maxItems", values(affinityRules(16)), values(affinityRules(17))),
				row(path+".rules[0].condition", "enum", values("required"), values("Preferred")),
				row(path+".rules[0].matchExpressions[0].operation", "enum", values("Exists", "DoesNotExist"), values("exists")),
			}))
	}
	return join(rows,
		with(`spec: {runtimeStack: {deployMode: virtualmachine}, hosts: [host-1]}`, []fieldRow{
			row("spec.hosts", "maxItems", values(texts(64)), values(texts(65))),
			row("spec.hosts", "unique", values(list("a", "b")), values(list("a", "a"))),
			row("spec.hosts[0]", "minLength", values("h"), values("")),
			row("spec.hosts[0]", "maxLength", text(64), text(65)),
		}),
		[]fieldRow{
			row("spec.references", "maxItems", values(references(16)), values(references(17))),
			row("spec.references[0].type", "enum", values("cce"), values("", "CCE", "ecs")),
			row("spec.references[0].id", "minLength", values("i"), values("")),
			row("spec.references[0].id", "maxLength", text(64), text(65)),
			row("spec.references[0].namespace", "maxLength", text(63), text(64)),
			required("spec.references[0].type"),
			row("spec.references[1].engineRef.name", "minLength", values("e"), values("")),
			row("spec.references[1].engineRef.name", "maxLength", text(253), text(254)),
			required("spec.references[1].engineRef.name"),
			row("spec.externalAccesses", "maxItems", values(accesses(16)), values(accesses(17))),
			row("spec.externalAccesses[0].protocol", "enum", values("http", "https"), values("", "HTTP", "tcp")),
			required("spec.externalAccesses[0].protocol"),
			row("spec.externalAccesses[0].address", "maxLength", text(253), text(254)),
			row("spec.externalAccesses[0].port", "minimum", values(1), values(0)),
			row("spec.externalAccesses[0].port", "maximum", values(65535), values(65536)),
		},
		with(`spec: {references: [{type: vpc, id: a}]}`, []fieldRow{
			row("spec.references[0].type", "enum", values("vpc", "eip", "elb", "as", "cse", "dcs", "rds"), values("VPC")),
		}))
}

// byRule patches an affinity to have this one rule.
func byRule(name, rule string) string {
	return fmt.Sprintf("spec: {%s: {availabilityZones: null, nodes: null, components: null, rules: [%s]}}", name, rule)
}

func affinityRuleRows(path string) []fieldRow {
	return []fieldRow{
		row(path+".condition", "enum", values("preferred"), values("", "Required")),
		required(path + ".condition"),
		row(path+".kind", "enum", values("node", "pod"), values("", "Pod")),
		required(path + ".kind"),
		row(path+".weight", "minimum", values(1), values(0)),
		row(path+".weight", "maximum", values(100), values(101)),
		row(path+".matchExpressions", "minItems", values(expressions(1)), values(list())),
		row(path+".matchExpressions", "maxItems", values(expressions(16)), values(expressions(17))),
		required(path + ".matchExpressions"),
		row(path+".matchExpressions[0].key", "minLength", values("k"), values("")),
		row(path+".matchExpressions[0].key", "maxLength", text(128), text(129)),
		required(path + ".matchExpressions[0].key"),
		row(path+".matchExpressions[0].value", "maxLength", text(255), text(256)),
		row(path+".matchExpressions[0].operation", "enum", values("In", "NotIn"), values("", "Gt")),
		required(path + ".matchExpressions[0].operation"),
	}
}

func componentReleaseRows() []fieldRow {
	const gray = "spec.deployStrategy.grayRelease"
	return join(
		with(`spec: {deployStrategy: {type: RollingRelease, grayRelease: null, rollingRelease: {batches: 1}}}`, []fieldRow{
			row("spec.deployStrategy.rollingRelease.batches", "minimum", values(1), values(0)),
			row("spec.deployStrategy.rollingRelease.batches", "maximum", values(100), values(101)),
			required("spec.deployStrategy.rollingRelease.batches"),
			row("spec.deployStrategy.type", "enum", values("RollingRelease"), values("", "Recreate")),
		}),
		with(`spec: {deployStrategy: {type: OneBatchRelease, grayRelease: null}}`, []fieldRow{
			row("spec.deployStrategy.type", "enum", values("OneBatchRelease"), values("rollingRelease")),
		}),
		with(`spec: {deployStrategy: {grayRelease: {trafficType: null, rules: null, ruleMatchMode: null}}}`, []fieldRow{
			row(gray+".trafficType", "enum", values("Weight"), values("", "weight")),
		}),
		[]fieldRow{
			row("spec.deployStrategy.type", "enum", values("GrayRelease"), values("grayRelease")),
			required("spec.deployStrategy.type"),
			row(gray+".firstBatchWeight", "minimum", values(0), values(-1)),
			row(gray+".firstBatchWeight", "maximum", values(100), values(101)),
			required(gray + ".firstBatchWeight"),
			row(gray+".firstBatchReplicas", "minimum", values(1), values(0)),
			row(gray+".firstBatchReplicas", "maximum", values(1000), values(1001)),
			required(gray + ".firstBatchReplicas"),
			row(gray+".remainingBatches", "minimum", values(1), values(0)),
			row(gray+".remainingBatches", "maximum", values(100), values(101)),
			required(gray + ".remainingBatches"),
			row(gray+".trafficType", "enum", values("Content"), values("CONTENT")),
			row(gray+".replicaSurgeMode", "enum", values("MIRROR", "EXTRA", "NOSURGE"), values("", "extra")),
			row(gray+".deploymentMode", "enum", values(1, 3, 4, 6), values(0, 2, 5, 7)),
			row(gray+".ruleMatchMode", "enum", values("all", "any"), values("", "All")),
			row(gray+".rules", "maxItems", values(grayRules(16)), values(grayRules(17))),
			row(gray+".rules[0].type", "minLength", values("h"), values("")),
			row(gray+".rules[0].type", "maxLength", text(32), text(33)),
			required(gray + ".rules[0].type"),
			row(gray+".rules[0].key", "minLength", values("k"), values("")),
			row(gray+".rules[0].key", "maxLength", text(128), text(129)),
			required(gray + ".rules[0].key"),
			row(gray+".rules[0].condition", "enum", values("equal", "match", "in"), values("", "Equal")),
			required(gray + ".rules[0].condition"),
			row(gray+".rules[0].value", "maxLength", text(1024), text(1025)),
			row("spec.updateStrategy.type", "enum", values("RollingUpdate", "Recreate"), values("", "OnDelete")),
			row("spec.updateStrategy.minReadySeconds", "minimum", values(0), values(-1)),
			row("spec.updateStrategy.revisionHistoryLimit", "minimum", values(0), values(-1)),
			row("spec.updateStrategy.progressDeadlineSeconds", "minimum", values(1), values(0)),
			row("spec.updateStrategy.terminationGracePeriodSeconds", "minimum", values(0), values(-1)),
		})
}

func componentStatusRows() []fieldRow {
	return []fieldRow{
		row("status.externalAddresses", "maxItems", values(texts(16)), values(texts(17))),
		row("status.records", "maxItems", values(records(10)), values(records(11))),
		required("status.records[0].version"),
		row("status.records[0].startTime", "date-time", values("2026-01-02T03:04:05Z"), values("", "yesterday")),
		row("status.records[0].endTime", "date-time", values("2026-01-02T03:04:05Z"), values("", "yesterday")),
	}
}

// referenceRows are the rules of a reference to an object or an id; byID replaces the name by an id.
func referenceRows(path, byID string) []fieldRow {
	return join(
		[]fieldRow{
			row(path+".name", "minLength", values("n"), values("")),
			row(path+".name", "maxLength", text(253), text(254)),
		},
		with(byID, []fieldRow{
			row(path+".id", "minLength", values("i"), values("")),
			row(path+".id", "maxLength", text(64), text(65)),
		}))
}

// longVersion is a version of n characters.
func longVersion(n int) string { return strings.Repeat("1", n-4) + ".0.0" }

func volume(name string) any {
	return map[string]any{"name": name, "emptyDir": map[string]any{}, "mounts": mounts(1)}
}

func volumes(n int) []any {
	return many(n, func(i int) any { return volume(fmt.Sprintf("volume-%d", i)) })
}

func mounts(n int) []any {
	return many(n, func(i int) any { return map[string]any{"path": fmt.Sprintf("/data/%d", i)} })
}

func logs(n int) []any {
	return many(n, func(i int) any { return map[string]any{"path": fmt.Sprintf("/log/%d", i), "hostPath": "/var/log"} })
}

func neighbours(n int) []any {
	return many(n, func(i int) any { return map[string]any{"name": fmt.Sprintf("component-%d", i)} })
}

func affinityRules(n int) []any {
	return many(n, func(int) any {
		return map[string]any{"condition": "required", "kind": "node", "matchExpressions": expressions(1)}
	})
}

func expressions(n int) []any {
	return many(n, func(i int) any { return map[string]any{"key": fmt.Sprintf("label-%d", i), "operation": "Exists"} })
}

func references(n int) []any {
	return many(n, func(i int) any { return map[string]any{"type": "rds", "id": fmt.Sprintf("database-%d", i)} })
}

func accesses(n int) []any {
	return many(n, func(i int) any { return map[string]any{"protocol": "http", "port": int64(8000 + i)} })
}

func grayRules(n int) []any {
	return many(n, func(i int) any {
		return map[string]any{"type": "header", "key": fmt.Sprintf("header-%d", i), "condition": "equal", "value": "x"}
	})
}

func records(n int) []any {
	return many(n, func(i int) any { return map[string]any{"version": fmt.Sprintf("1.0.%d", i)} })
}
