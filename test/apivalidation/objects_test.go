// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apivalidation

import (
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

const (
	cloudAccount        = "CloudAccount"
	clusterCloudAccount = "ClusterCloudAccount"
	environment         = "Environment"
	application         = "Application"
	component           = "Component"
	engine              = "MicroserviceEngine"
	kieConfig           = "KieConfig"
)

var (
	cloudResources = []string{environment, application, component, engine, kieConfig}
	everyKind      = []string{cloudAccount, clusterCloudAccount, environment, application, component, engine, kieConfig}
)

// minimal holds the least that each kind accepts.
var minimal = map[string]string{
	cloudAccount:        `spec: {region: ap-southeast-3, credentials: {secretRef: {name: cloud}}}`,
	clusterCloudAccount: `spec: {region: ap-southeast-3, credentials: {secretRef: {namespace: operators, name: cloud}}}`,
	environment:         `spec: {vpcID: vpc-1}`,
	application:         `{}`,
	component:           minimalComponent,
	engine:              minimalEngine,
	kieConfig:           minimalKieConfig,
}

const completeAccountSpec = `
  region: ap-southeast-3
  projectID: 0a1b2c3d
  enterpriseProjectID: "0"
  endpoints:
    iam: https://iam.example.com
    servicestage: https://servicestage.example.com
    cse: https://cse.example.com
    vpc: https://vpc.example.com
  rateLimit: {requestsPerSecond: 20, burst: 40}
`

const completeAccountStatus = `
  observedGeneration: 1
  projectID: 0a1b2c3d
  credentialsVersion: v1
  lastHandledReconcileAt: now
  conditions:
  - {type: Ready, status: "True", reason: Available, message: "", lastTransitionTime: "2026-01-02T03:04:05Z", observedGeneration: 1}
`

const completeResourceSpec = `
  accountRef: {kind: CloudAccount, name: default}
  managementPolicy: Manage
  deletionPolicy: Delete
  import: {id: id-1}
  resyncInterval: 10m
  name: shop
  description: The shop
  labels: {team: blue}
`

const inEnterpriseProject = `
  enterpriseProjectID: "0"
`

const completeResourceStatus = `
  observedGeneration: 1
  id: id-1
  conditions:
  - {type: Ready, status: "True", reason: Available, message: "", lastTransitionTime: "2026-01-02T03:04:05Z", observedGeneration: 1}
  operation: {id: job-1, verb: Create, startedAt: "2026-01-02T03:04:05Z", tasksDone: 1, tasksTotal: 2, currentTask: Deploy}
  lastFailure: Building failed
  lastSyncTime: "2026-01-02T03:04:05Z"
  drift: [spec.labels]
  lastHandledReconcileAt: now
  observedInputs: v1
  observedFingerprint: 0a1b
`

// complete holds, for each kind, a valid object in which every field is set that can be set beside the others, so that a
// row changes one field and nothing else.
var complete = map[string]string{
	cloudAccount: `
spec:` + completeAccountSpec + `
  credentials: {secretRef: {name: cloud}}
  tls: {caBundleRef: {configMapKeyRef: {name: ca, key: ca.crt}}}
status:` + completeAccountStatus,
	clusterCloudAccount: `
spec:` + completeAccountSpec + `
  credentials: {secretRef: {namespace: operators, name: cloud}}
  tls: {caBundle: PEM}
  allowedNamespaces:
    names: [team-a]
    selector: {matchExpressions: [{key: team, operator: In, values: [a]}]}
status:` + completeAccountStatus,
	environment: `
spec:` + completeResourceSpec + inEnterpriseProject + `
  vpcID: vpc-1
  deployMode: container
  resources: [{type: cce, id: cluster-1, name: cluster}, {type: cse, engineRef: {name: engine}}]
status:` + completeResourceStatus + inEnterpriseProject + `  name: shop
  deployMode: container
  vpcID: vpc-1
  resources: [{type: cce, id: cluster-1, name: cluster}]
`,
	application: `
spec:` + completeResourceSpec + inEnterpriseProject + `
  configurations:
  - environmentRef: {name: dev}
    env:
    - {name: A, value: a}
    - {name: B, valueFrom: {configMapKeyRef: {name: settings, key: b}}}
    - {name: C, valueFrom: {secretKeyRef: {name: secrets, key: c}}}
  - {environmentRef: {id: env-1}, env: []}
status:` + completeResourceStatus + inEnterpriseProject + `  name: shop
  componentCount: 1
  configurations: [{environmentID: env-1, variables: 1}]
`,
	component: completeComponent,
	engine:    completeEngine,
	kieConfig: completeKieConfig,
}

// newObject makes an object of the kind from YAML, patched as a JSON merge patch does it: null removes.
func newObject(kind, base string, patches ...string) *unstructured.Unstructured {
	content := parse(base)
	for _, patch := range patches {
		content = merge(content, parse(patch))
	}
	obj := &unstructured.Unstructured{Object: content}
	obj.SetAPIVersion("servicestage.dev/v1alpha1")
	obj.SetKind(kind)
	if obj.GetName() == "" {
		obj.SetName("subject")
	}
	if kind != clusterCloudAccount {
		obj.SetNamespace(namespace)
	}
	return obj
}

func parse(text string) map[string]any {
	content := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &content); err != nil {
		panic(fmt.Sprintf("%v in:\n%s", err, text))
	}
	return content
}

func merge(base, patch map[string]any) map[string]any {
	out := maps.Clone(base)
	for key, value := range patch {
		into, isObject := value.(map[string]any)
		old, wasObject := out[key].(map[string]any)
		switch {
		case value == nil:
			delete(out, key)
		case isObject && wasObject:
			out[key] = merge(old, into)
		default:
			out[key] = value
		}
	}
	return out
}

// absent is the value of a field that is left out.
type absent struct{}

var index = regexp.MustCompile(`\[\d*\]`)

// steps splits a path such as spec.resources[1].id into map keys and list indexes.
func steps(path string) []any {
	var out []any
	for part := range strings.SplitSeq(path, ".") {
		key, rest, _ := strings.Cut(part, "[")
		out = append(out, key)
		for rest != "" {
			var number string
			number, rest, _ = strings.Cut(rest, "]")
			n, err := strconv.Atoi(number)
			if err != nil {
				panic(fmt.Sprintf("%s: a row's path needs an index in every bracket", path))
			}
			out = append(out, n)
			rest = strings.TrimPrefix(rest, "[")
		}
	}
	return out
}

// set changes the value at the path. Everything above it must be there.
func set(obj *unstructured.Unstructured, path string, value any) {
	var at any = obj.Object
	way := steps(path)
	for i, step := range way {
		last := i == len(way)-1
		switch step := step.(type) {
		case string:
			holder, ok := at.(map[string]any)
			if !ok {
				panic(fmt.Sprintf("%s: nothing holds %s in the complete %s", path, step, obj.GetKind()))
			}
			if last {
				if _, remove := value.(absent); remove {
					delete(holder, step)
				} else {
					holder[step] = runtime.DeepCopyJSONValue(value)
				}
				return
			}
			at = holder[step]
		case int:
			holder, ok := at.([]any)
			if !ok || step >= len(holder) {
				panic(fmt.Sprintf("%s: no element %d in the complete %s", path, step, obj.GetKind()))
			}
			if last {
				holder[step] = runtime.DeepCopyJSONValue(value)
				return
			}
			at = holder[step]
		}
	}
}

// schemaPath is the path with its list indexes left out, as the schema walk writes it.
func schemaPath(path string) string { return index.ReplaceAllString(path, "[]") }
