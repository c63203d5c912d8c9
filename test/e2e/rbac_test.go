// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"servicestage.dev/operator/test/rig"
)

// Every spec runs the manager with the rights of config/rbac. Once all have run, whatever was granted and never used is
// too much; what is too little has failed a spec.
var _ = AfterSuite(func() {
	suite, _ := GinkgoConfiguration()
	if len(suite.FocusStrings)+len(suite.SkipStrings)+len(suite.FocusFiles)+len(suite.SkipFiles) > 0 || suite.LabelFilter != "" {
		return // only some specs have run
	}
	used, refused, err := plane.RightsUsed(rig.ServiceAccountUser(rig.OperatorNamespace, rig.OperatorServiceAccount))
	Expect(err).NotTo(HaveOccurred())
	Expect(refused.UnsortedList()).To(BeEmpty(), "the manager asked for what it may not do")
	unused := granted().Difference(used).Difference(rig.RarelyUsed())
	Expect(unused.UnsortedList()).To(BeEmpty(), "config/rbac grants the manager what it does not use")
})

// granted lists the rights of the manager's roles.
func granted() rig.Rights {
	GinkgoHelper()
	objects, err := rig.ReadManifests(configFile("rbac", "role.yaml"), configFile("rbac", "connection_secrets_role.yaml"))
	Expect(err).NotTo(HaveOccurred())
	rights := rig.RightsOf()
	for _, object := range objects {
		if !strings.HasSuffix(object.GetKind(), "Role") {
			continue
		}
		role := &rbacv1.ClusterRole{}
		Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, role)).To(Succeed())
		rights = rights.Union(rig.RightsOf(role.Rules...))
	}
	return rights
}
