// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/test/rig"
)

const rootPassword = "Canary-e2e-root-1"

var _ = Describe("A MicroserviceEngine", func() {
	It("is created, retried once, told to Pods, bound to an Environment, and removed with all of it", func(ctx context.Context) {
		w := newWorld(ctx)
		w.applyAccount(ctx, keys)
		w.mayWriteSecrets(ctx)
		Expect(w.sim.Outcomes(ctx,
			cloudsim.Outcome{Engine: "*", Job: "Create", Task: "clusterCreate", Nth: 1, Result: "Error", Message: "no room"},
			cloudsim.Outcome{Engine: "*", Job: "Create", Task: "engineInstall", Result: cloudsim.OutcomeHeld})).To(Succeed())
		objects, err := rig.EngineSample(w.namespace, rootPassword)
		Expect(err).NotTo(HaveOccurred())
		Expect(rig.Apply(ctx, k8s, objects...)).To(Succeed())

		engine := &v1alpha1.MicroserviceEngine{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "shop-engine"}}
		withEngine := w.environment("with-engine")
		By("Watching the phases of the second try")
		w.lookAt(ctx, engine, func(g Gomega) {
			g.Expect(engine).To(HaveReason(v1alpha1.ReasonCreating, "2 of 4 phases done; now: engineInstall."))
			g.Expect(engine.Status.CreateRetries).To(BeEquivalentTo(1))
			g.Expect(w.refreshed(ctx, withEngine)()).To(HaveReason(v1alpha1.ReasonDependencyNotReady, "spec.resources[0].engineRef"))
		})
		Expect(w.sim.Outcomes(ctx)).To(Succeed())
		w.lookAt(ctx, engine, func(g Gomega) {
			g.Expect(engine).To(BeReady())
			g.Expect(w.refreshed(ctx, withEngine)()).To(BeReady())
		})
		record := w.inCloud(ctx, engines, "shop-engine")
		Expect(record.At("root_password")).To(Equal(rootPassword))

		By("Repairing the ConfigMap that Pods read the addresses from")
		configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "shop-engine"}}
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(configMap), configMap)).To(Succeed())
		kie := configMap.Data["KIE_ADDRESS"]
		Expect(kie).To(HavePrefix("https://"))
		configMap.Data["KIE_ADDRESS"] = "https://elsewhere"
		Expect(k8s.Update(ctx, configMap)).To(Succeed())
		w.lookAt(ctx, configMap, func(g Gomega) { g.Expect(configMap.Data).To(HaveKeyWithValue("KIE_ADDRESS", kie)) })

		By("Writing them to a Secret instead")
		w.connect(ctx, engine, &v1alpha1.Connection{Secret: "shop-engine"})
		w.eventuallyGone(ctx, configMap)
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "shop-engine"}}
		w.lookAt(ctx, secret, func(g Gomega) { g.Expect(secret.Data).To(HaveKeyWithValue("KIE_ADDRESS", []byte(kie))) })
		secret.Data["KIE_ADDRESS"] = nil
		Expect(k8s.Update(ctx, secret)).To(Succeed())
		w.lookAt(ctx, secret, func(g Gomega) { g.Expect(secret.Data).To(HaveKeyWithValue("KIE_ADDRESS", []byte(kie))) })
		w.connect(ctx, engine, &v1alpha1.Connection{ConfigMap: "shop-engine"})
		w.eventuallyGone(ctx, secret)
		w.lookAt(ctx, configMap, func(g Gomega) { g.Expect(configMap.Data).To(HaveKey("KIE_ADDRESS")) })

		By("Deleting the engine, which its Environment and its KieConfig hold back")
		Expect(k8s.Delete(ctx, engine)).To(Succeed())
		w.lookAt(ctx, engine, func(g Gomega) {
			g.Expect(engine).To(HaveReason(v1alpha1.ReasonDeletionBlocked, "Environment with-engine, KieConfig shop"))
		})
		config := &v1alpha1.KieConfig{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "shop"}}
		Expect(k8s.Delete(ctx, withEngine)).To(Succeed())
		Expect(k8s.Delete(ctx, config)).To(Succeed())
		w.lookUntilGone(ctx, engine, withEngine, config, configMap)
		Expect(w.sim.List(ctx, engines)).To(BeEmpty())

		By("Looking for the password in what the manager wrote")
		log, err := w.manager.Log()
		Expect(err).NotTo(HaveOccurred())
		Expect(strings.Contains(log, rootPassword)).To(BeFalse(), "the root password is in the manager's log")
		status, err := json.Marshal(engine.Status)
		Expect(err).NotTo(HaveOccurred())
		Expect(strings.Contains(string(status), rootPassword)).To(BeFalse(), "the root password is in the engine's status")
	}, SpecTimeout(3*time.Minute))
})

// mayWriteSecrets lets the manager publish in Secrets of the namespace, as the message of a refusal says.
func (w *world) mayWriteSecrets(ctx context.Context) {
	GinkgoHelper()
	const role = "servicestage-operator-connection-secrets"
	Expect(k8s.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: role},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: rig.OperatorNamespace, Name: rig.OperatorServiceAccount}},
	})).To(Succeed())
}

// connect sets where the engine's addresses are written.
func (w *world) connect(ctx context.Context, engine *v1alpha1.MicroserviceEngine, c *v1alpha1.Connection) {
	GinkgoHelper()
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(engine), engine)).To(Succeed())
	before := engine.DeepCopy()
	engine.Spec.Connection = c
	Expect(k8s.Patch(ctx, engine, client.MergeFrom(before))).To(Succeed())
}

// lookAt reads an object anew until the look is content.
func (w *world) lookAt(ctx context.Context, object client.Object, look func(Gomega)) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
		look(g)
	}).WithContext(ctx).WithTimeout(jobsTimeout).Should(Succeed())
}

// lookUntilGone waits until the API server no longer has the objects.
func (w *world) lookUntilGone(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Eventually(func(g Gomega) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object)
			g.Expect(client.IgnoreNotFound(err)).To(Succeed())
			g.Expect(err).To(HaveOccurred(), "%T %s is still there", object, object.GetName())
		}).WithContext(ctx).WithTimeout(jobsTimeout).Should(Succeed())
	}
}
