// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sweep

// mode says why a field does not show in the cloud as others do.
type mode string

const (
	// operator fields say what the operator does, and are no state of the cloud: whatever they say, nothing is written.
	operator mode = "the operator's"
	// creation fields are taken when the resource is made, and the cloud neither shows nor changes them.
	creation mode = "at creation only"
	// immutable fields cannot be changed: the API server refuses, and a cloud that differs is reported.
	immutable mode = "immutable"
	// defaulted texts are filled in by the cloud: left out or empty, they stay as the cloud has them.
	defaulted mode = "the cloud's default"
	// shared lists hold what others add as well: that is theirs, and neither seen nor removed.
	shared mode = "shared"
	// forgotten fields are those of which the cloud may show nothing although it was told: only another value is seen.
	forgotten mode = "forgotten"
	// trust fields say whom to trust: without them the engine cannot be reached, and the object says so.
	trust mode = "whom to trust"
	// never fields are there and refused.
	never mode = "refused"
	// strategy fields are sent along with the next upgrade.
	strategy mode = "with the next upgrade"
)

// exception is a field that is not written, cleared and repaired like the others, and why.
type exception struct {
	mode mode
	// record is where the cloud holds an immutable field; "" where it does not, or the operator cannot tell it from what the
	// cloud changes itself: a drift is not seen then.
	record string
	why    string
}

// kindTable is all that the sweep must be told of a kind.
type kindTable struct {
	// specs that together hold every field. The first that holds a field is the one that it is changed in.
	specs []string
	// others are the values that fields change to, where they cannot be made up: a value, or alongside.
	others map[string]any
	// exceptions by the path of the field.
	exceptions map[string]exception
	// seenAs is how a drift is called where that is not by the field.
	seenAs map[string]string
}

// alongside is a change that takes more than one field: values by path, nil removes.
type alongside map[string]any

// common are the exceptions of every kind.
var common = map[string]exception{
	"spec.accountRef":       {operator, "", "who calls"},
	"spec.accountRef.kind":  {immutable, "", "the cloud does not know the account's object"},
	"spec.accountRef.name":  {immutable, "", "the cloud does not know the account's object"},
	"spec.managementPolicy": {operator, "", "what the operator may do"},
	"spec.deletionPolicy":   {operator, "", "what is done at the end"},
	"spec.import":           {operator, "", "counts until the resource is known"},
	"spec.import.id":        {operator, "", "counts until the resource is known"},
	"spec.import.byName":    {operator, "", "counts until the resource is known"},
	"spec.resyncInterval":   {operator, "", "when the cloud is looked at"},
}

const commonSpec = `
accountRef: {kind: CloudAccount, name: default}
managementPolicy: Manage
deletionPolicy: Delete
resyncInterval: 10m
import: {byName: true}
`

const commonByID = `
import: {id: id-1}
`

// commonOthers are the values that the common fields change to.
var commonOthers = map[string]any{
	"spec.resyncInterval": "11m",
	"spec.import.byName":  alongside{"spec.import.byName": nil, "spec.import.id": "id-1"},
}

