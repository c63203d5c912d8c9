// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apivalidation

const minimalComponent = `
spec:
  applicationRef: {name: shop}
  environmentRef: {name: dev}
  version: 1.0.0
  runtimeStack: {name: Docker, type: Docker, version: "1.0", deployMode: container}
  source: {image: {url: "swr.example.com/shop/web:1.0.0"}}
  references: [{type: cce, id: cluster-1}]
`

const completeComponent = `
spec:` + completeResourceSpec + `
  applicationRef: {name: shop}
  environmentRef: {name: dev}
  version: 1.0.0
  runtimeStack: {name: Tomcat8, type: Tomcat, version: 1.2.0, deployMode: container}
  source: {package: {url: "obs://bucket/shop-1.0.0.war", storage: obs, auth: iam, version: 1.0.0}}
  build:
    command: mvn clean package
    dockerfilePath: ./
    artifactNamespace: shop
    clusterID: cluster-1
    nodeSelector: {disk: ssd}
    environmentRef: {name: build}
  replicas: 3
  resources: {requests: {cpu: 250m, memory: 512Mi}, limits: {cpu: 2, memory: 2Gi}}
  state: Running
  env:
  - {name: A, value: a}
  - {name: B, valueFrom: {configMapKeyRef: {name: settings, key: b, optional: true}}}
  - {name: C, valueFrom: {secretKeyRef: {name: secrets, key: c, optional: false}}}
  volumes:
  - {name: host, hostPath: {path: /var/data}, mounts: [{path: /data, subPath: shop, readOnly: true}]}
  - {name: empty, emptyDir: {medium: Memory}, mounts: [{path: /tmp}]}
  - {name: settings, configMap: {name: settings, defaultMode: 256}, mounts: [{path: /etc/shop}]}
  - {name: secrets, secret: {name: secrets, defaultMode: 256}, mounts: [{path: /etc/secrets}]}
  - {name: claim, persistentVolumeClaim: {claimName: data}, mounts: [{path: /var/shop}]}
  command: [catalina.sh]
  args: [run]
  lifecycle:
    postStart: {exec: {command: [warm-up]}}
    preStop: {httpGet: {path: /stop, port: 8080, host: 127.0.0.1, scheme: HTTP}}
  livenessProbe: {httpGet: {path: /alive, port: 8080, host: 127.0.0.1, scheme: HTTPS}, initialDelaySeconds: 10, timeoutSeconds: 2}
  readinessProbe: {tcpSocket: {port: 8080}, initialDelaySeconds: 5, timeoutSeconds: 1}
  mesher: {port: 8080}
  timezone: Asia/Shanghai
  jvmOptions: -Xmx1024m
  tomcat: {serverXML: <Server/>}
  logs: [{path: /var/log/shop, hostPath: /var/log/host, hostExtendPath: PodName, rotate: Daily}]
  customMetrics: {path: /metrics, port: 9090, dimensions: cpu_usage}
  affinity:
    availabilityZones: [zone-1]
    nodes: [node-1]
    components: [{name: cart, displayName: cart}]
  antiAffinity:
    rules:
    - {condition: required, kind: pod, matchExpressions: [{key: app, operation: In, value: shop}]}
    - {condition: preferred, kind: node, weight: 50, matchExpressions: [{key: gpu, operation: DoesNotExist}]}
  references: [{type: cce, id: cluster-1, namespace: shop}, {type: cse, engineRef: {name: engine}}]
  externalAccesses: [{protocol: http, address: shop.example.com, port: 80}]
  deployStrategy:
    type: GrayRelease
    grayRelease:
      firstBatchWeight: 20
      firstBatchReplicas: 1
      remainingBatches: 2
      hold: true
      trafficType: Content
      replicaSurgeMode: EXTRA
      deploymentMode: 1
      ruleMatchMode: all
      rules: [{type: header, key: user, condition: equal, value: tester}]
  updateStrategy:
    type: RollingUpdate
    maxSurge: 1
    maxUnavailable: 30%
    minReadySeconds: 5
    revisionHistoryLimit: 10
    progressDeadlineSeconds: 600
    terminationGracePeriodSeconds: 30
  workloadContent: '{"kind": "Deployment"}'
status:` + completeResourceStatus + `
  applicationID: app-1
  environmentID: env-1
  phase: Upgrading
  componentStatus: UPGRADING
  version: 1.0.0
  replicas: 3
  availableReplicas: 2
  readyReplicas: 2/3
  batch: 1
  batches: 3
  grayWeight: 20
  restartedAt: now
  failDetail: ""
  artifact: {type: package, url: "obs://bucket/shop-1.0.0.war"}
  externalAddresses: ["http://shop.example.com:80"]
  records:
  - {version: 1.0.0, state: SUCCEEDED, deployType: OneBatchRelease, current: true, startTime: "2026-01-02T03:04:05Z", endTime: "2026-01-02T03:04:06Z"}
`
