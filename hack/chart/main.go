// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command chart writes what charts/servicestage-operator shares with config/: the CustomResourceDefinitions, the rules of
// the roles, the manager's Pod, the alert rules and the dashboards, the list of kinds in Chart.yaml, and the table of
// values in the chart's README. What the chart alone has, its values and its templates, is written by hand.
//
//	go run ./hack/chart          # `make generate` does
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// made is the first line of every file that this command writes.
const made = "Written by hack/chart from config/."

// The folders, from the project's root.
const (
	config = "config"
	chart  = "charts/servicestage-operator"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

func run() error {
	crds, err := readCRDs(filepath.Join(config, "crd", "bases"))
	if err != nil {
		return err
	}
	files := map[string][]byte{}
	for _, step := range []func(crds []definition, files map[string][]byte) error{
		addCRDs, addParts, addUserRoles, addMonitoring, addChartMetadata, addReadme,
	} {
		if err := step(crds, files); err != nil {
			return err
		}
	}
	// What is generated no longer must go as well.
	for _, folder := range []string{"templates/crds", "files"} {
		if err := os.RemoveAll(filepath.Join(chart, folder)); err != nil {
			return err
		}
	}
	for name, content := range files {
		path := filepath.Join(chart, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// action finds what Helm would take for a template.
var action = regexp.MustCompile(`\{\{|\}\}`)

// literal returns text that Helm renders as it is.
func literal(text string) string {
	return action.ReplaceAllStringFunc(text, func(braces string) string { return `{{ "` + braces + `" }}` })
}

// comment is a comment of Helm's templates.
func comment(text string) string { return "{{- /* " + text + " */ -}}\n" }

// addCRDs adds a template per CustomResourceDefinition: Helm never upgrades what is in a chart's crds folder.
func addCRDs(crds []definition, files map[string][]byte) error {
	for _, crd := range crds {
		text := strings.TrimPrefix(literal(crd.text), "---\n")
		head, rest, ok := strings.Cut(text, "\n  annotations:\n")
		annotations, rest, named := strings.Cut(rest, "\n  name: ")
		if !ok || !named {
			return fmt.Errorf("%s: no metadata with annotations and then a name, as controller-gen writes it", crd.file)
		}
		var b bytes.Buffer
		b.WriteString(comment(made) + "{{- if .Values.crds.enabled }}\n")
		b.WriteString(head + "\n  annotations:\n" +
			"    {{- if .Values.crds.keep }}\n    helm.sh/resource-policy: keep\n    {{- end }}\n" + annotations +
			"\n  labels:\n    {{- include \"servicestage-operator.labels\" . | nindent 4 }}\n  name: " + rest)
		b.WriteString("{{- end }}\n")
		files["templates/crds/"+crd.Spec.Names.Plural+".yaml"] = b.Bytes()
	}
	return nil
}

// addMonitoring adds the alert rules and the dashboards where there are any, as files: they hold templates of their own,
// which are not Helm's to render.
func addMonitoring(_ []definition, files map[string][]byte) error {
	rules, err := os.ReadFile(filepath.Join(config, "prometheus", "rules.yaml"))
	if err == nil {
		files["files/rules.yaml"] = rules
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dashboards, err := filepath.Glob(filepath.Join(config, "grafana", "*.json"))
	if err != nil {
		return err
	}
	for _, dashboard := range dashboards {
		if files["files/dashboards/"+filepath.Base(dashboard)], err = os.ReadFile(dashboard); err != nil {
			return err
		}
	}
	return nil
}
