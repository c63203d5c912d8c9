// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxKey    = 2048
	maxValue  = 131072
	maxLabels = 6
	maxID     = 64
)

// The patterns are those that the server names in its refusals.
const (
	keyRule        = `^[a-zA-Z0-9._:-]+$`
	statusRule     = `^$|^(enabled|disabled)$`
	valueTypeRule  = `^$|^(ini|json|text|yaml|properties|xml)$`
	labelKeyRule   = `^[a-zA-Z0-9]{1,32}$|^[a-zA-Z0-9][a-zA-Z0-9_\-.]{1,30}[a-zA-Z0-9]$`
	labelValueRule = `^[a-zA-Z0-9]{0,160}$|^[a-zA-Z0-9][a-zA-Z0-9_\-.]{0,158}[a-zA-Z0-9]$`
	projectRule    = `^[a-zA-Z0-9]*$|^[a-zA-Z0-9][a-zA-Z0-9_\-.]*[a-zA-Z0-9]$`
)

var compiledRules = func() map[string]*regexp.Regexp {
	compiled := map[string]*regexp.Regexp{}
	for _, rule := range []string{keyRule, statusRule, valueTypeRule, labelKeyRule, labelValueRule, projectRule} {
		compiled[rule] = regexp.MustCompile(rule)
	}
	return compiled
}()

// violations collects what is wrong, in the words of the server.
type violations []string

func (v *violations) add(field, rule string) {
	*v = append(*v, fmt.Sprintf("field: %s, rule: %s", field, rule))
}

func (v *violations) pattern(field, value, rule string) {
	if !compiledRules[rule].MatchString(value) {
		v.add(field, rule)
	}
}

func (v *violations) longest(field, value string, characters int) {
	if utf8.RuneCountInString(value) > characters {
		v.add(field, fmt.Sprintf("max = %d", characters))
	}
}

// text is the refusal, "" where nothing is wrong.
func (v violations) text() string {
	if len(v) == 0 {
		return ""
	}
	return "validate failed, " + strings.Join(v, " | ")
}

// checkItem is what a new item must keep to.
func checkItem(item Item) string {
	var v violations
	v.pattern("KVDoc.Project", item.Project, projectRule)
	switch {
	case item.Key == "":
		v.add("KVDoc.Key", "min = 1")
	case utf8.RuneCountInString(item.Key) > maxKey:
		v.longest("KVDoc.Key", item.Key, maxKey)
	default:
		v.pattern("KVDoc.Key", item.Key, keyRule)
	}
	v.longest("KVDoc.Value", item.Value, maxValue)
	v.pattern("KVDoc.ValueType", item.ValueType, valueTypeRule)
	if len(item.Labels) > maxLabels {
		v.add("KVDoc.Labels", fmt.Sprintf("max = %d", maxLabels))
	}
	for _, key := range slices.Sorted(maps.Keys(item.Labels)) {
		field := "KVDoc.Labels[" + key + "]"
		v.pattern(field, key, labelKeyRule)
		v.pattern(field, item.Labels[key], labelValueRule)
	}
	v.pattern("KVDoc.Status", item.Status, statusRule)
	return v.text()
}

// checkUpdate is what a change must keep to.
func checkUpdate(id, value, status string) string {
	var v violations
	v.longest("UpdateKVRequest.ID", id, maxID)
	v.longest("UpdateKVRequest.Value", value, maxValue)
	v.pattern("UpdateKVRequest.Status", status, statusRule)
	return v.text()
}

// checkID is what an id in the path must keep to.
func checkID(request, id string) string {
	var v violations
	v.longest(request+".ID", id, maxID)
	return v.text()
}
