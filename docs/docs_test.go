// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package docs holds the documentation, and tests that it keeps up with the code.
package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

func TestTroubleshootingExplainsEveryReason(t *testing.T) {
	sections := submatches(read(t, "troubleshooting.md"), `(?m)^### (\w+)$`)
	if diff := cmp.Diff(reasons(t), sections); diff != "" {
		t.Errorf("reasons of api/v1alpha1/conditions.go (-) and sections of troubleshooting.md (+), sorted:\n%s", diff)
	}
}

// reasons lists the values of the constants named Reason*, sorted.
func reasons(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash("../api/v1alpha1/conditions.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Reason") {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, value)
		return true
	})
	slices.Sort(out)
	return out
}

func TestSpecPagesListEveryField(t *testing.T) {
	files, err := filepath.Glob(filepath.FromSlash("../config/crd/bases/*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no CRDs: %v", err)
	}
	for _, file := range files {
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict([]byte(read(t, file)), &crd); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, version := range crd.Spec.Versions {
			page := filepath.Join("spec", version.Name, crd.Spec.Names.Singular+".md")
			t.Run(page, func(t *testing.T) {
				want := map[string]bool{}
				for _, part := range []string{"spec", "status"} {
					schema := version.Schema.OpenAPIV3Schema.Properties[part]
					fields(&schema, part, want)
				}
				got := submatches(read(t, page), "(?m)^\\| `((?:spec|status)\\.[^`]+)` \\|")
				if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), got); diff != "" {
					t.Errorf("fields of the CRD (-) and rows of %s (+):\n%s", page, diff)
				}
			})
		}
	}
}

// fields collects the paths below the schema, but for those inside the types of Kubernetes itself.
func fields(schema *apiextensionsv1.JSONSchemaProps, path string, into map[string]bool) {
	for name, property := range schema.Properties {
		at := path + "." + name
		into[at] = true
		if name == "conditions" || name == "selector" {
			continue
		}
		fields(&property, at, into)
		if property.Items != nil {
			fields(property.Items.Schema, at+"[]", into)
		}
	}
}

func TestManagerPageListsEveryFlagAndMetric(t *testing.T) {
	page := read(t, "manager.md")
	flags := append(submatches(read(t, filepath.FromSlash("../cmd/manager/options.go")), `flags\.\w+\([^"\n]*"([a-z-]+)"`), "kubeconfig")
	slices.Sort(flags)
	if diff := cmp.Diff(flags, submatches(page, "(?m)^\\| `--([a-z-]+)` \\|")); diff != "" {
		t.Errorf("flags of cmd/manager (-) and rows of manager.md (+):\n%s", diff)
	}
	// The manager was seen to export them, and nothing in the code is named as if it were one more.
	exported := read(t, filepath.FromSlash("../test/integrations/monitoring/testdata/exported.txt"))
	if diff := cmp.Diff(metricsInCode(t), submatches(exported, `(?m)^(servicestage_\w+)`)); diff != "" {
		t.Errorf("metrics of the code (-) and those that test/e2e saw exported (+):\n%s", diff)
	}
	var seen, rows []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(servicestage_\\w+)` \\| ([^|]*) \\|").FindAllStringSubmatch(page, -1) {
		rows = append(rows, row[1]+" "+strings.Join(submatches(row[2], "`(\\w+)`"), ","))
	}
	for _, metric := range regexp.MustCompile(`(?m)^(servicestage_\w+) \w+ ?(\S*)$`).FindAllStringSubmatch(exported, -1) {
		seen = append(seen, metric[1]+" "+metric[2])
	}
	slices.Sort(rows)
	if diff := cmp.Diff(seen, rows); diff != "" {
		t.Errorf("metrics with their labels (-) and rows of manager.md (+):\n%s", diff)
	}
}

// metricsInCode lists the names of metrics that the code mentions, sorted.
func metricsInCode(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(filepath.FromSlash("../internal"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		for _, name := range submatches(read(t, path), `"(servicestage_\w+)"`) {
			found[name] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(found))
}

func TestPluginPageListsEveryFlagAndExitCode(t *testing.T) {
	page := read(t, "kubectl-servicestage.md")
	var flags []string
	for _, file := range []string{"commands.go", "root.go"} {
		flags = append(flags, submatches(read(t, filepath.Join("..", "cmd", "kubectl-servicestage", file)), `(?:flags|Flags\(\))\.\w+\([^"\n]*"([a-z-]+)"`)...)
	}
	slices.Sort(flags)
	rows := slices.Compact(submatches(page, "(?m)^\\| `--([a-z-]+)`"))
	if diff := cmp.Diff(slices.Compact(flags), rows); diff != "" {
		t.Errorf("flags of cmd/kubectl-servicestage (-) and rows of kubectl-servicestage.md (+):\n%s", diff)
	}
	codes := append(submatches(read(t, filepath.FromSlash("../internal/cli/exit/exit.go")), `(?m)^\t[A-Z]\w+ = (\d+)$`), "0")
	slices.Sort(codes)
	if diff := cmp.Diff(codes, submatches(page, "(?m)^\\| `(\\d+)` \\|")); diff != "" {
		t.Errorf("exit codes (-) and rows of kubectl-servicestage.md (+):\n%s", diff)
	}
}

func TestLinksLead(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	for _, page := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(read(t, page), -1) {
			if strings.Contains(match[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), filepath.FromSlash(match[1]))); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", page, match[1])
			}
		}
	}
}

func TestNamedMakeTargetsExist(t *testing.T) {
	targets := submatches(read(t, filepath.FromSlash("../Makefile")), `(?m)^([a-z][a-z0-9-]*):`)
	for _, page := range pages(t) {
		for _, named := range submatches(read(t, page), "(?m)(?:^ +|`)make ([a-z][a-z0-9-]*)") {
			if !slices.Contains(targets, named) {
				t.Errorf("%s: there is no target of make named %s", page, named)
			}
		}
	}
}

// pages lists every Markdown page of the project.
func pages(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"../*.md", "*.md", "adr/*.md", "spec/*/*.md", "guides/*.md"} {
		files, err := filepath.Glob(filepath.FromSlash(pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no pages: %v", pattern, err)
		}
		out = append(out, files...)
	}
	return out
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// submatches returns the first group of every match, sorted.
func submatches(text, pattern string) []string {
	var out []string
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		out = append(out, match[1])
	}
	slices.Sort(out)
	return out
}
