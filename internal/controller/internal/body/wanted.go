// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package body translates between a component's spec and the bodies of the cloud's component calls (API reference tables
// 5-96 and 5-156), and compares the two. A body is decoded JSON: what the spec owns is laid over what the cloud holds, so
// that fields that the spec leaves out, known to this program or not, are neither cleared nor fought over. Everything
// here is pure.
package body

import (
	"cmp"
	"encoding/json"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"

	"servicestage.dev/operator/api/v1alpha1"
)

// Resolved is what a spec refers to, as ids.
type Resolved struct {
	EnvironmentID string
	// BuildEnvironmentID of spec.build.environmentRef.
	BuildEnvironmentID string
	// EngineIDs of spec.references[].engineRef, by the names of the objects.
	EngineIDs map[string]string
}

// ExternalAccesses is the field that only lists show.
const ExternalAccesses = "external_accesses"

// object and list are decoded JSON.
type (
	object = map[string]any
	list   = []any
)

// Wanted is the body of what the spec owns, in the words of the update call. What the spec leaves out is not in it; nil
// stands for what is not to be there.
func Wanted(c *v1alpha1.Component, r Resolved) map[string]any {
	spec := &c.Spec
	b := object{
		"name":          c.CloudName(),
		"version":       spec.Version,
		"runtime_stack": runtimeStack(spec.RuntimeStack),
		"source":        source(spec.Source),
	}
	if spec.Replicas != nil {
		b["replica"] = number(*spec.Replicas)
	}
	set(b, "description", spec.Description)
	set(b, "timezone", spec.Timezone)
	set(b, "jvm_opts", spec.JVMOptions)
	if spec.Build != nil {
		b["build"] = build(spec.Build, r)
	}
	computeResources(b, spec.Resources)
	if spec.Env != nil {
		b["envs"] = each(spec.Env, envVar)
	}
	if spec.Volumes != nil {
		b["storages"] = each(spec.Volumes, volume)
	}
	if spec.Command != nil || spec.Args != nil {
		b["command"] = command(spec)
	}
	if spec.Lifecycle != nil {
		optional(b, "post_start", spec.Lifecycle.PostStart, handler)
		optional(b, "pre_stop", spec.Lifecycle.PreStop, handler)
	}
	optional(b, "liveness_probe", spec.LivenessProbe, probe)
	optional(b, "readiness_probe", spec.ReadinessProbe, probe)
	if spec.Mesher != nil {
		b["mesher"] = object{"port": number(spec.Mesher.Port)}
	}
	if spec.Tomcat != nil {
		b["tomcat_opts"] = object{"server_xml": spec.Tomcat.ServerXML}
	}
	if spec.Logs != nil {
		b["logs"] = each(spec.Logs, logCollection)
	}
	if m := spec.CustomMetrics; m != nil {
		b["custom_metric"] = object{"path": m.Path, "port": number(m.Port), "dimensions": m.Dimensions}
	}
	if spec.Affinity != nil {
		b["affinity"] = affinity(spec.Affinity)
	}
	if spec.AntiAffinity != nil {
		b["anti_affinity"] = affinity(spec.AntiAffinity)
	}
	if refs := references(spec, r); len(refs) > 0 {
		b["refer_resources"] = refs
	}
	if spec.ExternalAccesses != nil {
		b[ExternalAccesses] = each(spec.ExternalAccesses, externalAccess)
	}
	if spec.UpdateStrategy != nil {
		b["update_strategy"] = updateStrategy(spec.UpdateStrategy)
	}
	return b
}

// Values are the values of the environment variables, which replies about a body may repeat and errors must not.
func Values(c *v1alpha1.Component) []string {
	var values []string
	for _, e := range c.Spec.Env {
		if e.Value != nil {
			values = append(values, *e.Value)
		}
	}
	return values
}

