// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apivalidation

import "fmt"

// componentRules are the rules of a Component alone.
func componentRules() []ruleRow {
	rules := append(componentSpecRules(), componentPartRules()...)
	for _, field := range []string{"applicationRef", "environmentRef"} {
		patch := "spec: {" + field + ": %s}"
		path := "spec." + field
		rules = append(rules, referenceRules(path, patch)...)
		rules = append(rules,
			ruleRow{path, "is immutable", fmt.Sprintf(patch, `{name: a}`), `spec: {replicas: 2}`, accepted},
			ruleRow{path, "is immutable", fmt.Sprintf(patch, `{name: a}`), fmt.Sprintf(patch, `{name: b}`), refused},
			ruleRow{path, "is immutable", fmt.Sprintf(patch, `{name: a}`), fmt.Sprintf(patch, `{name: null, id: id-1}`), refused},
		)
	}
	rules = append(rules, referenceRules("spec.build.environmentRef", "spec: {build: {clusterID: c, environmentRef: %s}}")...)
	for _, probe := range []string{"livenessProbe", "readinessProbe"} {
		rules = append(rules, oneOfRules("spec."+probe, "spec: {"+probe+": {%s}}", "[exec httpGet tcpSocket]",
			`exec: {command: [a]}`, `httpGet: {port: 80}`, `tcpSocket: {port: 80}`)...)
	}
	for _, point := range []string{"postStart", "preStop"} {
		rules = append(rules, oneOfRules("spec.lifecycle."+point, "spec: {lifecycle: {"+point+": {%s}}}", "[exec httpGet]",
			`exec: {command: [a]}`, `httpGet: {port: 80}`)...)
	}
	for _, affinity := range []string{"affinity", "antiAffinity"} {
		rules = append(rules, affinityCELRules(affinity)...)
	}
	for _, field := range []string{"maxSurge", "maxUnavailable"} {
		for value, verdict := range map[string]verdict{
			"0": accepted, "3": accepted, `"3"`: accepted, "30%": accepted, "100%": accepted,
			"-1": refused, "half": refused, "30 %": refused, `""`: refused, "10000%": refused, "12345": refused,
		} {
			rules = append(rules, ruleRow{"spec.updateStrategy." + field, "is a number or a percentage", "",
				fmt.Sprintf("spec: {updateStrategy: {%s: %s}}", field, value), verdict})
		}
	}
	return rules
}

