// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"

	"servicestage.dev/operator/test/rig"
)

// rarelyUsed are rights that the manager needs in situations that no spec here brings about.
var rarelyUsed = sets.New(
	"patch events.k8s.io/events", // the same event again, within minutes
	"patch events",
)

// Every spec runs the manager with the rights of config/rbac. Once all have run, whatever was granted and never used is
// too much; what is too little has failed a spec.
var _ = AfterSuite(func() {
	suite, _ := GinkgoConfiguration()
	if len(suite.FocusStrings)+len(suite.SkipStrings)+len(suite.FocusFiles)+len(suite.SkipFiles) > 0 || suite.LabelFilter != "" {
		return // only some specs have run
	}
	user := fmt.Sprintf("system:serviceaccount:%s:%s", rig.OperatorNamespace, rig.OperatorServiceAccount)
	requests, err := plane.Audit(func(r rig.Request) bool { return r.User == user })
	Expect(err).NotTo(HaveOccurred())
	used, refused := sets.New[string](), sets.New[string]()
	for _, r := range requests {
		resource := r.Resource
		if r.Subresource != "" {
			resource += "/" + r.Subresource
		}
		for _, verb := range sameAccess(r.Verb) {
			used.Insert(right(verb, r.Group, resource))
		}
		if r.Forbidden {
			refused.Insert(right(r.Verb, r.Group, resource))
		}
	}
	Expect(refused.UnsortedList()).To(BeEmpty(), "the manager asked for what it may not do")
	unused := granted().Difference(used).Difference(rarelyUsed)
	Expect(unused.UnsortedList()).To(BeEmpty(), "config/rbac grants the manager what it does not use")
})

// sameAccess returns the verbs that show no more than the given one does: informers list or stream, as the server can.
func sameAccess(verb string) []string {
	reading := []string{"get", "list", "watch"}
	if verb != "get" && slices.Contains(reading, verb) {
		return reading
	}
	return []string{verb}
}

func right(verb, group, resource string) string {
	return verb + " " + strings.TrimPrefix(group+"/"+resource, "/")
}

// granted lists the rights of the manager's roles, and of the one that namespaces may bind to it.
func granted() sets.Set[string] {
	GinkgoHelper()
	objects, err := rig.ReadManifests(configFile("rbac", "role.yaml"), configFile("rbac", "connection_secrets_role.yaml"))
	Expect(err).NotTo(HaveOccurred())
	rights := sets.New[string]()
	for _, object := range objects {
		if !strings.HasSuffix(object.GetKind(), "Role") {
			continue
		}
		role := &rbacv1.ClusterRole{}
		Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, role)).To(Succeed())
		for _, rule := range role.Rules {
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, verb := range rule.Verbs {
						rights.Insert(right(verb, group, resource))
					}
				}
			}
		}
	}
	return rights
}
