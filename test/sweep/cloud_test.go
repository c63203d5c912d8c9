// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

// tree is what the cloud holds of an object: records by their names.
type tree = map[string]any

// location is where two trees differ: keys of objects, and elements of lists.
type location []any

// element is an element of a list that is told by one of its own fields, or by its index where by is "".
type element struct {
	by    string
	value string
	index int
}

// String leaves out which element of a list it is.
func (l location) String() string {
	var text strings.Builder
	for i, step := range l {
		switch step := step.(type) {
		case element:
			text.WriteString("[]")
		case string:
			if i > 0 {
				text.WriteString(".")
			}
			text.WriteString(step)
		}
	}
	return text.String()
}

// tellers are the fields that tell the elements of a list apart.
var tellers = []string{"key", "id", "name", "path", "log_path"}

// differences lists where two values differ, as deep down as possible. What is absent equals what is empty.
func differences(a, b any, at location) []location {
	if reflect.DeepEqual(a, b) || isEmpty(a) && isEmpty(b) {
		return nil
	}
	below := func(step any) location { return append(slices.Clone(at), step) }
	var all []location
	switch x := a.(type) {
	case map[string]any:
		y, same := b.(map[string]any)
		if !same || len(x) == 0 || len(y) == 0 {
			return []location{at}
		}
		for _, key := range keysOf(x, y) {
			all = append(all, differences(x[key], y[key], below(key))...)
		}
		return all
	case []any:
		y, same := b.([]any)
		if !same || len(x) == 0 || len(y) == 0 {
			return []location{at}
		}
		if by := keyed(x, y); by != "" {
			was, is := index(x, by), index(y, by)
			for _, value := range keysOf(was, is) {
				all = append(all, differences(was[value], is[value], below(element{by: by, value: value}))...)
			}
			return all
		}
		if len(x) != len(y) {
			return []location{at}
		}
		for i := range x {
			all = append(all, differences(x[i], y[i], below(element{index: i}))...)
		}
		return all
	}
	return []location{at}
}

func keysOf(a, b map[string]any) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

// keyed returns the field that tells the elements of both lists apart, or "".
func keyed(lists ...[]any) string {
	for _, by := range tellers {
		if !slices.ContainsFunc(lists, func(list []any) bool { return len(index(list, by)) != len(list) }) {
			return by
		}
	}
	return ""
}

func index(list []any, by string) map[string]any {
	all := map[string]any{}
	for _, one := range list {
		object, _ := one.(map[string]any)
		if value, _ := object[by].(string); value != "" {
			all[value] = one
		}
	}
	return all
}

// valueAt returns what a tree holds at a location.
func valueAt(value any, at location) any {
	for _, step := range at {
		switch step := step.(type) {
		case string:
			object, _ := value.(map[string]any)
			value = object[step]
		case element:
			list, _ := value.([]any)
			value = nil
			if i := step.find(list); i >= 0 {
				value = list[i]
			}
		}
	}
	return value
}

func (e element) find(list []any) int {
	if e.by == "" {
		return min(e.index, len(list)-1)
	}
	return slices.IndexFunc(list, func(one any) bool {
		object, _ := one.(map[string]any)
		return object[e.by] == e.value
	})
}

// replaced returns a value with another one at a location; nil removes it.
func replaced(value any, at location, by any) any {
	if len(at) == 0 {
		return by
	}
	switch step := at[0].(type) {
	case string:
		object, _ := value.(map[string]any)
		object = maps.Clone(object)
		if object == nil {
			object = map[string]any{}
		}
		if inner := replaced(object[step], at[1:], by); inner == nil {
			delete(object, step)
		} else {
			object[step] = inner
		}
		return object
	case element:
		list, _ := value.([]any)
		list = slices.Clone(list)
		i := step.find(list)
		switch {
		case i < 0 && by == nil:
		case i < 0:
			list = append(list, replaced(nil, at[1:], by))
		default:
			if inner := replaced(list[i], at[1:], by); inner == nil {
				list = slices.Delete(list, i, i+1)
			} else {
				list[i] = inner
			}
		}
		return list
	}
	return value
}

// reverted returns a tree with what another holds at the locations.
func reverted(is, was tree, where []location) tree {
	var changed any = runtime.DeepCopyJSON(is)
	for _, at := range where {
		changed = replaced(changed, at, valueAt(was, at))
	}
	back, _ := changed.(tree)
	return back
}

// without returns a tree that holds nothing at the locations.
func without(is tree, where []location) tree { return reverted(is, tree{}, where) }

// mergePatch returns the RFC 7396 patch that makes one record another.
func mergePatch(from, to map[string]any) map[string]any {
	patch := map[string]any{}
	for key, value := range to {
		was, wasObject := from[key].(map[string]any)
		is, isObject := value.(map[string]any)
		switch {
		case reflect.DeepEqual(from[key], value):
		case wasObject && isObject:
			patch[key] = mergePatch(was, is)
		default:
			patch[key] = value
		}
	}
	for key := range from {
		if _, stays := to[key]; !stays {
			patch[key] = nil
		}
	}
	return patch
}

// holds says what a tree lacks of another.
func holds(whole, part tree) error {
	for name, record := range part {
		if where := differences(record, whole[name], location{name}); len(where) > 0 {
			return fmt.Errorf("the cloud holds %v at %s, not %v", valueAt(whole, where[0]), where[0], valueAt(part, where[0]))
		}
	}
	return nil
}

// texts of locations, each once.
func textsOf(where []location) []string {
	var all []string
	for _, at := range where {
		all = append(all, at.String())
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// isEmpty says whether a value is as good as none.
func isEmpty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	default:
		return false
	}
}