func componentSpecRules() []ruleRow {
	const (
		onHosts  = `runtimeStack: {name: OpenJDK8, type: Java, deployMode: virtualmachine}, references: null`
		packaged = `source: {image: null, package: {url: "obs://b/a.jar", storage: obs}}`
		content  = `workloadContent is immutable`
	)
	spec := func(format string, args ...any) string { return "spec: {" + fmt.Sprintf(format, args...) + "}" }
	rules := []ruleRow{
		{"spec.hosts", "needs hosts", "", spec(onHosts + `, hosts: [h]`), accepted},
		{"spec.hosts", "needs hosts", "", spec(onHosts), refused},
		{"spec.hosts", "needs hosts", "", spec(onHosts + `, hosts: []`), refused},
		{"spec.hosts", "needs hosts", "", spec(onHosts + `, import: {byName: true}`), accepted},
		{"spec.hosts", "needs hosts", "", spec(onHosts + `, managementPolicy: Observe`), accepted},
		{"spec.hosts", "needs hosts", spec(onHosts + `, hosts: [h]`), spec(`hosts: null`), refused},

		{"spec.hosts", "hosts goes with", "", spec(onHosts + `, hosts: [h]`), accepted},
		{"spec.hosts", "hosts goes with", "", spec(`hosts: [h]`), refused},
		{"spec.hosts", "hosts goes with", "", spec(`hosts: []`), refused},

		{"spec.references", "needs a reference of type cce", "", spec(`references: [{type: rds, id: a}, {type: cce, id: a}]`), accepted},
		{"spec.references", "needs a reference of type cce", "", spec(`references: null`), refused},
		{"spec.references", "needs a reference of type cce", "", spec(`references: [{type: rds, id: a}]`), refused},
		{"spec.references", "needs a reference of type cce", "", spec(`references: null, import: {id: a}`), accepted},
		{"spec.references", "needs a reference of type cce", "", spec(`references: null, managementPolicy: Observe`), accepted},
		{"spec.references", "needs a reference of type cce", "", spec(onHosts + `, hosts: [h]`), accepted},

		{"spec.references", "each resource may be listed once", "", spec(`references: [{type: cce, id: a}, {type: cse, id: a}, {type: rds, id: b}]`), accepted},
		{"spec.references", "each resource may be listed once", "", spec(`references: [{type: cce, id: a}, {type: cse, id: e}, {type: cse, engineRef: {name: e}}]`), accepted},
		{"spec.references", "each resource may be listed once", "", spec(`references: [{type: cce, id: a}, {type: cce, id: a, namespace: b}]`), refused},
		{"spec.references", "each resource may be listed once", "", spec(`references: [{type: cce, id: a}, {type: cse, engineRef: {name: e}}, {type: cse, engineRef: {name: e}}]`), refused},

		{"spec.build", "needs build", "", spec(packaged + `, build: {clusterID: c}`), accepted},
		{"spec.build", "needs build", "", spec(packaged), refused},
		{"spec.build", "needs build", "", spec(`source: {image: null, code: {repoType: GitHub, repoURL: u}}`), refused},
		{"spec.build", "needs build", "", spec(packaged + `, import: {id: a}`), accepted},
		{"spec.build", "needs build", "", spec(packaged + `, managementPolicy: Observe`), accepted},
		{"spec.build", "needs build", "", spec(packaged + `, hosts: [h], ` + onHosts), accepted},

		{"spec.tomcat", "tomcat goes with", "", spec(`runtimeStack: {type: Tomcat}, tomcat: {serverXML: x}`), accepted},
		{"spec.tomcat", "tomcat goes with", "", spec(`runtimeStack: {type: Java}, tomcat: {serverXML: x}`), refused},

		{"spec.mesher", "needs mesher", "", spec(`runtimeStack: {type: Nodejs}`), accepted},
		{"spec.mesher", "needs mesher", "", spec(`references: [{type: cce, id: a}, {type: cse, id: b}]`), accepted},
		{"spec.mesher", "needs mesher", "", spec(`runtimeStack: {type: Nodejs}, mesher: {port: 80}, references: [{type: cce, id: a}, {type: cse, id: b}]`), accepted},
		{"spec.mesher", "needs mesher", "", spec(`runtimeStack: {type: Nodejs}, references: [{type: cce, id: a}, {type: cse, id: b}]`), refused},

		{"spec.name", "name is immutable", spec(`name: web`), spec(`replicas: 2`), accepted},
		{"spec.name", "name is immutable", spec(`replicas: 1`), spec(`name: web`), accepted},
		{"spec.name", "name is immutable", spec(`name: web`), spec(`name: web-2`), refused},
		{"spec.name", "name is immutable", spec(`name: web`), spec(`name: null`), refused},

		{"spec.workloadContent", content, spec(`workloadContent: "{}"`), spec(`replicas: 2`), accepted},
		{"spec.workloadContent", content, spec(`workloadContent: "{}"`), spec(`workloadContent: "[]"`), refused},
		{"spec.workloadContent", content, spec(`workloadContent: "{}"`), spec(`workloadContent: null`), refused},
		{"spec.workloadContent", content, spec(`replicas: 1`), spec(`workloadContent: "{}"`), refused},

		{"spec.runtimeStack", "runtimeStack is immutable", spec(`runtimeStack: {version: "1"}`), spec(`replicas: 2`), accepted},
		{"spec.runtimeStack", "runtimeStack is immutable", spec(`runtimeStack: {version: "1"}`), spec(`runtimeStack: {version: "2"}`), refused},
		{"spec.runtimeStack", "runtimeStack is immutable", spec(`runtimeStack: {type: Php}`), spec(`runtimeStack: {type: Java}`), refused},
	}
	for stack, onMachines := range map[string]verdict{
		"Java": accepted, "Tomcat": accepted, "Nodejs": accepted, "Php": refused, "Docker": refused, "Python": refused,
	} {
		const says = "on virtual machines only"
		rules = append(rules,
			ruleRow{"spec.runtimeStack.type", says, "", spec(`runtimeStack: {type: %s}`, stack), accepted},
			ruleRow{"spec.runtimeStack.type", says, "", spec(`runtimeStack: {type: %s, deployMode: virtualmachine}, references: null, hosts: [h]`, stack), onMachines})
	}
	return rules
}

