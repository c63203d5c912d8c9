// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package packaging

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/test/rig"
)

var _ = Describe("A release", func() {
	It("takes over what kubectl installed from config/", func(ctx context.Context) {
		before := inventory(ctx)
		r := newRelease(ctx, "servicestage-operator", rig.OperatorNamespace, map[string]any{"crds": map[string]any{"keep": false}})
		var objects []*unstructured.Unstructured
		for _, folder := range [][]string{{"manager", "namespace.yaml"}, {"manager", "manager.yaml"}, {"crd", "bases"}, {"rbac"}} {
			objects = append(objects, manifests(folder...)...)
		}
		Expect(rig.Apply(ctx, k8s, objects...)).To(Succeed())
		r.started++
		pod, err := plane.StartPod(ctx, rig.PodOptions{
			Pod: rig.PodOf(rendered(objects).deployment(), "applied"), Binary: binary("manager"), Dir: r.dir,
		})
		Expect(err).NotTo(HaveOccurred())
		r.pods = append(r.pods, pod)

		By("Refusing, unless told to take ownership of what is there")
		_, err = r.helm(ctx, helm, "install", chart)
		Expect(err).To(MatchError(ContainSubstring("cannot be imported into the current release")))

		By("Deleting the Deployment, whose selector is another and cannot be changed")
		deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: "servicestage-operator"}}
		Expect(k8s.Delete(ctx, deployment, client.PropagationPolicy(metav1.DeletePropagationBackground))).To(Succeed())
		_, err = r.helm(ctx, helm, "install", chart, "--take-ownership")
		Expect(err).NotTo(HaveOccurred())
		r.roll(ctx)

		By("Leaving nothing of either behind")
		r.uninstall(ctx)
		leader := manifests("rbac", "role.yaml").named("Role", "servicestage-operator")
		Expect(k8s.Delete(ctx, leader)).To(Succeed())
		Expect(k8s.Delete(ctx, manifests("rbac", "leader_election_role_binding.yaml").named("RoleBinding", "servicestage-operator"))).To(Succeed())
		Expect(k8s.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.namespace}})).To(Succeed())
		eventuallyHolds(ctx, before)
	}, SpecTimeout(3*time.Minute))
})
