// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/test/rig"
)

var _ = Describe("Wrong credentials", func() {
	It("are tried once, and a changed secret wakes everything", func(ctx context.Context) {
		const n = 5
		w := newWorld(ctx)
		w.applyAccount(ctx, rig.Keys{AccessKey: keys.AccessKey, SecretKey: "wrong"})
		var waiting []resource
		for i := range n {
			environment := w.environment(fmt.Sprintf("waiting-%d", i))
			Expect(k8s.Create(ctx, environment)).To(Succeed())
			waiting = append(waiting, environment)
		}
		for _, environment := range waiting {
			Eventually(w.refreshed(ctx, environment)).WithContext(ctx).Should(HaveReason(v1alpha1.ReasonCredentialsNotReady))
		}
		Eventually(accountReady(ctx, w.namespace)).WithContext(ctx).Should(BeFalse())
		Eventually(func() ([]rig.Call, error) { return w.sim.Calls(ctx) }).WithContext(ctx).Should(HaveLen(1))
		Consistently(func() ([]rig.Call, error) { return w.sim.Calls(ctx) }).WithContext(ctx).WithTimeout(2*time.Second).
			Should(ConsistOf(HaveField("Status", http.StatusUnauthorized)), "one try for the account, none for its objects")

		w.applyAccount(ctx, keys)
		w.eventuallyReady(ctx, waiting...)
		Expect(w.sim.List(ctx, environments)).To(HaveLen(n))
	}, SpecTimeout(time.Minute))
})

var _ = Describe("A deleted namespace", func() {
	It("takes its cloud resources with it", func(ctx context.Context) {
		w := newWorld(ctx)
		w.applySamples(ctx)
		w.eventuallyReady(ctx, w.environment("dev"), w.environment("production"), w.application("shop"))

		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
		Expect(k8s.Delete(ctx, namespace)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(w.sim.List(ctx, environments)).To(BeEmpty())
			g.Expect(w.sim.List(ctx, applications)).To(BeEmpty())
			err := k8s.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)
			g.Expect(client.IgnoreNotFound(err)).To(Succeed())
			g.Expect(err).To(HaveOccurred(), "the namespace is still there: %+v", namespace.Status.Conditions)
		}).WithContext(ctx).WithTimeout(time.Minute).Should(Succeed())
	}, SpecTimeout(2*time.Minute))
})

// accountReady says whether the namespace's default account is Ready. Before it says anything that is an error.
func accountReady(ctx context.Context, namespace string) func() (bool, error) {
	return func() (bool, error) {
		account := &v1alpha1.CloudAccount{}
		if err := k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "default"}, account); err != nil {
			return false, err
		}
		condition := meta.FindStatusCondition(account.Status.Conditions, v1alpha1.ConditionReady)
		if condition == nil {
			return false, fmt.Errorf("the account has no Ready condition")
		}
		return condition.Status == metav1.ConditionTrue, nil
	}
}

var _ = Describe("A ClusterCloudAccount", func() {
	It("serves the namespaces that it names, and no others", func(ctx context.Context) {
		w := newWorld(ctx)
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "shared-", Namespace: rig.OperatorNamespace},
			StringData: map[string]string{"accessKey": keys.AccessKey, "secretKey": keys.SecretKey},
		}
		Expect(k8s.Create(ctx, secret)).To(Succeed())
		account := &v1alpha1.ClusterCloudAccount{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
		account.Spec.Region = "ap-southeast-3"
		url := v1alpha1.EndpointURL(w.sim.URL)
		account.Spec.Endpoints = &v1alpha1.Endpoints{IAM: url, ServiceStage: url}
		account.Spec.Credentials.SecretRef = v1alpha1.NamespacedObjectReference{Namespace: secret.Namespace, Name: secret.Name}
		account.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"e2e.servicestage.dev/shared": w.namespace}},
		}
		Expect(k8s.Create(ctx, account)).To(Succeed())

		environment := w.environment("shared")
		environment.Spec.AccountRef = v1alpha1.AccountReference{Kind: v1alpha1.AccountKindCluster, Name: account.Name}
		Expect(k8s.Create(ctx, environment)).To(Succeed())
		Eventually(w.refreshed(ctx, environment)).WithContext(ctx).
			Should(HaveReason(v1alpha1.ReasonCredentialsNotReady, "allowedNamespaces"))
		Expect(w.sim.List(ctx, environments)).To(BeEmpty())

		namespace := &corev1.Namespace{}
		Expect(k8s.Get(ctx, client.ObjectKey{Name: w.namespace}, namespace)).To(Succeed())
		before := namespace.DeepCopy()
		namespace.Labels["e2e.servicestage.dev/shared"] = w.namespace
		Expect(k8s.Patch(ctx, namespace, client.MergeFrom(before))).To(Succeed())
		w.eventuallyReady(ctx, environment)

		By("Deleting the account before its user: held back with the user's name")
		Expect(k8s.Delete(ctx, account)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(account), account)).To(Succeed())
			g.Expect(account.Status.Conditions).To(ContainElement(And(
				HaveField("Reason", v1alpha1.ReasonDeletionBlocked), HaveField("Message", ContainSubstring("shared")))))
		}).WithContext(ctx).Should(Succeed())
		Expect(k8s.Delete(ctx, environment)).To(Succeed())
		w.eventuallyGone(ctx, environment, account)
		Expect(w.sim.List(ctx, environments)).To(BeEmpty())
	}, SpecTimeout(time.Minute))
})
