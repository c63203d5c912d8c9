// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/test/rig"
)

var _ = Describe("Environments and Applications", func() {
	It("are created, changed, repaired and deleted", func(ctx context.Context) {
		w := newWorld(ctx)
		dev, shop := w.environment("dev"), w.application("shop")

		By("Applying the samples")
		w.applySamples(ctx)
		w.eventuallyReady(ctx, dev, w.environment("production"), shop)
		Expect(w.inCloud(ctx, environments, "dev")).To(And(
			HaveKeyWithValue("deploy_mode", "container"), HaveKeyWithValue("resources", HaveLen(2))))
		Expect(w.inCloud(ctx, applications, "shop")).To(HaveKeyWithValue("description", "The web shop"))
		Expect(w.sim.List(ctx, configurations)).To(HaveLen(2))

		By("Editing the spec")
		before := dev.DeepCopy()
		dev.Spec.Description = ptr.To("edited")
		Expect(k8s.Patch(ctx, dev, client.MergeFrom(before))).To(Succeed())
		w.eventuallyReady(ctx, dev)
		Expect(w.inCloud(ctx, environments, "dev")).To(HaveKeyWithValue("description", "edited"))

		By("Changing the cloud behind the operator's back")
		Expect(w.sim.Patch(ctx, environments, dev.Status.ID, rig.Record{"description": "meddled"})).To(Succeed())
		requestReconcile(ctx, dev)
		Eventually(func() rig.Record { return w.inCloud(ctx, environments, "dev") }).WithContext(ctx).
			Should(HaveKeyWithValue("description", "edited"))

		By("Deleting the environment in the cloud")
		lost := dev.Status.ID
		Expect(w.sim.Delete(ctx, applications, shop.Status.ID)).To(Succeed())
		requestReconcile(ctx, shop)
		Eventually(func(g Gomega) {
			g.Expect(w.refreshed(ctx, shop)()).To(BeReady())
			g.Expect(shop.Status.ID).NotTo(Equal(lost))
			g.Expect(w.sim.List(ctx, applications)).To(ConsistOf(HaveKeyWithValue("id", shop.Status.ID)))
		}).WithContext(ctx).Should(Succeed())

		By("Deleting everything")
		Expect(k8s.Delete(ctx, shop)).To(Succeed())
		Expect(k8s.Delete(ctx, dev)).To(Succeed())
		Expect(k8s.Delete(ctx, w.environment("production"))).To(Succeed())
		w.eventuallyGone(ctx, shop, dev, w.environment("production"))
		Expect(w.sim.List(ctx, environments)).To(BeEmpty())
		Expect(w.sim.List(ctx, applications)).To(BeEmpty())
	}, SpecTimeout(2*time.Minute))

	It("cost few calls and writes, and none at rest but lists", func(ctx context.Context) {
		w := newWorld(ctx, withoutLists)
		w.applyAccount(ctx, keys)
		Eventually(accountReady(ctx, w.namespace)).WithContext(ctx).Should(BeTrue())
		Expect(w.sim.ResetCalls(ctx)).To(Succeed())

		By("Creating an environment without resources: one call, two writes")
		plain := w.environment("plain")
		Expect(k8s.Create(ctx, plain)).To(Succeed())
		w.eventuallyReady(ctx, plain)
		Expect(w.sim.Calls(ctx)).To(ConsistOf(HaveField("Method", "POST")))
		Eventually(func(g Gomega) { // the API server notes a request after it told those who watch
			g.Expect(w.managerWrites("environments", "plain")).To(Equal([]string{"patch environments", "patch environments/status"}))
		}).WithContext(ctx).Should(Succeed())

		By("Creating an environment with resources: one call more")
		Expect(w.sim.ResetCalls(ctx)).To(Succeed())
		equipped := w.environment("equipped")
		equipped.Spec.Resources = []v1alpha1.EnvironmentResource{{Type: "cce", ID: "cluster-1"}}
		Expect(k8s.Create(ctx, equipped)).To(Succeed())
		w.eventuallyReady(ctx, equipped)
		Expect(w.sim.Calls(ctx)).To(HaveExactElements(HaveField("Method", "POST"), HaveField("Method", "PUT")))

		By("Touching labels and annotations: nothing")
		Expect(w.sim.ResetCalls(ctx)).To(Succeed())
		before := plain.DeepCopy()
		plain.Labels = map[string]string{"touched": "yes"}
		plain.Annotations["touched"] = "yes"
		Expect(k8s.Patch(ctx, plain, client.MergeFrom(before))).To(Succeed())
		Consistently(func(g Gomega) {
			g.Expect(w.sim.Calls(ctx)).To(BeEmpty())
			g.Expect(w.managerWrites("environments", "plain")).To(HaveLen(2))
			g.Expect(w.managerWrites("environments", "equipped")).To(HaveLen(2))
		}).WithContext(ctx).WithTimeout(2 * time.Second).Should(Succeed())
	}, SpecTimeout(time.Minute))

	It("wait for what they refer to without polling the cloud", func(ctx context.Context) {
		w := newWorld(ctx, withoutLists)
		w.applyAccount(ctx, keys)
		Eventually(accountReady(ctx, w.namespace)).WithContext(ctx).Should(BeTrue())
		Expect(w.sim.ResetCalls(ctx)).To(Succeed())

		By("Creating an Application before its Environment")
		shop := w.application("shop", v1alpha1.ApplicationConfiguration{
			EnvironmentRef: v1alpha1.Reference{Name: "dev"}, Env: []v1alpha1.EnvVar{{Name: "A", Value: ptr.To("1")}},
		})
		Expect(k8s.Create(ctx, shop)).To(Succeed())
		Eventually(w.refreshed(ctx, shop)).WithContext(ctx).Should(HaveReason(v1alpha1.ReasonDependencyNotReady, "dev"))
		Expect(w.sim.Calls(ctx)).To(BeEmpty())

		dev := w.environment("dev")
		Expect(k8s.Create(ctx, dev)).To(Succeed())
		w.eventuallyReady(ctx, shop, dev)
		Expect(w.writes(ctx)).To(Equal([]string{"POST environments", "POST applications", "PUT applications/{id}/configuration"}))
		calls, err := w.sim.Calls(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(calls).To(HaveLen(3), "nothing was read: %v", calls)
	}, SpecTimeout(time.Minute))
})

var _ = Describe("An Environment in use", func() {
	It("is not deleted before what needs it, and says so", func(ctx context.Context) {
		w := newWorld(ctx)
		w.applySamples(ctx)
		dev, shop := w.environment("dev"), w.application("shop")
		w.eventuallyReady(ctx, dev, shop)

		Expect(k8s.Delete(ctx, dev)).To(Succeed())
		Eventually(w.refreshed(ctx, dev)).WithContext(ctx).Should(HaveReason(v1alpha1.ReasonDeletionBlocked, "shop"))
		w.inCloud(ctx, environments, "dev")
		Expect(w.writes(ctx)).NotTo(ContainElement("DELETE environments/{id}"))

		Expect(k8s.Delete(ctx, shop)).To(Succeed())
		w.eventuallyGone(ctx, shop, dev)
		Expect(w.sim.List(ctx, environments)).To(ConsistOf(HaveKeyWithValue("name", "production")))
	}, SpecTimeout(time.Minute))
})

func requestReconcile(ctx context.Context, object client.Object) {
	GinkgoHelper()
	before, _ := object.DeepCopyObject().(client.Object)
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.ReconcileRequestedAtAnnotation] = time.Now().Format(time.RFC3339Nano)
	object.SetAnnotations(annotations)
	Expect(k8s.Patch(ctx, object, client.MergeFrom(before))).To(Succeed())
}
