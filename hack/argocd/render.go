// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const (
	sources        = "config/argocd/lua"
	customizations = "config/argocd/resource_customizations"
	configMapFile  = "config/argocd/argocd-cm.yaml"
	// statesPattern matches the states that test/lifecycle recorded: <group>/<kind>/testdata/<state>.yaml.
	statesPattern = customizations + "/*/*/testdata/*.yaml"
	// when is the time that the tests of actions take for now.
	when = "2026-01-02T03:04:05Z"
)

// action is something that Argo CD can do to an object by an annotation.
type action struct {
	name string
	// needs is the path of the field that kinds have which understand the annotation.
	needs []string
	// disabled is when it makes no sense, in Lua.
	disabled          string
	annotation, value string
}

var actions = []action{
	{"pause", []string{"spec", "managementPolicy"}, "paused", "servicestage.dev/paused", "true"},
	{"reconcile", []string{"status", "lastHandledReconcileAt"}, "paused", "servicestage.dev/reconcile-requested-at", when},
	{"restart", []string{"status", "restartedAt"}, "paused", "servicestage.dev/restarted-at", when},
	{"resume", []string{"spec", "managementPolicy"}, "not paused", "servicestage.dev/paused", "false"},
}

// kind is a kind with what Argo CD is told about it.
type kind struct {
	group, name string
	actions     []action
	// states are the recorded states, by file name.
	states map[string]*unstructured.Unstructured
}

// render returns the content of every generated file, by path.
func render(root fs.FS) (map[string]string, error) {
	kinds, err := kindsOf(root)
	if err != nil {
		return nil, err
	}
	scripts := map[string]string{}
	for _, name := range append([]string{"health"}, actionNames()...) {
		script, err := fs.ReadFile(root, path.Join(sources, name+".lua"))
		if err != nil {
			return nil, err
		}
		scripts[name] = string(script)
	}
	files := map[string]string{}
	for _, k := range kinds {
		if err := k.render(scripts, files); err != nil {
			return nil, fmt.Errorf("%s: %w", k.name, err)
		}
	}
	files[configMapFile] = configMap(kinds, scripts)
	return files, nil
}

func actionNames() []string {
	var names []string
	for _, a := range actions {
		names = append(names, "actions/"+a.name)
	}
	return names
}

