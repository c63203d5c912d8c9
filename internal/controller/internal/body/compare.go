// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package body

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	gostrings "strings"
)

// updatable are the fields of an update (table 5-156, and those that newer clouds know). An update must repeat what the
// cloud holds of them.
var updatable = []string{
	"name", "labels", "runtime_stack", "description", "source", "build", "limit_cpu", "limit_memory", "request_cpu",
	"request_memory", "version", "envs", "replica", "storages", "deploy_strategy", "command", "post_start", "pre_stop",
	"mesher", "timezone", "jvm_opts", "tomcat_opts", "logs", "custom_metric", "affinity", "anti_affinity",
	"liveness_probe", "readiness_probe", "refer_resources", "external_accesses", "update_strategy",
}

// specPaths are the paths of the spec that the fields stand for, where the names differ by more than their case.
var specPaths = map[string]string{
	"limit_cpu": "spec.resources.limits.cpu", "limit_memory": "spec.resources.limits.memory",
	"request_cpu": "spec.resources.requests.cpu", "request_memory": "spec.resources.requests.memory",
	"envs": "spec.env", "replica": "spec.replicas", "storages": "spec.volumes", "runtime_stack": "spec.runtimeStack",
	"post_start": "spec.lifecycle.postStart", "pre_stop": "spec.lifecycle.preStop", "jvm_opts": "spec.jvmOptions",
	"tomcat_opts": "spec.tomcat", "custom_metric": "spec.customMetrics", "anti_affinity": "spec.antiAffinity",
	"liveness_probe": "spec.livenessProbe", "readiness_probe": "spec.readinessProbe",
	"refer_resources": "spec.references", "external_accesses": "spec.externalAccesses", "update_strategy": "spec.updateStrategy",
}

func specPath(field string) string {
	if path, ok := specPaths[field]; ok {
		return path
	}
	return "spec." + field
}

// Observed is what the cloud holds of the updatable fields, in the words of an update, without what the cloud added
// itself.
func Observed(record map[string]any) map[string]any {
	b := object{}
	for _, field := range updatable {
		if value, ok := record[field]; ok && value != nil {
			b[field] = value
		}
	}
	if value, ok := record["custom_metrics"]; ok && b["custom_metric"] == nil && value != nil {
		b["custom_metric"] = value
	}
	if envs, ok := b["envs"].(list); ok {
		b["envs"] = slices.DeleteFunc(slices.Clone(envs), func(e any) bool { return addedByCloud(e, nil) })
	}
	return b
}

// Overlay is the body of an update: what the cloud holds, overlaid with what is wanted. Objects are merged, everything
// else is replaced. An environment variable that the cloud adds itself is left to it.
func Overlay(observed, wanted map[string]any) map[string]any {
	b := maps.Clone(observed)
	for key, value := range wanted {
		was, merges := b[key].(object)
		is, also := value.(object)
		if merges && also && !whole[key] {
			b[key] = Overlay(was, is)
			continue
		}
		b[key] = said(value)
	}
	return b
}

// said is a value without the nils in it: a body does not name what is not to be there.
func said(value any) any {
	switch v := value.(type) {
	case object:
		b := object{}
		for key, inner := range v {
			if inner != nil {
				b[key] = said(inner)
			}
		}
		return b
	case list:
		l := make(list, 0, len(v))
		for _, inner := range v {
			l = append(l, said(inner))
		}
		return l
	}
	return value
}

// whole are objects that mean something as a whole only: a probe that was HTTP must not keep its path when it becomes a
// command.
var whole = map[string]bool{
	"source": true, "post_start": true, "pre_stop": true, "liveness_probe": true, "readiness_probe": true,
	"affinity": true, "anti_affinity": true, "deploy_strategy": true, "runtime_stack": true, "value_from": true,
	usersKeys: true,
}

// usersKeys is the object whose keys are the user's own: there is none but those of the spec.
const usersKeys = "node_label_selector"