// Strategy is the deploy_strategy of the spec, or nil. It is sent with every update and is no state of its own.
func Strategy(spec *v1alpha1.ComponentSpec) map[string]any {
	s := spec.DeployStrategy
	if s == nil {
		return nil
	}
	b := object{"type": string(s.Type)}
	if s.RollingRelease != nil {
		b["rolling_release"] = object{"batches": number(s.RollingRelease.Batches)}
	}
	if s.GrayRelease != nil {
		b["gray_release"] = grayRelease(s.GrayRelease)
	}
	return b
}

// grayRelease is written in the older form unless a field of the newer one is given. The number of remaining batches has
// two names; both are sent (api references 5-103 and 5-163).
func grayRelease(g *v1alpha1.GrayRelease) object {
	b := object{
		"type": "weight", "first_batch_weight": number(weight(g)), "first_batch_replica": number(g.FirstBatchReplicas),
		"remaining_batches": number(g.RemainingBatches), "remaining_batch": number(g.RemainingBatches),
	}
	newer := g.TrafficType != "" || g.ReplicaSurgeMode != "" || g.DeploymentMode != 0 || len(g.Rules) > 0
	if !newer {
		return b
	}
	b["type"] = "WEIGHT"
	if g.TrafficType == "Content" {
		b["type"] = "CONTENT"
	}
	text(b, "replica_surge_mode", g.ReplicaSurgeMode)
	text(b, "rule_match_mode", g.RuleMatchMode)
	if g.DeploymentMode != 0 {
		b["deployment_mode"] = number(g.DeploymentMode)
	}
	if len(g.Rules) > 0 {
		b["rules"] = each(g.Rules, func(r v1alpha1.GrayRule) object {
			return object{"type": r.Type, "key": r.Key, "value": r.Value, "condition": r.Condition}
		})
	}
	return b
}

func weight(g *v1alpha1.GrayRelease) int32 {
	if g.FirstBatchWeight == nil {
		return 0
	}
	return *g.FirstBatchWeight
}

func runtimeStack(s v1alpha1.RuntimeStack) object {
	return object{"name": s.Name, "type": s.Type, "version": s.Version, "deploy_mode": string(s.DeployMode)}
}

func source(s v1alpha1.ComponentSource) object {
	b := object{}
	switch {
	case s.Package != nil:
		b["kind"], b["url"], b["storage"] = "package", s.Package.URL, s.Package.Storage
		text(b, "auth", s.Package.Auth)
		orNone(b, "version", s.Package.Version)
	case s.Image != nil:
		b["kind"], b["url"], b["storage"] = "image", s.Image.URL, s.Image.Storage
		text(b, "auth", s.Image.Auth)
		orNone(b, "version", s.Image.Version)
	case s.Code != nil:
		b["kind"], b["repo_type"], b["repo_url"] = "code", s.Code.RepoType, s.Code.RepoURL
		orNone(b, "repo_auth", s.Code.Authorization)
		orNone(b, "web_url", s.Code.WebURL)
		orNone(b, "repo_namespace", s.Code.Namespace)
		text(b, "repo_ref", s.Code.Ref)
		orNone(b, "version", s.Code.Version)
	}
	return b
}

func build(s *v1alpha1.ComponentBuild, r Resolved) object {
	p := object{"cluster_id": s.ClusterID}
	text(p, "build_cmd", s.Command)
	text(p, "dockerfile_path", s.DockerfilePath)
	text(p, "artifact_namespace", s.ArtifactNamespace)
	text(p, "environment_id", r.BuildEnvironmentID)
	if s.NodeSelector != nil {
		selector := object{}
		for k, v := range s.NodeSelector {
			selector[k] = v
		}
		p["node_label_selector"] = selector
	}
	return object{"parameters": p}
}

// computeResources writes amounts as the cloud counts them: cores and GiB.
func computeResources(b object, r *v1alpha1.ComponentResources) {
	if r == nil {
		return
	}
	amounts := func(prefix string, a *v1alpha1.ComputeAmount) {
		if a == nil {
			return
		}
		if a.CPU != nil {
			b[prefix+"_cpu"] = decimal(a.CPU.AsApproximateFloat64())
		}
		if a.Memory != nil {
			b[prefix+"_memory"] = decimal(gib(a.Memory))
		}
	}
	amounts("limit", r.Limits)
	amounts("request", r.Requests)
}