func componentPartRules() []ruleRow {
	const source = `spec: {source: {%s}, build: {clusterID: c}}`
	rules := []ruleRow{
		{"spec.source", "[package image code]", "", fmt.Sprintf(source, `image: {url: u}`), accepted},
		{"spec.source", "[package image code]", "", fmt.Sprintf(source, `image: null, package: {url: u, storage: obs}`), accepted},
		{"spec.source", "[package image code]", "", fmt.Sprintf(source, `image: null, code: {repoType: GitHub, repoURL: u}`), accepted},
		{"spec.source", "[package image code]", "", fmt.Sprintf(source, `image: null`), refused},
		{"spec.source", "[package image code]", "", fmt.Sprintf(source, `package: {url: u, storage: obs}`), refused},
		{"spec.source", "[package image code]", "", fmt.Sprintf(source, `code: {repoType: GitHub, repoURL: u}`), refused},
		{"spec.source", "[package image code]", "", fmt.Sprintf(source, `image: null, package: {url: u, storage: obs}, code: {repoType: GitHub, repoURL: u}`), refused},
	}
	rules = append(rules, oneOfRules("spec.volumes[]", "spec: {volumes: [{name: a, mounts: [{path: /a}], %s}]}",
		"[hostPath emptyDir configMap secret persistentVolumeClaim]",
		`hostPath: {path: /a}`, `emptyDir: {}`, `configMap: {name: a}`, `secret: {name: a}`, `persistentVolumeClaim: {claimName: a}`)...)
	rules = append(rules, oneOfRules("spec.references[]", "spec: {references: [{type: cce, id: c}, {type: cse, %s}]}", "[id engineRef]",
		`id: a`, `engineRef: {name: e}`)...)
	rules = append(rules, oneOfRules("spec.env[].valueFrom", "spec: {env: [{name: A, valueFrom: {%s}}]}", "[configMapKeyRef secretKeyRef]",
		`configMapKeyRef: {name: a}`, `secretKeyRef: {name: a, key: k}`)...)
	return append(rules, append(releaseRules(), []ruleRow{
		{"spec.references[].engineRef", "engineRef needs type: cse", "", `spec: {references: [{type: cce, id: c}, {type: cse, engineRef: {name: e}}]}`, accepted},
		{"spec.references[].engineRef", "engineRef needs type: cse", "", `spec: {references: [{type: cce, engineRef: {name: e}}]}`, refused},

		{"spec.references[].namespace", "namespace goes with", "", `spec: {references: [{type: cce, id: c, namespace: shop}]}`, accepted},
		{"spec.references[].namespace", "namespace goes with", "", `spec: {references: [{type: cce, id: c}, {type: rds, id: d, namespace: shop}]}`, refused},

		{"spec.env[]", "at most one of value and valueFrom", "", `spec: {env: [{name: A}, {name: B, value: ""}, {name: C, valueFrom: {secretKeyRef: {name: s}}}]}`, accepted},
		{"spec.env[]", "at most one of value and valueFrom", "", `spec: {env: [{name: A, value: x, valueFrom: {secretKeyRef: {name: s}}}]}`, refused},

		{"spec.resources.requests", "requests.cpu must not be above", "", `spec: {resources: {requests: {cpu: 1}, limits: {cpu: 1000m}}}`, accepted},
		{"spec.resources.requests", "requests.cpu must not be above", "", `spec: {resources: {requests: {cpu: 2}, limits: {memory: 1Gi}}}`, accepted},
		{"spec.resources.requests", "requests.cpu must not be above", "", `spec: {resources: {requests: {cpu: 2}}}`, accepted},
		{"spec.resources.requests", "requests.cpu must not be above", "", `spec: {resources: {limits: {cpu: 2}}}`, accepted},
		{"spec.resources.requests", "requests.cpu must not be above", "", `spec: {resources: {requests: {cpu: 1100m}, limits: {cpu: 1}}}`, refused},
		{"spec.resources.requests", "requests.memory must not be above", "", `spec: {resources: {requests: {memory: 1Gi}, limits: {memory: 1024Mi}}}`, accepted},
		{"spec.resources.requests", "requests.memory must not be above", "", `spec: {resources: {requests: {memory: 2Gi}, limits: {cpu: 1}}}`, accepted},
		{"spec.resources.requests", "requests.memory must not be above", "", `spec: {resources: {requests: {memory: 1Gi}, limits: {memory: 1G}}}`, refused},

		{"spec.resources.requests.cpu", "cpu must not be negative", "", `spec: {resources: {requests: {cpu: 0}}}`, accepted},
		{"spec.resources.requests.cpu", "cpu must not be negative", "", `spec: {resources: {requests: {cpu: -1m}}}`, refused},
		{"spec.resources.requests.memory", "memory must not be negative", "", `spec: {resources: {requests: {memory: 0}}}`, accepted},
		{"spec.resources.requests.memory", "memory must not be negative", "", `spec: {resources: {requests: {memory: -1}}}`, refused},
		{"spec.resources.limits.cpu", "cpu must not be negative", "", `spec: {resources: {limits: {cpu: 0}}}`, accepted},
		{"spec.resources.limits.cpu", "cpu must not be negative", "", `spec: {resources: {limits: {cpu: "-0.5"}}}`, refused},
		{"spec.resources.limits.memory", "memory must not be negative", "", `spec: {resources: {limits: {memory: 1}}}`, accepted},
		{"spec.resources.limits.memory", "memory must not be negative", "", `spec: {resources: {limits: {memory: -1Gi}}}`, refused},
	}...)...)
}

