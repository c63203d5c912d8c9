// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package gitops tests what Flux and Argo CD make of the operator's objects.
package gitops

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// group is the API group of the operator's kinds.
const group = "servicestage.dev"

// config is the operator's folder of that name.
var config = filepath.Join("..", "..", "..", "config")

// kindFolder is where Argo CD's customization of a kind is.
func kindFolder(kind string) string {
	return filepath.Join(config, "argocd", "resource_customizations", group, kind)
}

// kinds reads the names of all kinds out of the CRDs.
func kinds(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, file := range glob(t, filepath.Join(config, "crd", "bases", "*.yaml")) {
		name, found, err := unstructured.NestedString(object(t, file), "spec", "names", "kind")
		if err != nil || !found {
			t.Fatalf("%s: no spec.names.kind: %v", file, err)
		}
		names = append(names, name)
	}
	return names
}

// states reads the states of a kind that test/lifecycle recorded, by name.
func states(t *testing.T, kind string) map[string]*unstructured.Unstructured {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(kindFolder(kind), "testdata", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Errorf("%s has no recorded state: let a spec of test/lifecycle see it settle, and run make update-states", kind)
	}
	out := map[string]*unstructured.Unstructured{}
	for _, file := range files {
		out[strings.TrimSuffix(filepath.Base(file), ".yaml")] = &unstructured.Unstructured{Object: object(t, file)}
	}
	return out
}

// glob lists files, of which there must be some.
func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no files: %v", pattern, err)
	}
	return files
}

// object decodes a file, numbers as Kubernetes' own decoders make them.
func object(t *testing.T, file string) map[string]any {
	t.Helper()
	encoded, err := yaml.YAMLToJSON(read(t, file))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	obj := &unstructured.Unstructured{}
	if err := obj.UnmarshalJSON(encoded); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return obj.Object
}

// decode decodes a file strictly.
func decode(t *testing.T, file string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict(read(t, file), into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
