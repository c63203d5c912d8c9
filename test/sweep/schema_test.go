// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
)

// field is one field of a spec: a value, a map or a list of values, or, where optional, what holds other fields.
type field struct {
	// path such as spec.env[].name.
	path   string
	schema *apiextensionsv1.JSONSchemaProps
	// holds is set for what holds other fields.
	holds bool
}

// fieldsOf lists the fields below a schema: those that hold others after what they hold.
func fieldsOf(path string, schema *apiextensionsv1.JSONSchemaProps, required bool) []field {
	inner, below := schema, path
	if schema.Items != nil && len(schema.Items.Schema.Properties) > 0 {
		inner, below = schema.Items.Schema, path+"[]"
	}
	if len(inner.Properties) == 0 {
		return []field{{path: path, schema: schema}}
	}
	var all []field
	for _, name := range slices.Sorted(maps.Keys(inner.Properties)) {
		property := inner.Properties[name]
		all = append(all, fieldsOf(below+"."+name, &property, slices.Contains(inner.Required, name))...)
	}
	if !required && strings.Contains(path, ".") {
		all = append(all, field{path: path, schema: schema, holds: true})
	}
	return all
}

// emptiable says whether the schema has a value that says "empty", and returns it.
func (f field) emptiable() (any, bool) {
	s := f.schema
	switch s.Type {
	case "array":
		return []any{}, s.MinItems == nil || *s.MinItems == 0
	case "object":
		return map[string]any{}, !f.holds && (s.MinProperties == nil || *s.MinProperties == 0)
	case "string":
		return "", s.Enum == nil && s.Pattern == "" && (s.MinLength == nil || *s.MinLength == 0)
	default:
		return nil, false
	}
}

// another makes another value of the field than the one given.
func (f field) another(value any) (any, error) {
	s := f.schema
	if s.Enum != nil {
		for _, raw := range s.Enum {
			var one any
			if err := json.Unmarshal(raw.Raw, &one); err != nil {
				return nil, err
			}
			if one != value && one != "" {
				return one, nil
			}
		}
	}
	switch v := value.(type) {
	case bool:
		return !v, nil
	case int64:
		if s.Maximum != nil && float64(v+1) > *s.Maximum {
			return v - 1, nil
		}
		return v + 1, nil
	case string:
		return v + "2", nil
	case []any:
		return append(slices.Clone(v), "another"), nil
	case map[string]any:
		changed := maps.Clone(v)
		for key := range changed {
			changed[key] = fmt.Sprint(changed[key], "2")
		}
		changed["another"] = "value"
		return changed, nil
	}
	return nil, fmt.Errorf("%s: no other value than %v can be made up: add one to the table", f.path, value)
}

// place is where a field is in one spec: keys of objects and indexes of lists.
type place []any

// find returns the first place of a path in a spec.
func find(spec map[string]any, path string) (place, bool) {
	return findIn(spec, strings.Split(strings.TrimPrefix(path, "spec."), "."))
}

func findIn(value any, keys []string) (place, bool) {
	if len(keys) == 0 {
		return place{}, true
	}
	key, isList := strings.CutSuffix(keys[0], "[]")
	object, _ := value.(map[string]any)
	inner, there := object[key]
	if !there {
		return nil, false
	}
	if !isList {
		rest, found := findIn(inner, keys[1:])
		return append(place{key}, rest...), found
	}
	list, _ := inner.([]any)
	for i, element := range list {
		if rest, found := findIn(element, keys[1:]); found {
			return append(place{key, i}, rest...), true
		}
	}
	return nil, false
}

// absent is the value of a field that is left out.
type absent struct{}

// at returns the value at a place.
func (p place) at(spec map[string]any) any {
	var value any = spec
	for _, step := range p {
		switch step := step.(type) {
		case string:
			object, _ := value.(map[string]any)
			value = object[step]
		case int:
			list, _ := value.([]any)
			value = list[step]
		}
	}
	return value
}

// with returns a copy of a spec with another value at a place; absent removes.
func (p place) with(spec map[string]any, value any) map[string]any {
	changed := runtime.DeepCopyJSON(spec)
	holder, _ := p[:len(p)-1].at(changed).(map[string]any)
	key, _ := p[len(p)-1].(string)
	if _, remove := value.(absent); remove {
		delete(holder, key)
	} else {
		holder[key] = value
	}
	return changed
}
