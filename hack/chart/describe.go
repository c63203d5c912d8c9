// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// below is the line of Chart.yaml and of the chart's README from which on this command writes.
const below = "What follows is written by hack/chart."

// kind is an entry of the annotation artifacthub.io/crds.
type kind struct {
	Kind        string `json:"kind"`
	Version     string `json:"version"`
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
	Description string `json:"description"`
}

// addChartMetadata adds the annotations by which Artifact Hub shows the kinds, with an example of each.
func addChartMetadata(crds []definition, files map[string][]byte) error {
	var kinds []kind
	for _, crd := range crds {
		for _, version := range crd.Spec.Versions {
			description, _, _ := strings.Cut(version.Schema.OpenAPIV3Schema.Description, "\n\n")
			kinds = append(kinds, kind{
				Kind: crd.Spec.Names.Kind, Version: version.Name, Name: crd.Name, DisplayName: words(crd.Spec.Names.Kind),
				Description: strings.Join(strings.Fields(description), " "),
			})
		}
	}
	examples, err := examples(filepath.Join(config, "samples"), kinds)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString("annotations:\n")
	for _, annotation := range []struct {
		name  string
		value any
	}{
		{"artifacthub.io/category", "integration-delivery"},
		{"artifacthub.io/license", "Apache-2.0"},
		{"artifacthub.io/operator", "true"},
		{"artifacthub.io/operatorCapabilities", "Seamless Upgrades"},
		{"artifacthub.io/prerelease", "true"},
		{"artifacthub.io/crds", kinds},
		{"artifacthub.io/crdsExamples", examples},
	} {
		if text, ok := annotation.value.(string); ok {
			fmt.Fprintf(&b, "  %s: %q\n", annotation.name, text)
			continue
		}
		text, err := yaml.Marshal(annotation.value)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "  %s: |\n%s", annotation.name, indent(string(text), "    "))
	}
	files["Chart.yaml"], err = rewritten("Chart.yaml", "# "+below+"\n", b.String())
	return err
}

// words separates the words of a kind's name: "CloudAccount" is "Cloud Account".
func words(kind string) string {
	var b strings.Builder
	for i, r := range kind {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// examples returns one sample of every kind, in the order of kinds.
func examples(folder string, kinds []kind) ([]map[string]any, error) {
	byKind := map[string]map[string]any{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" || entry.Name() == "kustomization.yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			var object map[string]any
			if err := yaml.UnmarshalStrict([]byte(document), &object); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			name, _ := object["kind"].(string)
			if _, seen := byKind[name]; !seen {
				byKind[name] = object
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for _, k := range kinds {
		if example, ok := byKind[k.Kind]; ok { // test/packaging wants one of every kind
			list = append(list, example)
		}
	}
	return list, nil
}

func indent(text, by string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			b.WriteString(by)
		}
		b.WriteString(line)
	}
	return b.String()
}

// rewritten returns a file of the chart with what follows the given line replaced.
func rewritten(name, line, text string) ([]byte, error) {
	path := filepath.Join(chart, name)
	before, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	head, _, found := strings.Cut(string(before), line)
	if !found {
		return nil, fmt.Errorf("%s: no line %q", path, strings.TrimSpace(line))
	}
	return []byte(head + line + text), nil
}

// addReadme adds the table of values: what values.yaml says in comments.
func addReadme(_ []definition, files map[string][]byte) error {
	text, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		return err
	}
	values, err := documented(string(text))
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString("\n| Value | Default | Meaning |\n|---|---|---|\n")
	for _, v := range values {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", v.path, v.initial, strings.ReplaceAll(v.meaning, "|", `\|`))
	}
	files["README.md"], err = rewritten("README.md", "<!-- "+below+" -->\n", b.String())
	return err
}

// value is what values.yaml says of one value.
type value struct {
	path, initial, meaning string
}

// documented lists the values that have a comment and hold none that has one, in the order of the file.
func documented(text string) ([]value, error) {
	var defaults map[string]any
	if err := yaml.UnmarshalStrict([]byte(text), &defaults); err != nil {
		return nil, fmt.Errorf("values.yaml: %w", err)
	}
	var values []value
	var path, comments []string
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		key, _, isKey := strings.Cut(trimmed, ":")
		switch {
		case strings.HasPrefix(trimmed, "#"):
			comments = append(comments, strings.TrimSpace(strings.TrimLeft(trimmed, "#")))
			continue
		case isKey && depth <= len(path):
			path = append(path[:depth:depth], key)
		}
		if isKey && len(comments) > 0 {
			initial, err := json.Marshal(at(defaults, path))
			if err != nil {
				return nil, err
			}
			values = append(values, value{strings.Join(path, "."), string(initial), strings.Join(comments, " ")})
		}
		comments = nil
	}
	return slices.DeleteFunc(values, func(v value) bool {
		return slices.ContainsFunc(values, func(other value) bool { return strings.HasPrefix(other.path, v.path+".") })
	}), nil
}

// at returns what lies under nested keys.
func at(values map[string]any, path []string) any {
	var found any = values
	for _, key := range path {
		object, _ := found.(map[string]any)
		found = object[key]
	}
	return found
}
