// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package body

import (
	"math"
	"slices"
	gostrings "strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"

	"servicestage.dev/operator/api/v1alpha1"
)

// Spec is the spec that says what a record of the cloud holds, the inverse of Wanted: Diff(Wanted(Spec(r)), r) is empty
// as far as a spec can say it. What the cloud adds itself is left out, and so is what no field stands for. What is
// referred to is referred to by id. A deploy strategy is no state and not part of it.
func Spec(record map[string]any) v1alpha1.ComponentSpec {
	b := Observed(record)
	spec := v1alpha1.ComponentSpec{
		Version: str(b["version"]), RuntimeStack: stackSpec(b["runtime_stack"]), Source: sourceSpec(b["source"]),
		Build: buildSpec(b["build"]), Replicas: countSpec(b, "replica"), Description: textSpec(b["description"]),
		Timezone: textSpec(b["timezone"]), JVMOptions: textSpec(b["jvm_opts"]), Resources: resourcesSpec(b),
		LivenessProbe: probeSpec(b["liveness_probe"]), ReadinessProbe: probeSpec(b["readiness_probe"]),
		Affinity: affinitySpec(b["affinity"]), AntiAffinity: affinitySpec(b["anti_affinity"]),
		UpdateStrategy: updateStrategySpec(b["update_strategy"]),
	}
	spec.Env = eachOf(b["envs"], envSpec)
	spec.Volumes = eachOf(b["storages"], volumeSpec)
	spec.Logs = eachOf(b["logs"], logSpec)
	spec.ExternalAccesses = eachOf(any(onlyHTTP(b["external_accesses"])), accessSpec)
	command := obj(b["command"])
	spec.Command, spec.Args = texts(command["command"]), texts(command["args"])
	if start, stop := handlerSpec(b["post_start"]), handlerSpec(b["pre_stop"]); start != nil || stop != nil {
		spec.Lifecycle = &v1alpha1.ComponentLifecycle{PostStart: start, PreStop: stop}
	}
	if port := integer(obj(b["mesher"])["port"]); port != 0 {
		spec.Mesher = &v1alpha1.Mesher{Port: port}
	}
	if xml := str(obj(b["tomcat_opts"])["server_xml"]); xml != "" {
		spec.Tomcat = &v1alpha1.Tomcat{ServerXML: xml}
	}
	if m := obj(b["custom_metric"]); str(m["path"]) != "" {
		spec.CustomMetrics = &v1alpha1.CustomMetrics{Path: str(m["path"]), Port: integer(m["port"]), Dimensions: str(m["dimensions"])}
	}
	referencesSpec(&spec, b["refer_resources"])
	return spec
}

// HeldStrategy is the strategy of a gray release that waits at its first batch: without it an update would go on.
func HeldStrategy(record map[string]any) *v1alpha1.DeployStrategy {
	g := obj(obj(record["deploy_strategy"])["gray_release"])
	weight := integer(g["first_batch_weight"])
	gray := &v1alpha1.GrayRelease{
		FirstBatchWeight: &weight, FirstBatchReplicas: max(integer(g["first_batch_replica"]), 1),
		RemainingBatches: max(integer(g["remaining_batches"]), integer(g["remaining_batch"]), 1), Hold: true,
	}
	if gostrings.EqualFold(str(g["type"]), "content") {
		gray.TrafficType = "Content"
	}
	gray.ReplicaSurgeMode, gray.RuleMatchMode = str(g["replica_surge_mode"]), str(g["rule_match_mode"])
	gray.DeploymentMode = integer(g["deployment_mode"])
	gray.Rules = eachOf(g["rules"], func(r object) (v1alpha1.GrayRule, bool) {
		return v1alpha1.GrayRule{Type: str(r["type"]), Key: str(r["key"]), Condition: str(r["condition"]), Value: str(r["value"])}, true
	})
	return &v1alpha1.DeployStrategy{Type: v1alpha1.GrayReleaseType, GrayRelease: gray}
}

