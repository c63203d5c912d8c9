{{- /* Written by hack/chart from config/. */ -}}

{{- /* What the manager may do in every namespace. */ -}}
{{- define "servicestage-operator.config.rules" -}}
- apiGroups:
  - ""
  resources:
  - configmaps
  verbs:
  - create
  - delete
  - get
  - list
  - patch
  - watch
- apiGroups:
  - ""
  resources:
  - namespaces
  - secrets
  verbs:
  - get
  - list
  - watch
- apiGroups:
  - events.k8s.io
  resources:
  - events
  verbs:
  - create
  - patch
- apiGroups:
  - servicestage.dev
  resources:
  - applications
  - cloudaccounts
  - clustercloudaccounts
  - components
  - environments
  - kieconfigs
  - microserviceengines
  verbs:
  - get
  - list
  - patch
  - watch
- apiGroups:
  - servicestage.dev
  resources:
  - applications/status
  - cloudaccounts/status
  - clustercloudaccounts/status
  - components/status
  - environments/status
  - kieconfigs/status
  - microserviceengines/status
  verbs:
  - patch
{{- end }}

{{- /* What it may do in a namespace that it watches, where it watches some only. */ -}}
{{- define "servicestage-operator.config.namespacedRules" -}}
- apiGroups:
  - ""
  resources:
  - configmaps
  verbs:
  - create
  - delete
  - get
  - list
  - patch
  - watch
- apiGroups:
  - ""
  resources:
  - secrets
  verbs:
  - get
  - list
  - watch
- apiGroups:
  - events.k8s.io
  resources:
  - events
  verbs:
  - create
  - patch
- apiGroups:
  - servicestage.dev
  resources:
  - applications
  - cloudaccounts
  - components
  - environments
  - kieconfigs
  - microserviceengines
  verbs:
  - get
  - list
  - patch
  - watch
- apiGroups:
  - servicestage.dev
  resources:
  - applications/status
  - cloudaccounts/status
  - components/status
  - environments/status
  - kieconfigs/status
  - microserviceengines/status
  verbs:
  - patch
{{- end }}

{{- /* What it may do in its own namespace, to elect a leader. */ -}}
{{- define "servicestage-operator.config.leaderRules" -}}
- apiGroups:
  - ""
  resources:
  - events
  verbs:
  - create
  - patch
- apiGroups:
  - coordination.k8s.io
  resources:
  - leases
  verbs:
  - create
  - get
  - update
{{- end }}

{{- /* What it may do in namespaces that take connections as Secrets. */ -}}
{{- define "servicestage-operator.config.secretsRules" -}}
- apiGroups:
  - ""
  resources:
  - secrets
  verbs:
  - create
  - patch
  - delete
{{- end }}

{{- /* The manager's Pod, which deployment.yaml changes as the values say. */ -}}
{{- define "servicestage-operator.config.pod" -}}
containers:
- args:
  - --leader-elect
  - --leader-election-namespace=$(POD_NAMESPACE)
  - --metrics-bind-address=:8080
  - --health-probe-bind-address=:8081
  env:
  - name: POD_NAMESPACE
    valueFrom:
      fieldRef:
        fieldPath: metadata.namespace
  image: servicestage-operator:dev
  livenessProbe:
    httpGet:
      path: /healthz
      port: health
    periodSeconds: 20
  name: manager
  ports:
  - containerPort: 8080
    name: metrics
  - containerPort: 8081
    name: health
  readinessProbe:
    httpGet:
      path: /readyz
      port: health
    periodSeconds: 5
  resources:
    limits:
      memory: 512Mi
    requests:
      cpu: 50m
      memory: 128Mi
  securityContext:
    allowPrivilegeEscalation: false
    capabilities:
      drop:
      - ALL
    readOnlyRootFilesystem: true
securityContext:
  runAsGroup: 65532
  runAsNonRoot: true
  runAsUser: 65532
  seccompProfile:
    type: RuntimeDefault
serviceAccountName: servicestage-operator
terminationGracePeriodSeconds: 60
topologySpreadConstraints:
- labelSelector:
    matchLabels:
      app.kubernetes.io/name: servicestage-operator
  maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
{{- end }}
