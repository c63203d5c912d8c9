// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package planning

import (
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"servicestage.dev/operator/internal/cli/output"
	"servicestage.dev/operator/internal/cli/secret"
	"servicestage.dev/operator/internal/reconciler"
)

// change says what is at a path in the cloud and in the spec. Ids are those of environments by their objects' names.
func change(path string, obj, cloud reconciler.Object, ids map[string]string) Change {
	c := Change{Path: path}
	wanted, isWanted := at(content(obj), path, nil)
	if path == "spec.name" && !isWanted {
		wanted, isWanted = obj.GetName(), true
	}
	held, isHeld := at(content(cloud), path, ids)
	if isHeld {
		held = masked(path, held, wanted)
	}
	if isWanted {
		wanted = masked(path, wanted, held)
		c.To = show(wanted)
	}
	if isHeld {
		c.From = show(held)
	}
	return c
}

func content(obj reconciler.Object) map[string]any {
	if obj == nil {
		return nil
	}
	c, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil // what cannot be shown is left out of what is shown
	}
	return c
}

// at finds the value at a path such as spec.labels[stage] or spec.configurations[dev].env[LOG_LEVEL].
func at(c map[string]any, path string, aliases map[string]string) (any, bool) {
	var value any = c
	for path != "" {
		var key string
		if rest, bracket := strings.CutPrefix(path, "["); bracket {
			if key, path, bracket = strings.Cut(rest, "]"); !bracket {
				return nil, false
			}
			found := false
			if value, found = entry(value, key, aliases[key]); !found {
				return nil, false
			}
		} else {
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			key, path = path[:end], path[end:]
			fields, _ := value.(map[string]any)
			found := false
			if value, found = fields[key]; !found {
				return nil, false
			}
		}
		path = strings.TrimPrefix(path, ".")
	}
	return value, true
}

// entry finds an entry of a map by its key, or of a list by what identifies it.
func entry(value any, key, alias string) (any, bool) {
	if fields, ok := value.(map[string]any); ok {
		found, there := fields[key]
		return found, there
	}
	list, _ := value.([]any)
	for _, e := range list {
		fields, _ := e.(map[string]any)
		for _, id := range identifiers(fields) {
			if id == key || alias != "" && id == alias {
				return e, true
			}
		}
	}
	return nil, false
}

// identifiers are the words by which paths call an entry of a list.
func identifiers(e map[string]any) []string {
	text := func(v any) string {
		s, _ := v.(string)
		return s
	}
	ids := []string{}
	if name := text(e["name"]); name != "" {
		ids = append(ids, name)
	}
	if key := text(e["key"]); key != "" {
		ids = append(ids, key)
	}
	if ref, ok := e["environmentRef"].(map[string]any); ok {
		ids = append(ids, text(ref["name"])+text(ref["id"]))
	}
	if kind := text(e["type"]); kind != "" {
		ids = append(ids, kind+"/"+text(e["id"]))
	}
	return ids
}

// masked hides what may be secret in a value. The other side's value tells, too: what comes from a Secret is one.
func masked(path string, value, other any) any {
	if fromSecret(other) && !fromSecret(value) {
		return secret.Mask
	}
	name := ""
	if open := strings.LastIndex(path, "["); open >= 0 {
		name = strings.TrimSuffix(path[open+1:], "]")
	}
	return hide(name, value)
}

func fromSecret(v any) bool {
	fields, _ := v.(map[string]any)
	source, _ := fields["valueFrom"].(map[string]any)
	_, is := source["secretKeyRef"]
	return is
}

// hide masks secrets in decoded JSON. Name is what users call the value; fields have none. References to Secrets are no
// secrets.
func hide(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		hidden := map[string]any{}
		own, _ := v["name"].(string)
		for key, field := range v {
			switch {
			case key == "value" && own != "":
				hidden[key] = hide(own, field)
			case strings.HasSuffix(key, "Ref") || key == "valueFrom":
				hidden[key] = field
			default:
				hidden[key] = hide("", field)
			}
		}
		return hidden
	case []any:
		hidden := []any{}
		whole := ""
		for _, item := range v {
			hidden = append(hidden, hide(name, item))
			whole = fmt.Sprint(whole, " ", item)
		}
		if _, texts := first(v).(string); texts && secret.In(whole) {
			return secret.Mask
		}
		return hidden
	case string:
		if secret.Is(name, v) || secret.In(v) {
			return secret.Mask
		}
	}
	return v
}

func first(list []any) any {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// longest is how much is shown of a value.
const longest = 120

// show writes a value on one line. A variable is its value, or where that comes from.
func show(v any) string {
	fields, _ := v.(map[string]any)
	if value, ok := fields["value"]; ok && fields["name"] != nil {
		return show(value)
	}
	if source, ok := fields["valueFrom"].(map[string]any); ok {
		for kind, words := range map[string]string{"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"} {
			if ref, ok := source[kind].(map[string]any); ok {
				return fmt.Sprintf("(key %v of %s %v)", ref["key"], words, ref["name"])
			}
		}
	}
	data, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	text := []rune(output.Printable(string(data)))
	if len(text) > longest {
		return string(text[:longest-1]) + "…"
	}
	return string(text)
}