func gib(q *resource.Quantity) float64 { return q.AsApproximateFloat64() / (1 << 30) }

func envVar(e v1alpha1.ComponentEnvVar) object {
	b := object{"name": e.Name, "value": nil, "value_from": nil}
	switch {
	case e.ValueFrom == nil && e.Value == nil:
		b["value"] = ""
	case e.ValueFrom == nil:
		b["value"] = *e.Value
	case e.ValueFrom.ConfigMapKeyRef != nil:
		b["value_from"] = valueFrom("configMapKey", e.ValueFrom.ConfigMapKeyRef)
	case e.ValueFrom.SecretKeyRef != nil:
		b["value_from"] = valueFrom("secretKey", e.ValueFrom.SecretKeyRef)
	}
	return b
}

func valueFrom(kind string, s *v1alpha1.WorkloadKeySelector) object {
	b := object{"reference_type": kind, "name": s.Name}
	orNone(b, "key", s.Key)
	if b["optional"] = nil; s.Optional != nil {
		b["optional"] = *s.Optional
	}
	return b
}

func volume(v v1alpha1.ComponentVolume) object {
	p := object{}
	b := object{"name": v.Name, "parameters": p, "mounts": each(v.Mounts, func(m v1alpha1.VolumeMount) object {
		return object{"path": m.Path, "sub_path": m.SubPath, "read_only": m.ReadOnly}
	})}
	named := func(kind string, n *v1alpha1.NamedVolume) {
		b["type"], p["name"] = kind, n.Name
		if n.DefaultMode != nil {
			p["default_mode"] = number(*n.DefaultMode)
		}
	}
	switch {
	case v.HostPath != nil:
		b["type"], p["path"] = "HostPath", v.HostPath.Path
	case v.EmptyDir != nil:
		b["type"] = "EmptyDir"
		if p["medium"] = nil; v.EmptyDir.Medium != "" {
			p["medium"] = "memory"
		}
	case v.ConfigMap != nil:
		named("ConfigMap", v.ConfigMap)
	case v.Secret != nil:
		named("Secret", v.Secret)
	case v.PersistentVolumeClaim != nil:
		b["type"], p["name"] = "PersistentVolumeClaim", v.PersistentVolumeClaim.ClaimName
	}
	return b
}

func command(spec *v1alpha1.ComponentSpec) object {
	b := object{}
	if spec.Command != nil {
		b["command"] = strings(spec.Command)
	}
	if spec.Args != nil {
		b["args"] = strings(spec.Args)
	}
	return b
}

func handler(h *v1alpha1.LifecycleHandler) object {
	if h.Exec != nil {
		return object{"type": "command", "command": strings(h.Exec.Command)}
	}
	return httpGet(h.HTTPGet)
}

func httpGet(g *v1alpha1.HTTPGetAction) object {
	b := object{"type": "http", "port": number(g.Port), "path": g.Path}
	text(b, "scheme", g.Scheme)
	orNone(b, "host", g.Host)
	return b
}

func probe(p *v1alpha1.ComponentProbe) object {
	var b object
	switch {
	case p.Exec != nil:
		b = object{"type": "command", "command": strings(p.Exec.Command)}
	case p.HTTPGet != nil:
		b = httpGet(p.HTTPGet)
	default:
		b = object{"type": "tcp", "port": number(p.TCPSocket.Port)}
	}
	b["delay"], b["timeout"] = number(p.InitialDelaySeconds), number(p.TimeoutSeconds)
	return b
}

// logCollection fills in what is left out: a default of the CRD inside a list would be a difference to Argo CD.
func logCollection(l v1alpha1.LogCollection) object {
	return object{
		"log_path": l.Path, "host_path": l.HostPath,
		"host_extend_path": cmp.Or(l.HostExtendPath, "None"), "rotate": cmp.Or(l.Rotate, "Hourly"),
	}
}