var tables = map[string]kindTable{
	"Environment": {
		specs: []string{commonSpec + `
name: swept
deployMode: container
description: Swept
enterpriseProjectID: "0"
vpcID: vpc-1
labels: {stage: dev}
resources: [{type: ecs, id: server-1, name: server}, {type: cse, engineRef: {name: main}}]
`, commonByID + `
vpcID: vpc-1
`},
		others: map[string]any{
			"spec.vpcID": "vpc-2", "spec.enterpriseProjectID": "1", "spec.resources[].engineRef.name": "other", "spec.resources[].type": "rds",
		},
		exceptions: map[string]exception{
			"spec.deployMode":          {immutable, "deploy_mode", ""},
			"spec.enterpriseProjectID": {immutable, "enterprise_project_id", ""},
			"spec.vpcID":               {immutable, "vpc_id", ""},
			"spec.resources[].name":    {forgotten, "", "the cloud may forget names: one that is gone is not seen"},
		},
	},
	"Application": {
		specs: []string{commonSpec + `
name: swept
description: Swept
enterpriseProjectID: "1"
labels: {stage: dev}
configurations:
- environmentRef: {name: east}
  env:
  - {name: A, value: a}
  - {name: B, valueFrom: {configMapKeyRef: {name: settings, key: b}}}
  - {name: C, valueFrom: {secretKeyRef: {name: secrets, key: c}}}
- {environmentRef: {id: env-1}, env: [{name: A, value: a}]}
`, commonByID},
		others: map[string]any{
			"spec.configurations[].environmentRef.name": "west", "spec.configurations[].environmentRef.id": "env-2",
			"spec.configurations[].env[].valueFrom.configMapKeyRef.name": "settings2", "spec.enterpriseProjectID": "0",
		},
		exceptions: map[string]exception{
			"spec.configurations": {shared, "", "what others configure for an environment that is not listed is theirs"},
		},
	},
	"MicroserviceEngine": {
		specs: []string{commonSpec + `
name: swept
description: Swept
flavor: cse.s1.small2
availabilityZones: [az1, az2]
authType: RBAC
rootPasswordSecretRef: {name: root, key: password}
network: {vpcID: vpc-1, vpcName: vpc-1, subnetID: subnet-1, subnetCIDR: 10.0.0.0/24}
publicIPID: ip-1
inputs: {nodeFlavor: s6.large.2}
enterpriseProjectID: "0"
retryFailedCreate: 2
connection: {configMap: addresses}
`, commonByID + `
flavor: cse.s1.small2
availabilityZones: [az1]
network: {vpcID: vpc-1, subnetID: subnet-1}
rootPasswordSecretRef: {name: root}
connection: {secret: addresses}
`},
		others: map[string]any{
			"spec.flavor": "cse.s1.medium2", "spec.rootPasswordSecretRef.key": "other", "spec.network.subnetCIDR": "10.0.1.0/24",
			"spec.enterpriseProjectID": "1", "spec.network.vpcID": "vpc-2",
		},
		exceptions: map[string]exception{
			"spec.name":                       {immutable, "name", ""},
			"spec.flavor":                     {forgotten, "", "every engine has one: a reply without it says nothing"},
			"spec.availabilityZones":          {immutable, "az_list", ""},
			"spec.authType":                   {immutable, "auth_type", "switching disconnects every client: it is done in the console"},
			"spec.rootPasswordSecretRef":      {creation, "", "no reply shows a password"},
			"spec.rootPasswordSecretRef.name": {creation, "", "no reply shows a password"},
			"spec.rootPasswordSecretRef.key":  {creation, "", "no reply shows a password"},
			"spec.network":                    {immutable, "", "by its parts"},
			"spec.network.vpcID":              {immutable, "vpc_id", ""},
			"spec.network.vpcName":            {immutable, "", "the VPC is told by its id; names change"},
			"spec.network.subnetID":           {immutable, "network_id", ""},
			"spec.network.subnetCIDR":         {immutable, "", "the subnet is told by its id"},
			"spec.publicIPID":                 {immutable, "public_ip_id", ""},
			"spec.inputs":                     {immutable, "inputs", ""},
			"spec.enterpriseProjectID":        {immutable, "", "calls about an engine name its project: one that moved is found by the list"},
			"spec.retryFailedCreate":          {operator, "", "how often a failed creation is retried"},
		},
	},
	"KieConfig": {
		specs: []string{`
accountRef: {kind: CloudAccount, name: default}
managementPolicy: Manage
deletionPolicy: Delete
resyncInterval: 10m
engineRef: {name: main}
authSecretRef: {name: login}
tls: {caBundleRef: {configMapKeyRef: {name: ca, key: ca.crt}}}
access: Engine
conflictPolicy: Fail
labels: {app: shop}
items:
- {key: a, value: "1", valueType: properties, enabled: false, labels: {service: cart}}
- {key: b, valueFrom: {configMapKeyRef: {name: settings, key: b}}}
- {key: c, valueFrom: {secretKeyRef: {name: secrets, key: c}}}
`, `
engineRef: {name: main}
tls: {caBundleRef: {secretKeyRef: {name: ca, key: ca.crt}}}
`, `
engineRef: {name: main}
tls: {insecureSkipVerify: true}
`, `
endpoint: {kie: "{kie}", serviceCenter: "{serviceCenter}"}
authSecretRef: {name: login}
tls: {insecureSkipVerify: true}
items: [{key: a, value: "1"}]
`},
		others: map[string]any{
			"spec.authSecretRef.name": "login2", "spec.endpoint.serviceCenter": "{serviceCenter}/", "spec.engineRef.name": "other",
			"spec.items[].valueType":                      "xml",
			"spec.items[].valueFrom.configMapKeyRef.name": "settings2", "spec.tls.caBundleRef.configMapKeyRef.key": "other.crt",
			"spec.tls.caBundleRef.secretKeyRef.key": "other.crt",
		},
		exceptions: map[string]exception{
			"spec.engineRef":      {immutable, "", "where the items are"},
			"spec.endpoint":       {operator, "", "the way to the engine"},
			"spec.endpoint.kie":   {immutable, "", "where the items are"},
			"spec.authSecretRef":  {operator, "", "the way to the engine"},
			"spec.tls":            {trust, "", "the way to the engine"},
			"spec.access":         {operator, "", "the way to the engine"},
			"spec.conflictPolicy": {operator, "", "what is done about items of others"},
			"spec.items":          {shared, "", "items that are not listed are others'"},
			"spec.import":         {never, "", "items are adopted by conflictPolicy: Overwrite"},
		},
		seenAs: map[string]string{"spec.labels": "spec.items"},
	},
	"Component": {
		specs: []string{commonSpec + `
name: swept
applicationRef: {name: shop}
environmentRef: {name: east}
version: 1.0.0
runtimeStack: {name: Docker, type: Docker, version: "1.0", deployMode: container}
source: {image: {url: "swr.example.com/shop/web:1", storage: obs, auth: none, version: "1"}}
description: Swept
labels: {stage: dev}
replicas: 3
resources: {requests: {cpu: 250m, memory: 512Mi}, limits: {cpu: "2", memory: 2Gi}}
env:
- {name: A, value: a}
- {name: B, valueFrom: {configMapKeyRef: {name: settings, key: b, optional: true}}}
- {name: C, valueFrom: {secretKeyRef: {name: secrets, key: c, optional: true}}}
volumes:
- {name: host, hostPath: {path: /var/data}, mounts: [{path: /data, subPath: shop, readOnly: true}]}
- {name: empty, emptyDir: {medium: Memory}, mounts: [{path: /tmp}]}
- {name: settings, configMap: {name: settings, defaultMode: 256}, mounts: [{path: /etc/shop}]}
- {name: secrets, secret: {name: secrets, defaultMode: 256}, mounts: [{path: /etc/secrets}]}
- {name: claim, persistentVolumeClaim: {claimName: data}, mounts: [{path: /var/shop}]}
command: [serve]
args: [--verbose]
lifecycle:
  postStart: {exec: {command: [warm-up]}}
  preStop: {httpGet: {path: /stop, port: 8080, host: 127.0.0.1, scheme: HTTPS}}
livenessProbe: {httpGet: {path: /alive, port: 8080, host: 127.0.0.1, scheme: HTTPS}, initialDelaySeconds: 10, timeoutSeconds: 2}
readinessProbe: {exec: {command: [ready]}, initialDelaySeconds: 5, timeoutSeconds: 3}
mesher: {port: 8080}
timezone: Asia/Shanghai
jvmOptions: -Xmx1024m
logs: [{path: /var/log/shop, hostPath: /var/log/host, hostExtendPath: PodName, rotate: Daily}]
customMetrics: {path: /metrics, port: 9090, dimensions: cpu_usage}
affinity: {availabilityZones: [zone-1], nodes: [node-1], components: [{name: cart, displayName: Cart}]}
antiAffinity:
  rules:
  - {condition: preferred, kind: node, weight: 50, matchExpressions: [{key: gpu, operation: In, value: big}]}
references: [{type: rds, id: database-1}, {type: cce, id: cluster-1, namespace: shop}, {type: cse, engineRef: {name: main}}]
externalAccesses: [{protocol: http, address: shop.example.com, port: 80}]
updateStrategy:
  type: Recreate
  maxSurge: 1
  maxUnavailable: 30%
  minReadySeconds: 5
  revisionHistoryLimit: 3
  progressDeadlineSeconds: 500
  terminationGracePeriodSeconds: 20
`, commonByID + `
applicationRef: {id: app-1}
environmentRef: {id: env-1}
version: 1.0.0
runtimeStack: {name: OpenJDK8, type: Java, version: 1.2.0, deployMode: container}
source: {package: {url: "obs://bucket/shop-1.jar", storage: obs, auth: none, version: "1"}}
build:
  command: mvn package
  dockerfilePath: ./docker
  artifactNamespace: shop
  clusterID: cluster-1
  nodeSelector: {disk: ssd}
  environmentRef: {name: east}
lifecycle:
  postStart: {httpGet: {path: /start, port: 8080, host: 127.0.0.1, scheme: HTTPS}}
  preStop: {exec: {command: [cool-down]}}
livenessProbe: {exec: {command: [alive]}}
readinessProbe: {httpGet: {path: /ready, port: 8080, host: 127.0.0.1, scheme: HTTPS}}
affinity:
  rules:
  - {condition: preferred, kind: node, weight: 50, matchExpressions: [{key: gpu, operation: In, value: big}]}
antiAffinity: {availabilityZones: [zone-1], nodes: [node-1], components: [{name: cart, displayName: Cart}]}
references: [{type: cce, id: cluster-1}]
`, `
applicationRef: {name: shop}
environmentRef: {name: east}
version: 1.0.0
runtimeStack: {name: Tomcat8, type: Tomcat, version: 1.1.0, deployMode: container}
source:
  code:
    repoType: GitHub
    repoURL: https://git.example.com/shop.git
    webURL: https://git.example.com/shop
    namespace: shop
    ref: main
    authorization: github
    version: "1"
build: {clusterID: cluster-1, environmentRef: {id: env-1}}
tomcat: {serverXML: <Server/>}
livenessProbe: {tcpSocket: {port: 8080}}
readinessProbe: {tcpSocket: {port: 8080}}
references: [{type: cce, id: cluster-1}]
`, `
applicationRef: {name: shop}
environmentRef: {name: east}
version: 1.0.0
runtimeStack: {name: OpenJDK8, type: Java, version: 1.2.0, deployMode: virtualmachine}
source: {package: {url: "obs://bucket/shop-1.jar", storage: obs}}
hosts: [server-1]
`, `
applicationRef: {name: shop}
environmentRef: {name: east}
version: 1.0.0
runtimeStack: {name: Docker, type: Docker, version: "1.0", deployMode: container}
source: {image: {url: "swr.example.com/shop/web:1"}}
references: [{type: cce, id: cluster-1}]
state: Stopped
`, `
applicationRef: {name: shop}
environmentRef: {name: east}
version: 1.0.0
runtimeStack: {name: Docker, type: Docker, version: "1.0", deployMode: container}
source: {image: {url: "swr.example.com/shop/web:1"}}
references: [{type: cce, id: cluster-1}]
replicas: 3
workloadContent: '{"kind": "Deployment"}'
deployStrategy: {type: RollingRelease, rollingRelease: {batches: 2}}
`, `
applicationRef: {name: shop}
environmentRef: {name: east}
version: 1.0.0
runtimeStack: {name: Docker, type: Docker, version: "1.0", deployMode: container}
source: {image: {url: "swr.example.com/shop/web:1"}}
references: [{type: cce, id: cluster-1}]
replicas: 3
deployStrategy:
  type: GrayRelease
  grayRelease:
    firstBatchWeight: 20
    firstBatchReplicas: 1
    remainingBatches: 2
    hold: false
    trafficType: Content
    replicaSurgeMode: EXTRA
    deploymentMode: 1
    ruleMatchMode: all
    rules: [{type: header, key: user, condition: equal, value: tester}]
`},
		others: map[string]any{
			"spec.version": "1.1.0", "spec.build.environmentRef.name": "west", "spec.build.environmentRef.id": "env-2",
			"spec.references[].engineRef.name": "other",
			"spec.resources.limits.cpu":        "3", "spec.resources.limits.memory": "3Gi",
			"spec.resources.requests.cpu": "500m", "spec.resources.requests.memory": "1Gi",
			"spec.affinity.rules[].condition":                        alongside{"spec.affinity.rules[].condition": "required", "spec.affinity.rules[].weight": nil},
			"spec.antiAffinity.rules[].condition":                    alongside{"spec.antiAffinity.rules[].condition": "required", "spec.antiAffinity.rules[].weight": nil},
			"spec.affinity.rules[].matchExpressions[].operation":     "NotIn",
			"spec.antiAffinity.rules[].matchExpressions[].operation": "NotIn",
			"spec.updateStrategy.maxUnavailable":                     "40%",
			"spec.volumes[].emptyDir.medium":                         absent{}, // there is one value only
			"spec.hosts":                                             list("server-1", "server-2"),
			"spec.deployStrategy.type":                               alongside{"spec.deployStrategy.type": "OneBatchRelease", "spec.deployStrategy.rollingRelease": nil},
			"spec.deployStrategy.grayRelease.trafficType": alongside{
				"spec.deployStrategy.grayRelease.trafficType": "Weight", "spec.deployStrategy.grayRelease.rules": nil, "spec.deployStrategy.grayRelease.ruleMatchMode": nil,
			},
			"spec.deployStrategy.grayRelease.deploymentMode": 3,
			"spec.runtimeStack.type":                         "Java", "spec.runtimeStack.deployMode": "virtualmachine",
		},
		exceptions: map[string]exception{
			"spec.name":                            {immutable, "name", ""},
			"spec.applicationRef.name":             {immutable, "", "a component is looked for in its application"},
			"spec.applicationRef.id":               {immutable, "", "a component is looked for in its application"},
			"spec.environmentRef.name":             {immutable, "", "told by its id"},
			"spec.environmentRef.id":               {immutable, "environment_id", ""},
			"spec.runtimeStack.name":               {immutable, "runtime_stack.name", ""},
			"spec.runtimeStack.type":               {immutable, "runtime_stack.type", ""},
			"spec.runtimeStack.version":            {immutable, "", "the cloud moves it on by itself"},
			"spec.runtimeStack.deployMode":         {immutable, "runtime_stack.deploy_mode", ""},
			"spec.workloadContent":                 {immutable, "", "the cloud takes it at creation only"},
			"spec.build.command":                   {defaulted, "", "the cloud fills in its own"},
			"spec.build.dockerfilePath":            {defaulted, "", "the cloud fills in its own"},
			"spec.build.artifactNamespace":         {defaulted, "", "the cloud fills in its own"},
			"spec.source.code.ref":                 {defaulted, "", "the cloud fills in its own"},
			"spec.references":                      {shared, "", "what others bind is theirs"},
			"spec.deployStrategy":                  {strategy, "", "how the next upgrade goes"},
			"spec.deployStrategy.grayRelease.hold": {operator, "", "what is done once a release has reached its first batch"},
		},
	},
}

func list(in ...any) []any { return in }