func releaseRules() []ruleRow {
	const (
		gray     = "spec.deployStrategy.grayRelease"
		strategy = `spec: {deployStrategy: {%s}}`
		release  = `spec: {deployStrategy: {type: GrayRelease, grayRelease: {firstBatchWeight: 0, firstBatchReplicas: 1, remainingBatches: 1%s}}}`
		content  = `, trafficType: Content, replicaSurgeMode: EXTRA, deploymentMode: 1`
		rules    = `, rules: [{type: header, key: a, condition: equal, value: b}]`
	)
	return []ruleRow{
		{"spec.deployStrategy.rollingRelease", "rollingRelease goes with", "", fmt.Sprintf(strategy, `type: RollingRelease, rollingRelease: {batches: 3}`), accepted},
		{"spec.deployStrategy.rollingRelease", "rollingRelease goes with", "", fmt.Sprintf(strategy, `type: OneBatchRelease`), accepted},
		{"spec.deployStrategy.rollingRelease", "rollingRelease goes with", "", fmt.Sprintf(strategy, `type: RollingRelease`), refused},
		{"spec.deployStrategy.rollingRelease", "rollingRelease goes with", "", fmt.Sprintf(strategy, `type: OneBatchRelease, rollingRelease: {batches: 3}`), refused},
		{"spec.deployStrategy.grayRelease", "grayRelease goes with", "", fmt.Sprintf(release, ``), accepted},
		{"spec.deployStrategy.grayRelease", "grayRelease goes with", "", fmt.Sprintf(strategy, `type: GrayRelease`), refused},
		{"spec.deployStrategy.grayRelease", "grayRelease goes with", "", fmt.Sprintf(strategy, `type: OneBatchRelease, grayRelease: {firstBatchWeight: 0, firstBatchReplicas: 1, remainingBatches: 1}`), refused},

		{gray + ".rules", "needs rules", "", fmt.Sprintf(release, content+rules), accepted},
		{gray + ".rules", "needs rules", "", fmt.Sprintf(release, `, trafficType: Weight`), accepted},
		{gray + ".rules", "needs rules", "", fmt.Sprintf(release, content), refused},
		{gray + ".rules", "needs rules", "", fmt.Sprintf(release, content+`, rules: []`), refused},
		{gray + ".trafficType", "rules and ruleMatchMode go with", "", fmt.Sprintf(release, content+rules+`, ruleMatchMode: any`), accepted},
		{gray + ".trafficType", "rules and ruleMatchMode go with", "", fmt.Sprintf(release, rules), refused},
		{gray + ".trafficType", "rules and ruleMatchMode go with", "", fmt.Sprintf(release, `, trafficType: Weight, ruleMatchMode: any`), refused},
		{gray + ".deploymentMode", "set both of", "", fmt.Sprintf(release, `, replicaSurgeMode: MIRROR, deploymentMode: 3`), accepted},
		{gray + ".deploymentMode", "set both of", "", fmt.Sprintf(release, `, replicaSurgeMode: MIRROR`), refused},
		{gray + ".deploymentMode", "set both of", "", fmt.Sprintf(release, `, deploymentMode: 3`), refused},
		{gray + ".deploymentMode", "trafficType Content needs", "", fmt.Sprintf(release, content+rules), accepted},
		{gray + ".deploymentMode", "trafficType Content needs", "", fmt.Sprintf(release, `, trafficType: Content`+rules), refused},
	}
}

