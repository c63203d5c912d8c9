// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

func TestLiteralIsRenderedAsItIs(t *testing.T) {
	for _, text := range []string{"plain", "a {{ b }} c", "{{- /* x */ -}}", "}}{{", `{{ "{{" }}`, "{ { } }"} {
		var out bytes.Buffer
		if err := template.Must(template.New("").Parse(literal(text))).Execute(&out, nil); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if out.String() != text {
			t.Errorf("%q is rendered as %q", text, out.String())
		}
	}
}

func TestWithinNamespacesDropsWhatIsInNone(t *testing.T) {
	crds := []definition{{}, {}}
	crds[0].Spec.Scope, crds[0].Spec.Names.Plural = apiextensionsv1.ClusterScoped, "clouds"
	crds[1].Spec.Scope, crds[1].Spec.Names.Plural = apiextensionsv1.NamespaceScoped, "rains"
	rules := []rbacv1.PolicyRule{
		{Resources: []string{"namespaces", "secrets"}, Verbs: []string{"get"}},
		{Resources: []string{"clouds/status"}, Verbs: []string{"patch"}},
		{Resources: []string{"clouds", "rains", "rains/status"}, Verbs: []string{"patch"}},
	}
	want := []rbacv1.PolicyRule{
		{Resources: []string{"secrets"}, Verbs: []string{"get"}},
		{Resources: []string{"rains", "rains/status"}, Verbs: []string{"patch"}},
	}
	if diff := cmp.Diff(want, withinNamespaces(rules, crds)); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if len(rules[0].Resources) != 2 {
		t.Error("the rules of the whole cluster were changed")
	}
}

func TestDocumentedListsTheInnermostValuesWithAComment(t *testing.T) {
	got, err := documented(`# How many.
replicas: 2
# The image.
image:
  # Its name,
  # with the registry.
  name: a
  # Its tag.
  tag: ""

# Labels.
labels:
  a: "1"
plain: true
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []value{
		{"replicas", "2", "How many."},
		{"image.name", `"a"`, "Its name, with the registry."},
		{"image.tag", `""`, "Its tag."},
		{"labels", `{"a":"1"}`, "Labels."},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(value{})); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if _, err := documented("a: 1\na: 2\n"); err == nil {
		t.Error("a value that is there twice is taken")
	}
}