// affinity is written in whichever of the two forms that the API has the spec uses.
func affinity(a *v1alpha1.ComponentAffinity) any {
	if a.Rules != nil {
		return each(a.Rules, affinityRule)
	}
	b := object{"az": nil, "node": nil, "component": nil}
	if a.AvailabilityZones != nil {
		b["az"] = strings(a.AvailabilityZones)
	}
	if a.Nodes != nil {
		b["node"] = strings(a.Nodes)
	}
	if a.Components != nil {
		b["component"] = each(a.Components, func(c v1alpha1.AffinityComponent) object {
			return object{"displayName": c.DisplayName, "name": c.Name}
		})
	}
	return b
}

func affinityRule(r v1alpha1.AffinityRule) object {
	b := object{"condition": r.Condition, "kind": r.Kind, "match_expressions": each(r.MatchExpressions, func(e v1alpha1.AffinityExpression) object {
		return object{"key": e.Key, "operation": e.Operation, "value": e.Value}
	})}
	if r.Weight != nil {
		b["weight"] = number(*r.Weight)
	}
	return b
}

// references are the resources that the component uses; servers are one of them, named Default (table 5-119 and the
// example of 5.3.6).
func references(spec *v1alpha1.ComponentSpec, resolved Resolved) list {
	var refs list
	for _, r := range spec.References {
		b := object{"type": r.Type, "id": r.ID}
		if r.EngineRef != nil {
			b["id"] = resolved.EngineIDs[r.EngineRef.Name]
		}
		if r.Type == "cce" {
			b["parameters"] = object{"namespace": r.Namespace}
			if r.Namespace == "" {
				b["parameters"] = object{"namespace": "default"}
			}
		}
		refs = append(refs, b)
	}
	if len(spec.Hosts) > 0 {
		refs = append(refs, object{"type": "ecs", "id": "Default", "parameters": object{"hosts": strings(spec.Hosts)}})
	}
	return refs
}

func externalAccess(a v1alpha1.ExternalAccess) object {
	b := object{"protocol": a.Protocol, "address": a.Address}
	if a.Port != 0 {
		b["forward_port"] = number(a.Port)
	}
	return b
}

func updateStrategy(u *v1alpha1.UpdateStrategy) object {
	b := object{}
	text(b, "type", u.Type)
	amount := func(key string, v *intstr.IntOrString) {
		switch {
		case v == nil:
		case v.Type == intstr.String:
			b[key] = v.StrVal
		default:
			b[key] = number(v.IntVal)
		}
	}
	amount("max_surge", u.MaxSurge)
	amount("max_unavailable", u.MaxUnavailable)
	for key, v := range map[string]*int32{
		"min_ready_seconds": u.MinReadySeconds, "revision_history_limit": u.RevisionHistoryLimit,
		"progress_deadline_seconds": u.ProgressDeadlineSeconds, "termination_period_seconds": u.TerminationGracePeriodSeconds,
	} {
		if v != nil {
			b[key] = number(*v)
		}
	}
	return b
}

func set(b object, key string, value *string) {
	if value != nil {
		b[key] = *value
	}
}

func text(b object, key, value string) {
	if value != "" {
		b[key] = value
	}
}

// orNone writes nil where there is no value: within an object that means something as a whole only, what the spec leaves
// out is not there. Where the cloud fills in a value of its own, the key is left out instead (text).
func orNone(b object, key, value string) {
	if b[key] = nil; value != "" {
		b[key] = value
	}
}

func optional[T any](b object, key string, value *T, write func(*T) object) {
	if value != nil {
		b[key] = write(value)
	}
}

func each[T any](items []T, write func(T) object) list {
	l := make(list, 0, len(items))
	for _, item := range items {
		l = append(l, write(item))
	}
	return l
}

func strings(items []string) list {
	l := make(list, 0, len(items))
	for _, item := range items {
		l = append(l, item)
	}
	return l
}

func number(n int32) json.Number { return json.Number(strconv.Itoa(int(n))) }

// decimal writes an amount with at most six digits behind the point.
func decimal(f float64) json.Number {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(f, 'f', 6, 64), 64)
	if err != nil {
		rounded = f
	}
	return json.Number(strconv.FormatFloat(rounded, 'f', -1, 64))
}
