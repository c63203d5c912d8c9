// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package security

import (
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"servicestage.dev/operator/test/rig"
)

var _ = Describe("The operator's role", func() {
	// That every right is used is checked end to end; a write of Secrets is used where a namespace allows it.
	It("writes no Secret in the whole cluster, and grants nothing by a wildcard", func() {
		root, err := rig.Root()
		Expect(err).NotTo(HaveOccurred())
		objects, err := rig.ReadManifests(filepath.Join(root, "config", "rbac", "role.yaml"))
		Expect(err).NotTo(HaveOccurred())
		for _, object := range objects {
			role := &rbacv1.ClusterRole{}
			Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, role)).To(Succeed())
			for right := range rig.RightsOf(role.Rules...) {
				Expect(right).NotTo(ContainSubstring("*"), object.GetKind())
				if verb, resource, _ := strings.Cut(right, " "); resource == "secrets" {
					Expect(verb).To(BeElementOf("get", "list", "watch"), "%s grants %q", object.GetKind(), right)
				}
			}
		}
	})
})