func stackSpec(v any) v1alpha1.RuntimeStack {
	o := obj(v)
	return v1alpha1.RuntimeStack{
		Name: str(o["name"]), Type: str(o["type"]), Version: str(o["version"]), DeployMode: v1alpha1.DeployMode(str(o["deploy_mode"])),
	}
}

func sourceSpec(v any) v1alpha1.ComponentSource {
	o := obj(v)
	switch str(o["kind"]) {
	case "package":
		return v1alpha1.ComponentSource{Package: &v1alpha1.PackageSource{
			URL: str(o["url"]), Storage: str(o["storage"]), Auth: str(o["auth"]), Version: str(o["version"]),
		}}
	case "image":
		return v1alpha1.ComponentSource{Image: &v1alpha1.ImageSource{
			URL: str(o["url"]), Storage: str(o["storage"]), Auth: str(o["auth"]), Version: str(o["version"]),
		}}
	case "code":
		return v1alpha1.ComponentSource{Code: &v1alpha1.CodeSource{
			RepoType: str(o["repo_type"]), RepoURL: str(o["repo_url"]), Authorization: str(o["repo_auth"]), WebURL: str(o["web_url"]),
			Namespace: str(o["repo_namespace"]), Ref: str(o["repo_ref"]), Version: str(o["version"]),
		}}
	default:
		return v1alpha1.ComponentSource{}
	}
}

func buildSpec(v any) *v1alpha1.ComponentBuild {
	p := obj(obj(v)["parameters"])
	if str(p["cluster_id"]) == "" {
		return nil
	}
	b := &v1alpha1.ComponentBuild{
		Command: str(p["build_cmd"]), DockerfilePath: str(p["dockerfile_path"]), ArtifactNamespace: str(p["artifact_namespace"]),
		ClusterID: str(p["cluster_id"]),
	}
	if id := str(p["environment_id"]); id != "" {
		b.EnvironmentRef = &v1alpha1.Reference{ID: id}
	}
	for key, value := range obj(p["node_label_selector"]) {
		if b.NodeSelector == nil {
			b.NodeSelector = map[string]string{}
		}
		b.NodeSelector[key] = str(value)
	}
	return b
}

func resourcesSpec(b object) *v1alpha1.ComponentResources {
	amount := func(prefix string) *v1alpha1.ComputeAmount {
		cpu, memory := quantity(b[prefix+"_cpu"], resource.DecimalSI, 1), quantity(b[prefix+"_memory"], resource.BinarySI, 1<<30)
		if cpu == nil && memory == nil {
			return nil
		}
		return &v1alpha1.ComputeAmount{CPU: cpu, Memory: memory}
	}
	limits, requests := amount("limit"), amount("request")
	if limits == nil && requests == nil {
		return nil
	}
	return &v1alpha1.ComponentResources{Limits: limits, Requests: requests}
}

// quantity reads an amount that the cloud counts in units.
func quantity(v any, format resource.Format, unit float64) *resource.Quantity {
	f, ok := asNumber(v)
	if !ok || f == 0 {
		return nil
	}
	if whole := f * unit; whole == math.Trunc(whole) {
		return resource.NewQuantity(int64(whole), format)
	}
	if format == resource.BinarySI {
		return resource.NewQuantity(int64(math.Round(f*unit)), format)
	}
	return resource.NewScaledQuantity(int64(math.Round(f*1e6)), resource.Micro)
}

func envSpec(o object) (v1alpha1.ComponentEnvVar, bool) {
	e := v1alpha1.ComponentEnvVar{Name: str(o["name"])}
	from := obj(o["value_from"])
	key := &v1alpha1.WorkloadKeySelector{Name: str(from["name"]), Key: str(from["key"])}
	if optional, ok := from["optional"].(bool); ok {
		key.Optional = &optional
	}
	switch str(from["reference_type"]) {
	case "secretKey":
		e.ValueFrom = &v1alpha1.WorkloadValueSource{SecretKeyRef: key}
	case "configMapKey":
		e.ValueFrom = &v1alpha1.WorkloadValueSource{ConfigMapKeyRef: key}
	default:
		value := str(o["value"])
		e.Value = &value
	}
	return e, e.Name != ""
}

