// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// The roles of config/rbac that the chart grants.
const (
	managerRole = "servicestage-operator"
	secretsRole = "servicestage-operator-connection-secrets"
)

// clusterScoped are the resources that are in no namespace, besides those of our own kinds: a Role cannot grant them.
var clusterScoped = []string{"namespaces"}

// definition is a CustomResourceDefinition of config/.
type definition struct {
	apiextensionsv1.CustomResourceDefinition
	file, text string
}

func readCRDs(folder string) ([]definition, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s holds no CustomResourceDefinition", folder)
	}
	var crds []definition
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		crd := definition{file: file, text: string(text)}
		if err := yaml.UnmarshalStrict(text, &crd.CustomResourceDefinition); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		crds = append(crds, crd)
	}
	return crds, nil
}

// addParts adds the named templates that hold what config/ says of the manager: its rules and its Pod.
func addParts(crds []definition, files map[string][]byte) error {
	roles, err := readRoles(filepath.Join(config, "rbac"))
	if err != nil {
		return err
	}
	whole, leader := roles["ClusterRole/"+managerRole], roles["Role/"+managerRole]
	if len(whole) == 0 || len(leader) == 0 {
		return fmt.Errorf("config/rbac has no ClusterRole and Role %s", managerRole)
	}
	pod, err := readPod(filepath.Join(config, "manager", "manager.yaml"))
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString(comment(made))
	for _, part := range []struct {
		name, says string
		value      any
	}{
		{"rules", "What the manager may do in every namespace.", whole},
		{"namespacedRules", "What it may do in a namespace that it watches, where it watches some only.", withinNamespaces(whole, crds)},
		{"leaderRules", "What it may do in its own namespace, to elect a leader.", leader},
		{"secretsRules", "What it may do in namespaces that take connections as Secrets.", append([]rbacv1.PolicyRule{}, roles["ClusterRole/"+secretsRole]...)},
		{"pod", "The manager's Pod, which deployment.yaml changes as the values say.", pod},
	} {
		text, err := yaml.Marshal(part.value)
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		fmt.Fprintf(&b, "\n%s{{- define \"servicestage-operator.config.%s\" -}}\n%s{{- end }}\n", comment(part.says), part.name, literal(string(text)))
	}
	files["templates/_config.tpl"] = b.Bytes()
	return nil
}

// readRoles returns the rules of the operator's own roles, by kind and name. Those for users go into another template.
func readRoles(folder string) (map[string][]rbacv1.PolicyRule, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	roles := map[string][]rbacv1.PolicyRule{}
	for _, file := range files {
		if isUserRole(file) {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			var role rbacv1.ClusterRole // a Role has the same fields
			if err := yaml.Unmarshal([]byte(document), &role); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			if role.Kind != "ClusterRole" && role.Kind != "Role" {
				continue
			}
			if role.Name != managerRole && role.Name != secretsRole {
				return nil, fmt.Errorf("%s: the chart does not know %s %s: say in hack/chart and in the chart's templates who gets it", file, role.Kind, role.Name)
			}
			roles[role.Kind+"/"+role.Name] = role.Rules
		}
	}
	return roles, nil
}

func isUserRole(file string) bool {
	return strings.HasSuffix(file, "_editor_role.yaml") || strings.HasSuffix(file, "_viewer_role.yaml")
}

// withinNamespaces returns the rules without resources that are in no namespace.
func withinNamespaces(rules []rbacv1.PolicyRule, crds []definition) []rbacv1.PolicyRule {
	outside := slices.Clone(clusterScoped)
	for _, crd := range crds {
		if crd.Spec.Scope == apiextensionsv1.ClusterScoped {
			outside = append(outside, crd.Spec.Names.Plural)
		}
	}
	var within []rbacv1.PolicyRule
	for _, rule := range rules {
		rule.Resources = slices.DeleteFunc(slices.Clone(rule.Resources), func(resource string) bool {
			resource, _, _ = strings.Cut(resource, "/")
			return slices.Contains(outside, resource)
		})
		if len(rule.Resources) > 0 {
			within = append(within, rule)
		}
	}
	return within
}

// readPod returns the Pod of a Deployment as the file has it.
func readPod(file string) (map[string]any, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var deployment map[string]any
	if err := yaml.UnmarshalStrict(text, &deployment); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	pod, found, err := unstructured.NestedMap(deployment, "spec", "template", "spec")
	if err != nil || !found {
		return nil, errors.Join(fmt.Errorf("%s: no spec.template.spec", file), err)
	}
	return pod, nil
}

// ownLabel is what the roles of config/rbac are labelled with; the chart's labels take its place.
const ownLabel = "    app.kubernetes.io/name: servicestage-operator\n"

// addUserRoles adds the roles for users, of which most join the built-in ones.
func addUserRoles(_ []definition, files map[string][]byte) error {
	roles, err := filepath.Glob(filepath.Join(config, "rbac", "*_role.yaml"))
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString(comment(made) + "{{- if and .Values.rbac.create .Values.rbac.userRoles (not .Values.watchNamespaces) }}\n")
	for _, file := range slices.DeleteFunc(roles, func(file string) bool { return !isUserRole(file) }) {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !strings.Contains(string(text), ownLabel) {
			return fmt.Errorf("%s: no label %q", file, strings.TrimSpace(ownLabel))
		}
		b.WriteString("---\n" + strings.Replace(literal(string(text)), ownLabel, "    {{- include \"servicestage-operator.labels\" . | nindent 4 }}\n", 1))
	}
	b.WriteString("{{- end }}\n")
	files["templates/user-roles.yaml"] = b.Bytes()
	return nil
}