// Diff lists the paths of the spec in which the record differs from what is wanted, sorted. Only what is wanted is
// compared.
func Diff(wanted, record map[string]any) []string {
	observed := Observed(record)
	var paths []string
	for field, want := range wanted {
		switch field {
		case "envs":
			paths = append(paths, diffEnvs(want, record["envs"])...)
		case "storages":
			paths = append(paths, diffNamed(specPath(field), want, observed[field])...)
		case ExternalAccesses:
			if have, shown := record[field]; shown && !sameSet(want, onlyHTTP(have)) {
				paths = append(paths, specPath(field))
			}
		case "command":
			paths = append(paths, diffCommand(want, observed[field])...)
		case "runtime_stack":
			if !holds(withoutVersion(want), observed[field]) {
				paths = append(paths, specPath(field))
			}
		case "refer_resources":
			paths = append(paths, diffReferences(want, observed[field])...)
		default:
			if !holds(want, observed[field]) {
				paths = append(paths, specPath(field))
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// diffCommand tells the command from its arguments, which are one field in the cloud.
func diffCommand(want, have any) []string {
	var paths []string
	for key, value := range obj(want) {
		if !holds(value, obj(have)[key]) {
			paths = append(paths, specPath(key))
		}
	}
	return paths
}

// withoutVersion drops the version of a runtime stack, which the cloud moves on by itself.
func withoutVersion(stack any) any {
	o, _ := stack.(object)
	o = maps.Clone(o)
	delete(o, "version")
	return o
}

// holds says whether have holds all of want: of objects the wanted keys are compared, lists as a whole and in order.
// Numbers are compared by value, and what is absent equals what is empty.
func holds(want, have any) bool {
	switch w := want.(type) {
	case object:
		h, isObject := have.(object)
		if others, isList := have.(list); !isObject && isList && len(others) > 0 {
			return false
		}
		for key, value := range w {
			if inner, _ := h[key].(object); key == usersKeys && len(inner) != len(obj(value)) || !holds(value, h[key]) {
				return false
			}
		}
		return true
	case list:
		h, _ := have.(list)
		if len(w) != len(h) {
			return false
		}
		for i := range w {
			if !holds(w[i], h[i]) {
				return false
			}
		}
		return true
	default:
		return sameScalar(want, have)
	}
}

func sameScalar(a, b any) bool {
	if x, ok := asNumber(a); ok {
		y, also := asNumber(b)
		return (also && x == y) || (b == nil && x == 0)
	}
	if empty(a) && empty(b) {
		return true
	}
	return a == b
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	case list:
		return len(v) == 0
	case object:
		return len(v) == 0
	default:
		n, isNumber := asNumber(v)
		return isNumber && n == 0
	}
}

// asNumber reads a number, also one that the cloud writes as a string where a number is wanted.
func asNumber(v any) (float64, bool) {
	switch n := v.(type) {
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	case float64:
		return n, true
	case int:
		return float64(n), true
	default:
		return 0, false
	}
}

// serverPrefixes begin the names of variables that the cloud adds itself.
var serverPrefixes = []string{"PAAS_", "AOM_", "CAS_"}

// addedByCloud says whether the cloud added a variable itself: no wanted one is.
func addedByCloud(env any, wanted map[string]any) bool {
	e, _ := env.(object)
	name, _ := e["name"].(string)
	if _, ours := wanted[name]; ours {
		return false
	}
	if inner, _ := e["inner"].(bool); inner || name == "TZ" {
		return true
	}
	return slices.ContainsFunc(serverPrefixes, func(p string) bool { return gostrings.HasPrefix(name, p) })
}

func diffEnvs(want, have any) []string {
	wanted := byName(want)
	var theirs list
	held, _ := have.(list)
	for _, e := range held {
		if !addedByCloud(e, wanted) {
			theirs = append(theirs, e)
		}
	}
	return diffNamed("spec.env", want, theirs)
}

// diffNamed compares lists whose entries have names; their order does not matter.
func diffNamed(path string, want, have any) []string {
	wanted, held := byName(want), byName(have)
	var paths []string
	for name, w := range wanted {
		if h, found := held[name]; !found || !holds(w, h) {
			paths = append(paths, fmt.Sprintf("%s[%s]", path, name))
		}
	}
	for name := range held {
		if _, found := wanted[name]; !found {
			paths = append(paths, fmt.Sprintf("%s[%s]", path, name))
		}
	}
	return paths
}

func byName(v any) map[string]any {
	m := map[string]any{}
	entries, _ := v.(list)
	for _, entry := range entries {
		if o, ok := entry.(object); ok {
			name, _ := o["name"].(string)
			m[name] = o
		}
	}
	return m
}

// diffReferences compares the wanted resources with those that are bound: more may be.
func diffReferences(want, have any) []string {
	wanted, _ := want.(list)
	held, _ := have.(list)
	var paths []string
	for _, w := range wanted {
		found := slices.ContainsFunc(held, func(h any) bool { return holds(w, h) })
		if o, ok := w.(object); ok && !found {
			path := fmt.Sprintf("spec.references[%v/%v]", o["type"], o["id"])
			if o["type"] == "ecs" {
				path = "spec.hosts"
			}
			paths = append(paths, path)
		}
	}
	return paths
}

// onlyHTTP drops the accesses of other protocols, which are the cloud's.
func onlyHTTP(v any) list {
	var kept list
	entries, _ := v.(list)
	for _, entry := range entries {
		o, _ := entry.(object)
		protocol, _ := o["protocol"].(string)
		if p := gostrings.ToLower(protocol); p == "http" || p == "https" {
			kept = append(kept, entry)
		}
	}
	return kept
}

// sameSet compares lists whose order does not matter.
func sameSet(want any, have list) bool {
	wanted, _ := want.(list)
	if len(wanted) != len(have) {
		return false
	}
	for _, w := range wanted {
		if !slices.ContainsFunc(have, func(h any) bool { return holds(w, h) }) {
			return false
		}
	}
	return true
}

// Int reads a whole number at a path of a record.
func Int(record map[string]any, path ...string) (int32, bool) {
	var v any = record
	for _, key := range path {
		o, _ := v.(object)
		v = o[key]
	}
	if s, ok := v.(string); ok {
		n, err := strconv.ParseInt(s, 10, 32)
		return int32(n), err == nil
	}
	n, ok := asNumber(v)
	return int32(n), ok
}