func volumeSpec(o object) (v1alpha1.ComponentVolume, bool) {
	p := obj(o["parameters"])
	v := v1alpha1.ComponentVolume{Name: str(o["name"]), Mounts: eachOf(o["mounts"], func(m object) (v1alpha1.VolumeMount, bool) {
		readOnly, _ := m["read_only"].(bool)
		return v1alpha1.VolumeMount{Path: str(m["path"]), SubPath: str(m["sub_path"]), ReadOnly: readOnly}, true
	})}
	named := &v1alpha1.NamedVolume{Name: str(p["name"])}
	if _, given := asNumber(p["default_mode"]); given {
		named.DefaultMode = new(integer(p["default_mode"]))
	}
	switch str(o["type"]) {
	case "HostPath":
		v.HostPath = &v1alpha1.HostPathVolume{Path: str(p["path"])}
	case "EmptyDir":
		v.EmptyDir = &v1alpha1.EmptyDirVolume{}
		if gostrings.EqualFold(str(p["medium"]), "memory") {
			v.EmptyDir.Medium = "Memory"
		}
	case "ConfigMap":
		v.ConfigMap = named
	case "Secret":
		v.Secret = named
	case "PersistentVolumeClaim":
		v.PersistentVolumeClaim = &v1alpha1.ClaimVolume{ClaimName: str(p["name"])}
	}
	return v, true
}

func handlerSpec(v any) *v1alpha1.LifecycleHandler {
	switch o := obj(v); str(o["type"]) {
	case "command":
		return &v1alpha1.LifecycleHandler{Exec: &v1alpha1.ExecAction{Command: texts(o["command"])}}
	case "http":
		return &v1alpha1.LifecycleHandler{HTTPGet: httpGetSpec(o)}
	default:
		return nil
	}
}

func httpGetSpec(o object) *v1alpha1.HTTPGetAction {
	return &v1alpha1.HTTPGetAction{Path: str(o["path"]), Port: integer(o["port"]), Host: str(o["host"]), Scheme: str(o["scheme"])}
}

func probeSpec(v any) *v1alpha1.ComponentProbe {
	o := obj(v)
	p := &v1alpha1.ComponentProbe{InitialDelaySeconds: integer(o["delay"]), TimeoutSeconds: integer(o["timeout"])}
	switch str(o["type"]) {
	case "command":
		p.Exec = &v1alpha1.ExecAction{Command: texts(o["command"])}
	case "http":
		p.HTTPGet = httpGetSpec(o)
	case "tcp":
		p.TCPSocket = &v1alpha1.TCPSocketAction{Port: integer(o["port"])}
	default:
		return nil
	}
	return p
}

func logSpec(o object) (v1alpha1.LogCollection, bool) {
	return v1alpha1.LogCollection{
		Path: str(o["log_path"]), HostPath: str(o["host_path"]), HostExtendPath: str(o["host_extend_path"]), Rotate: str(o["rotate"]),
	}, true
}

func accessSpec(o object) (v1alpha1.ExternalAccess, bool) {
	return v1alpha1.ExternalAccess{Protocol: str(o["protocol"]), Address: str(o["address"]), Port: integer(o["forward_port"])}, true
}

func affinitySpec(v any) *v1alpha1.ComponentAffinity {
	a := &v1alpha1.ComponentAffinity{Rules: eachOf(v, affinityRuleSpec)}
	o := obj(v)
	a.AvailabilityZones, a.Nodes = texts(o["az"]), texts(o["node"])
	a.Components = eachOf(o["component"], func(c object) (v1alpha1.AffinityComponent, bool) {
		return v1alpha1.AffinityComponent{Name: str(c["name"]), DisplayName: str(c["displayName"])}, true
	})
	if len(a.Rules)+len(a.AvailabilityZones)+len(a.Nodes)+len(a.Components) == 0 {
		return nil
	}
	return a
}