func affinityCELRules(name string) []ruleRow {
	const matching = `{condition: required, kind: pod, matchExpressions: [%s]}`
	path := "spec." + name
	patch := func(content string) string { return fmt.Sprintf("spec: {%s: {%s}}", name, content) }
	rule := func(content string) string { return patch("rules: [" + content + "]") }
	return []ruleRow{
		{path, "set either rules", "", patch(`availabilityZones: [a], nodes: [b], components: [{name: c}]`), accepted},
		{path, "set either rules", "", rule(fmt.Sprintf(matching, `{key: a, operation: Exists}`)), accepted},
		{path, "set either rules", "", patch(`rules: [], availabilityZones: [a]`), refused},
		{path, "set either rules", "", patch(`rules: [], nodes: [a]`), refused},
		{path, "set either rules", "", patch(`rules: [], components: [{name: c}]`), refused},

		{path + ".rules[].weight", "weight goes with", "", rule(fmt.Sprintf(matching, `{key: a, operation: Exists}`)), accepted},
		{path + ".rules[].weight", "weight goes with", "", rule(`{condition: preferred, weight: 1, kind: pod, matchExpressions: [{key: a, operation: Exists}]}`), accepted},
		{path + ".rules[].weight", "weight goes with", "", rule(`{condition: preferred, kind: pod, matchExpressions: [{key: a, operation: Exists}]}`), refused},
		{path + ".rules[].weight", "weight goes with", "", rule(`{condition: required, weight: 1, kind: pod, matchExpressions: [{key: a, operation: Exists}]}`), refused},

		{path + ".rules[].matchExpressions[].value", "value goes with", "", rule(fmt.Sprintf(matching, `{key: a, operation: In, value: b}`)), accepted},
		{path + ".rules[].matchExpressions[].value", "value goes with", "", rule(fmt.Sprintf(matching, `{key: a, operation: NotIn}`)), refused},
		{path + ".rules[].matchExpressions[].value", "value goes with", "", rule(fmt.Sprintf(matching, `{key: a, operation: DoesNotExist, value: b}`)), refused},
	}
}

// referenceRules are the rules of a reference to an object or an id; patch puts one in place.
func referenceRules(path, patch string) []ruleRow {
	const says = "exactly one of name"
	return []ruleRow{
		{path, says, "", fmt.Sprintf(patch, `{name: a}`), accepted},
		{path, says, "", fmt.Sprintf(patch, `{name: null, id: a}`), accepted},
		{path, says, "", fmt.Sprintf(patch, `{name: null}`), refused},
		{path, says, "", fmt.Sprintf(patch, `{name: a, id: a}`), refused},
	}
}

// oneOfRules are the rules of a choice: none, each member alone, and each with the one before it.
func oneOfRules(path, patch, says string, members ...string) []ruleRow {
	rules := []ruleRow{{path, says, "", fmt.Sprintf(patch, ""), refused}}
	for i, member := range members {
		rules = append(rules, ruleRow{path, says, "", fmt.Sprintf(patch, member), accepted})
		if i > 0 {
			rules = append(rules, ruleRow{path, says, "", fmt.Sprintf(patch, members[i-1]+", "+member), refused})
		}
	}
	return rules
}
