{{- define "servicestage-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* Release and chart, each once: a release named as the chart gives names as config/ has them. */ -}}
{{- define "servicestage-operator.fullname" -}}
{{- $name := include "servicestage-operator.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "servicestage-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "servicestage-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "servicestage-operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "servicestage-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "servicestage-operator.serviceAccountName" -}}
{{- default (ternary (include "servicestage-operator.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- define "servicestage-operator.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end }}
{{- end }}

{{- /* The manager's arguments: those of config/, then what the values ask for. */ -}}
{{- define "servicestage-operator.args" -}}
{{- $args := index . 1 }}
{{- with index . 0 }}
{{- with .Values.watchNamespaces }}
{{- $args = concat $args (list (printf "--watch-namespaces=%s" (join "," .)) "--cluster-accounts=false") }}
{{- end }}
{{- with .Values.manager }}
{{- with .clusterName }}{{- $args = append $args (printf "--cluster-name=%s" .) }}{{- end }}
{{- with .allowEndpointHosts }}{{- $args = append $args (printf "--allow-endpoint-host=%s" (join "," .)) }}{{- end }}
{{- with .listInterval }}{{- $args = append $args (printf "--list-interval=%s" .) }}{{- end }}
{{- with .resyncInterval }}{{- $args = append $args (printf "--resync-interval=%s" .) }}{{- end }}
{{- with .maxConcurrentReconciles }}{{- $args = append $args (printf "--max-concurrent-reconciles=%d" (int .)) }}{{- end }}
{{- with .logLevel }}{{- $args = append $args (printf "--log-level=%s" .) }}{{- end }}
{{- with .logFormat }}{{- $args = append $args (printf "--log-format=%s" .) }}{{- end }}
{{- $args = concat $args .extraArgs }}
{{- end }}
{{- end }}
{{- toYaml $args }}
{{- end }}

{{- /* The port of the manager that has the given name. */ -}}
{{- define "servicestage-operator.port" -}}
{{- $name := index . 1 }}
{{- range (index (include "servicestage-operator.config.pod" (index . 0) | fromYaml).containers 0).ports }}
{{- if eq .name $name }}{{ .containerPort }}{{ end }}
{{- end }}
{{- end }}
