// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apivalidation

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/util/json"
)

// validation is one thing that a CRD checks.
type validation struct {
	path    string // of the field that a refusal names
	keyword string // as in the field rows; "rule" for a CEL rule
	bound   int64  // of a length, count or number
	enum    []any
	rule    string // CEL
	message string // of the CEL rule
}

func (v validation) String() string {
	if v.keyword == "rule" {
		return fmt.Sprintf("%s: CEL rule %q", v.path, v.message)
	}
	return v.path + ": " + v.keyword
}

var _ = Describe("The tables", func() {
	It("know every kind", func() {
		Expect(crds).To(HaveLen(len(everyKind)))
	})
	for _, kind := range everyKind {
		It("have rows for every validation of "+kind+", both ways and at its bounds", func() {
			var gaps []string
			for _, v := range validations(kind) {
				gaps = append(gaps, gapsOf(kind, v)...)
			}
			Expect(gaps).To(BeEmpty(), "add rows to fields_test.go or rules_test.go")
		})
		It("have no row for a validation that "+kind+" does not have", func() {
			all := validations(kind)
			for _, row := range fieldRows(kind) {
				Expect(slices.ContainsFunc(all, func(v validation) bool { return row.covers(v) })).
					To(BeTrue(), "%s %s", row.path, row.keyword)
			}
			for _, row := range ruleRows(kind) {
				matches := 0
				for _, v := range all {
					if row.covers(v) {
						matches++
					}
				}
				Expect(matches).To(Equal(1), "rules at %s that say %q", row.path, row.says)
			}
		})
	}
})

func (r fieldRow) covers(v validation) bool {
	return v.path == schemaPath(r.path) && v.keyword == r.keyword
}

func (r ruleRow) covers(v validation) bool {
	return v.keyword == "rule" && v.path == r.path && strings.Contains(v.message, r.says)
}

// gapsOf says what the tables do not show of a validation.
func gapsOf(kind string, v validation) []string {
	if v.keyword == "rule" {
		return ruleGaps(kind, v)
	}
	var row fieldRow
	for _, r := range fieldRows(kind) {
		if r.covers(v) {
			row.accepted = append(row.accepted, r.accepted...)
			row.refused = append(row.refused, r.refused...)
		}
	}
	var gaps []string
	need := func(ok bool, what string) {
		if !ok {
			gaps = append(gaps, fmt.Sprintf("%s: no row for %s", v, what))
		}
	}
	sized := func(n int64) func(any) bool {
		return func(value any) bool { return size(value) == n }
	}
	switch {
	case strings.HasPrefix(v.keyword, "min"):
		need(slices.ContainsFunc(row.accepted, sized(v.bound)), fmt.Sprintf("accepting %d", v.bound))
		need(slices.ContainsFunc(row.refused, sized(v.bound-1)), fmt.Sprintf("refusing %d", v.bound-1))
	case strings.HasPrefix(v.keyword, "max"):
		need(slices.ContainsFunc(row.accepted, sized(v.bound)), fmt.Sprintf("accepting %d", v.bound))
		need(slices.ContainsFunc(row.refused, sized(v.bound+1)), fmt.Sprintf("refusing %d", v.bound+1))
	case v.keyword == "required": // the complete object has every field
		need(len(row.refused) > 0, "leaving it out")
	default:
		for _, value := range v.enum {
			need(slices.Contains(row.accepted, value), fmt.Sprintf("accepting %v", value))
		}
		need(len(row.accepted) > 0, "an accepted value")
		need(len(row.refused) > 0, "a refused value")
	}
	return gaps
}

func ruleGaps(kind string, v validation) []string {
	seen := map[verdict]bool{}
	transition := strings.Contains(v.rule, "oldSelf")
	for _, row := range ruleRows(kind) {
		if row.covers(v) && (!transition || row.before != "") {
			seen[row.verdict] = true
		}
	}
	var gaps []string
	for _, verdict := range []verdict{accepted, refused} {
		if !seen[verdict] {
			gaps = append(gaps, fmt.Sprintf("%s: no row that is %s", v, verdict))
		}
	}
	return gaps
}

