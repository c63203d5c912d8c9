// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"path/filepath"
	"testing"
)

// TestNoDefaultsInsideLists: Argo CD compares a list as a whole with what it applied. A value that the API server fills in
// inside one is a difference to it, for good. Kinds fill such values in when they write to the cloud.
func TestNoDefaultsInsideLists(t *testing.T) {
	for _, file := range glob(t, filepath.Join(config, "crd", "bases", "*.yaml")) {
		crd := object(t, file)
		spec, _ := crd["spec"].(map[string]any)
		versions, _ := spec["versions"].([]any)
		if len(versions) == 0 {
			t.Errorf("%s has no versions", file)
		}
		for _, v := range versions {
			version, _ := v.(map[string]any)
			schema, _ := version["schema"].(map[string]any)
			root, _ := schema["openAPIV3Schema"].(map[string]any)
			properties, _ := root["properties"].(map[string]any)
			spec, ok := properties["spec"].(map[string]any)
			if !ok {
				t.Errorf("%s has no schema of spec", file)
			}
			for _, path := range defaultsInsideLists(spec, "spec", false) {
				t.Errorf("%s: %s has a default", filepath.Base(file), path)
			}
		}
	}
}

// defaultsInsideLists returns the paths below a schema that have a default and are inside a list.
func defaultsInsideLists(schema map[string]any, path string, inside bool) []string {
	var found []string
	if _, ok := schema["default"]; ok && inside {
		found = append(found, path)
	}
	properties, _ := schema["properties"].(map[string]any)
	for name, property := range properties {
		if p, ok := property.(map[string]any); ok {
			found = append(found, defaultsInsideLists(p, path+"."+name, inside)...)
		}
	}
	if items, ok := schema["items"].(map[string]any); ok {
		found = append(found, defaultsInsideLists(items, path+"[]", true)...)
	}
	return found
}