func affinityRuleSpec(o object) (v1alpha1.AffinityRule, bool) {
	rule := v1alpha1.AffinityRule{
		Condition: str(o["condition"]), Kind: str(o["kind"]),
		MatchExpressions: eachOf(o["match_expressions"], func(e object) (v1alpha1.AffinityExpression, bool) {
			return v1alpha1.AffinityExpression{Key: str(e["key"]), Operation: str(e["operation"]), Value: str(e["value"])}, true
		}),
	}
	if _, given := asNumber(o["weight"]); given {
		rule.Weight = new(integer(o["weight"]))
	}
	return rule, true
}

// referenceTypes are those that spec.references knows; servers are spec.hosts. Others stay as the cloud has them.
var referenceTypes = []string{"vpc", "eip", "elb", "cce", "as", "cse", "dcs", "rds"}

func referencesSpec(spec *v1alpha1.ComponentSpec, v any) {
	for _, entry := range objects(v) {
		kind, id, p := str(entry["type"]), str(entry["id"]), obj(entry["parameters"])
		switch {
		case kind == "ecs":
			spec.Hosts = append(spec.Hosts, texts(p["hosts"])...)
		case id != "" && slices.Contains(referenceTypes, kind):
			ref := v1alpha1.ComponentReference{Type: kind, ID: id}
			if kind == "cce" {
				ref.Namespace = str(p["namespace"])
			}
			spec.References = append(spec.References, ref)
		}
	}
}

func updateStrategySpec(v any) *v1alpha1.UpdateStrategy {
	o := obj(v)
	if len(o) == 0 {
		return nil
	}
	return &v1alpha1.UpdateStrategy{
		Type: str(o["type"]), MaxSurge: amountSpec(o["max_surge"]), MaxUnavailable: amountSpec(o["max_unavailable"]),
		MinReadySeconds: countSpec(o, "min_ready_seconds"), RevisionHistoryLimit: countSpec(o, "revision_history_limit"),
		ProgressDeadlineSeconds:       countSpec(o, "progress_deadline_seconds"),
		TerminationGracePeriodSeconds: countSpec(o, "termination_period_seconds"),
	}
}

// amountSpec reads a number or a percentage.
func amountSpec(v any) *intstr.IntOrString {
	if _, isNumber := asNumber(v); isNumber {
		return new(intstr.FromInt32(integer(v)))
	}
	if s := str(v); s != "" {
		return new(intstr.FromString(s))
	}
	return nil
}

func countSpec(o object, field string) *int32 {
	if n, given := Int(o, field); given {
		return &n
	}
	return nil
}

// textSpec is nil for an empty text: the cloud does not tell it from none.
func textSpec(v any) *string {
	if s := str(v); s != "" {
		return &s
	}
	return nil
}

// The reading of decoded JSON: what is missing or of another form is empty.

func obj(v any) object {
	o, _ := v.(object)
	return o
}

func objects(v any) []object {
	entries, _ := v.(list)
	var all []object
	for _, entry := range entries {
		if o, ok := entry.(object); ok {
			all = append(all, o)
		}
	}
	return all
}

func eachOf[T any](v any, read func(object) (T, bool)) []T {
	var all []T
	for _, o := range objects(v) {
		if one, ok := read(o); ok {
			all = append(all, one)
		}
	}
	return all
}

func str(v any) string {
	s, _ := v.(string)
	return s
}

func texts(v any) []string {
	entries, _ := v.(list)
	var all []string
	for _, entry := range entries {
		all = append(all, str(entry))
	}
	return all
}

func integer(v any) int32 {
	n, _ := Int(object{"n": v}, "n")
	return n
}