// kindsOf reads the CRDs and the recorded states.
func kindsOf(root fs.FS) ([]kind, error) {
	files, err := fs.Glob(root, "config/crd/bases/*.yaml")
	if err != nil {
		return nil, err
	}
	var kinds []kind
	for _, file := range files {
		content, err := fs.ReadFile(root, file)
		if err != nil {
			return nil, err
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(content, &crd); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		k := kind{group: crd.Spec.Group, name: crd.Spec.Names.Kind, states: map[string]*unstructured.Unstructured{}}
		schema := crd.Spec.Versions[len(crd.Spec.Versions)-1].Schema.OpenAPIV3Schema
		for _, a := range actions {
			if has(schema, a.needs) {
				k.actions = append(k.actions, a)
			}
		}
		states, err := fs.Glob(root, path.Join(k.folder(), "testdata", "*.yaml"))
		if err != nil {
			return nil, err
		}
		for _, state := range states {
			content, err := fs.ReadFile(root, state)
			if err != nil {
				return nil, err
			}
			obj := &unstructured.Unstructured{}
			if err := yaml.Unmarshal(content, &obj.Object); err != nil {
				return nil, fmt.Errorf("%s: %w", state, err)
			}
			k.states[path.Base(state)] = obj
		}
		kinds = append(kinds, k)
	}
	return kinds, nil
}

func has(schema *apiextensionsv1.JSONSchemaProps, fields []string) bool {
	if len(fields) == 0 {
		return true
	}
	property, ok := schema.Properties[fields[0]]
	return ok && has(&property, fields[1:])
}

func (k kind) folder() string { return path.Join(customizations, k.group, k.name) }

// stateNames lists the recorded states, sorted.
func (k kind) stateNames() []string {
	var names []string
	for name := range k.states {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// discovery is the script that says which actions there are.
func (k kind) discovery() string {
	var b strings.Builder
	if slices.ContainsFunc(k.actions, func(a action) bool { return a.name == "pause" }) {
		b.WriteString("local annotations = obj.metadata.annotations or {}\n")
		b.WriteString("local paused = annotations[\"servicestage.dev/paused\"] == \"true\"\n")
	} else {
		b.WriteString("local paused = false -- an account cannot be paused\n")
	}
	b.WriteString("local actions = {}\n")
	for _, a := range k.actions {
		fmt.Fprintf(&b, "actions[%q] = {[\"disabled\"] = %s}\n", a.name, a.disabled)
	}
	b.WriteString("return actions\n")
	return b.String()
}

// render adds the files of a kind.
func (k kind) render(scripts, files map[string]string) error {
	files[path.Join(k.folder(), "health.lua")] = scripts["health"]
	files[path.Join(k.folder(), "actions", "discovery.lua")] = k.discovery()
	for _, a := range k.actions {
		files[path.Join(k.folder(), "actions", a.name, "action.lua")] = scripts["actions/"+a.name]
	}
	var tests []healthTest
	for _, name := range k.stateNames() {
		status, err := expected(k.states[name])
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		tests = append(tests, healthTest{InputPath: "testdata/" + name, HealthStatus: status})
	}
	if err := write(files, path.Join(k.folder(), "health_test.yaml"), map[string]any{"tests": tests}); err != nil {
		return err
	}
	return k.renderActionTests(files)
}

// renderActionTests adds what the actions make of an object that is well: the test's input is a recorded state.
func (k kind) renderActionTests(files map[string]string) error {
	names := k.stateNames()
	well := slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(name, "ready-available.") })
	if well < 0 {
		return nil // the tests of test/integrations ask for the states
	}
	input, folder := "../testdata/"+names[well], path.Join(k.folder(), "actions")
	var test actionTests
	test.DiscoveryTests = []discoveryTest{{InputPath: input, Result: k.offered(false)}}
	for _, a := range k.actions {
		after := k.states[names[well]].DeepCopy()
		annotations := after.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[a.annotation] = a.value
		after.SetAnnotations(annotations)
		output := "testdata/" + a.name + ".yaml"
		if err := write(files, path.Join(folder, output), after.Object); err != nil {
			return err
		}
		test.ActionTests = append(test.ActionTests, actionTest{Action: a.name, InputPath: input, ExpectedOutputPath: output})
		test.DiscoveryTests = append(test.DiscoveryTests, discoveryTest{InputPath: output, Result: k.offered(a.name == "pause")})
	}
	return write(files, path.Join(folder, "action_test.yaml"), test)
}

// offered lists the actions that are offered for an object that is paused or not.
func (k kind) offered(paused bool) []resourceAction {
	var out []resourceAction
	for _, a := range k.actions {
		out = append(out, resourceAction{Name: a.name, Disabled: paused != (a.name == "resume")})
	}
	return out
}

func write(files map[string]string, file string, content any) error {
	encoded, err := yaml.Marshal(content)
	if err != nil {
		return err
	}
	files[file] = string(encoded)
	return nil
}

// configMap writes the customizations of all kinds as Argo CD's settings hold them.
func configMap(kinds []kind, scripts map[string]string) string {
	var b strings.Builder
	b.WriteString(`# What Argo CD needs to know about the kinds of the servicestage operator. Add the data to the ConfigMap argocd-cm that
# there is; docs/guides/gitops.md says how. Written by hack/argocd.
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
  namespace: argocd
data:
`)
	for _, k := range kinds {
		fmt.Fprintf(&b, "  resource.customizations.health.%s_%s: |\n%s", k.group, k.name, indented(scripts["health"], 4))
		fmt.Fprintf(&b, "  resource.customizations.actions.%s_%s: |\n", k.group, k.name)
		fmt.Fprintf(&b, "    discovery.lua: |\n%s    definitions:\n", indented(k.discovery(), 6))
		for _, a := range k.actions {
			fmt.Fprintf(&b, "    - name: %s\n      action.lua: |\n%s", a.name, indented(scripts["actions/"+a.name], 8))
		}
	}
	return b.String()
}

func indented(text string, by int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			b.WriteString(strings.Repeat(" ", by))
		}
		b.WriteString(line)
	}
	return b.String()
}