// size is what a bound counts: characters, elements, keys or the number itself.
func size(value any) int64 {
	switch value := value.(type) {
	case string:
		return int64(utf8.RuneCountInString(value))
	case []any:
		return int64(len(value))
	case map[string]any:
		return int64(len(value))
	case int64:
		return value
	default:
		panic(fmt.Sprintf("a bound on %T", value))
	}
}

// validations lists what the CRD of the kind checks.
func validations(kind string) []validation {
	root := crds[kind].Spec.Versions[0].Schema.OpenAPIV3Schema
	var out []validation
	walk(root, "", func(path string, schema *apiextensionsv1.JSONSchemaProps) {
		if !refusedAltogether(kind, path) {
			out = append(out, validationsAt(path, schema)...)
		}
	})
	return out
}

// walk visits the schema and everything below it, but for what Kubernetes itself defines: type and metadata.
func walk(schema *apiextensionsv1.JSONSchemaProps, path string, visit func(string, *apiextensionsv1.JSONSchemaProps)) {
	visit(path, schema)
	for name, property := range schema.Properties {
		if path == "" && (name == "apiVersion" || name == "kind" || name == "metadata") {
			continue
		}
		walk(&property, strings.TrimPrefix(path+"."+name, "."), visit)
	}
	if schema.Items != nil {
		walk(schema.Items.Schema, path+"[]", visit)
	}
	if schema.AdditionalProperties != nil {
		walk(schema.AdditionalProperties.Schema, path+"{}", visit)
	}
}

func validationsAt(path string, s *apiextensionsv1.JSONSchemaProps) []validation {
	var out []validation
	add := func(present bool, v validation) {
		if present {
			v.path = path
			out = append(out, v)
		}
	}
	bounds := map[string]*int64{
		"minLength": s.MinLength, "maxLength": s.MaxLength, "minItems": s.MinItems, "maxItems": s.MaxItems,
		"minProperties": s.MinProperties, "maxProperties": s.MaxProperties,
		"minimum": whole(s.Minimum), "maximum": whole(s.Maximum),
	}
	for keyword, bound := range bounds {
		if bound != nil {
			add(true, validation{keyword: keyword, bound: *bound})
		}
	}
	add(s.Pattern != "", validation{keyword: "pattern"})
	add(s.Enum != nil, validation{keyword: "enum", enum: enumValues(s.Enum)})
	add(s.Format == "date-time", validation{keyword: "date-time"})
	add(s.UniqueItems || s.XListType != nil && (*s.XListType == "map" || *s.XListType == "set"), validation{keyword: "unique"})
	add(s.MultipleOf != nil, validation{keyword: "multipleOf"})
	add(!s.XIntOrString && len(s.AllOf)+len(s.AnyOf)+len(s.OneOf) > 0 || s.Not != nil, validation{keyword: "allOf, anyOf, oneOf or not"})
	for _, name := range s.Required {
		out = append(out, validation{path: strings.TrimPrefix(path+"."+name, "."), keyword: "required"})
	}
	for _, rule := range s.XValidations {
		out = append(out, validation{path: strings.TrimPrefix(path+rule.FieldPath, "."), keyword: "rule",
			rule: rule.Rule, message: rule.Message})
	}
	return out
}

func whole(bound *float64) *int64 {
	if bound == nil {
		return nil
	}
	n := int64(*bound)
	return &n
}

func enumValues(enum []apiextensionsv1.JSON) []any {
	out := make([]any, len(enum))
	for i := range enum {
		if err := json.Unmarshal(enum[i].Raw, &out[i]); err != nil {
			panic(err) // the CRD was parsed from JSON
		}
	}
	return out
}
