// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Lengths are in characters, from tables 5-3, 5-20, 5-46 and 5-60 and, where marked, from the OpenAPI definitions.
const (
	maxNameLength        = 64
	minNameLength        = 2
	maxDescriptionLength = 128
	maxReferenceLength   = 64 // vpc_id, enterprise_project_id, resource id and name (OpenAPI)
	maxLabels            = 10 // tags per resource
)

var (
	documentedName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*[A-Za-z0-9]$`)
	lowercaseName  = regexp.MustCompile(`^[a-z0-9-]+$`)
	looseName      = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

	strictLabelKey   = regexp.MustCompile(`^[A-Za-z0-9_\x{4e00}-\x{9fff}-]{1,36}$`)
	strictLabelValue = regexp.MustCompile(`^[A-Za-z0-9_.\x{4e00}-\x{9fff}-]{0,43}$`)
	labelKey         = regexp.MustCompile(`^[\p{L}\p{N} _.:=+@-]{1,128}$`)
	labelValue       = regexp.MustCompile(`^[\p{L}\p{N} _.:/=+@-]{0,255}$`)
)

// checkName applies the rule that the switch names; the documented one is 2 to 64 letters, digits, hyphens and
// underscores, a letter first, a letter or digit last.
func checkName(name, rule string) error {
	pattern, words := documentedName, "consist of letters, digits, hyphens and underscores, start with a letter and end with a letter or digit"
	switch rule {
	case "lowercase":
		pattern, words = lowercaseName, "consist of lower-case letters, digits and hyphens"
	case "loose":
		pattern, words = looseName, "consist of letters, digits, hyphens and underscores"
	}
	if n := utf8.RuneCountInString(name); n < minNameLength || n > maxNameLength || !pattern.MatchString(name) {
		return badParameter("name must have %d to %d characters, %s.", minNameLength, maxNameLength, words)
	}
	return nil
}

func checkLength(field, value string, longest int) error {
	if utf8.RuneCountInString(value) > longest {
		return badParameter("%s must have at most %d characters.", field, longest)
	}
	return nil
}

func checkEnum(field, value string, allowed []string) error {
	if !slices.Contains(allowed, value) {
		return badParameter("%s must be one of %s.", field, strings.Join(allowed, ", "))
	}
	return nil
}

// label is a tag as it is stored and shown.
type label struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// labelInput tells a missing key or value from an empty one.
type labelInput struct {
	Key   *string `json:"key"`
	Value *string `json:"value"`
}

// parseLabels checks labels. nil input means that they were absent: the result is then nil and says keep.
func parseLabels(input *[]labelInput, rule string) ([]label, error) {
	if input == nil {
		return nil, nil
	}
	labels := make([]label, 0, len(*input))
	for i, in := range *input {
		if in.Key == nil || *in.Key == "" {
			return nil, badParameter("labels[%d].key is mandatory.", i)
		}
		if in.Value == nil {
			return nil, badParameter("labels[%d].value is mandatory.", i)
		}
		if err := checkLabel(fmt.Sprintf("labels[%d]", i), *in.Key, *in.Value, rule); err != nil {
			return nil, err
		}
		if rule != "none" && slices.ContainsFunc(labels, func(l label) bool { return l.Key == *in.Key }) {
			return nil, badParameter("labels[%d].key is there twice.", i)
		}
		labels = append(labels, label{*in.Key, *in.Value})
	}
	if rule != "none" && len(labels) > maxLabels {
		return nil, badParameter("labels must have at most %d items.", maxLabels)
	}
	return labels, nil
}

func checkLabel(field, key, value, rule string) error {
	keyPattern, valuePattern, limits := labelKey, labelValue, [2]int{128, 255}
	switch rule {
	case "none":
		return nil
	case "strict":
		keyPattern, valuePattern, limits = strictLabelKey, strictLabelValue, [2]int{36, 43}
	}
	reserved := strings.HasPrefix(key, "_sys_") || strings.TrimSpace(key) != key
	if reserved || !keyPattern.MatchString(key) {
		return badParameter("%s.key must have 1 to %d of the characters that a tag key allows.", field, limits[0])
	}
	if !valuePattern.MatchString(value) {
		return badParameter("%s.value must have at most %d of the characters that a tag value allows.", field, limits[1])
	}
	return nil
}

// orNull renders an empty collection as the switch says.
func orNull[E any](items []E, quirks Quirks) any {
	if len(items) > 0 {
		return items
	}
	if quirks.EmptyCollections == "array" {
		return []E{}
	}
	return nil
}

// view says which answer a record is rendered for.
type view int

const (
	viewChanged view = iota // the answer of a POST or PUT
	viewDetail
	viewListItem
)

// addLabels puts the labels where the switches let them show.
func addLabels(body map[string]any, labels []label, v view, quirks Quirks) {
	if (v == viewDetail && !quirks.DetailLabels) || (v == viewListItem && quirks.HideListLabels) {
		return
	}
	body["labels"] = orNull(labels, quirks)
}

// orDefaultProject reads an enterprise project id: "" counts as the default project "0".
func orDefaultProject(id string) string {
	if id == "" {
		return "0"
	}
	return id
}

// text is the string that a field points to, "" where it was absent.
func text(field *string) string {
	if field == nil {
		return ""
	}
	return *field
}

// render of the fields that environments and applications share.
func commonFields(m *meta, description, enterpriseProjectID, creator string) map[string]any {
	return map[string]any{
		"id": m.ID, "name": m.Name, "project_id": m.ProjectID, "description": description, "creator": creator,
		"enterprise_project_id": enterpriseProjectID, "create_time": m.CreateTime, "update_time": m.UpdateTime,
	}
}
